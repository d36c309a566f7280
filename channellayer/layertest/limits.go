package layertest

import (
	"errors"
	"time"

	"github.com/belleville/belleville/channellayer"
)

func limitPromises() []promise {
	small := Setup{Capacity: 3}
	return []promise{
		{name: "a full channel keeps what it has and misses the rest", keeps: fullChannel, setup: small},
		{name: "a full member does not keep a group's event from the others", keeps: fullMember, setup: small},
		{name: "a plain channel takes as many events as its capacity", keeps: fullPlainChannel, setup: small},
		{name: "the first glob that matches says the capacity", keeps: globCapacity, setup: Setup{
			Capacities: []channellayer.Capacity{{Glob: "one.*", Capacity: 1}, {Glob: "one.two", Capacity: 2}, {Glob: "*wo", Capacity: 2}},
		}},
		{name: "a stale event is not delivered", keeps: staleEvent, setup: Setup{Expiry: shortExpiry}},
		{name: "a stale event in a plain channel is not delivered", keeps: stalePlainEvent, setup: Setup{Expiry: shortExpiry}},
		{name: "stale events make room for others", keeps: staleMakesRoom, setup: Setup{Capacity: 3, Expiry: shortExpiry}},
	}
}

// sendOrFull sends an event that may find its channel full.
func (b *bench) sendOrFull(node int, channel string, e channellayer.Event) {
	b.Helper()
	err := b.nodes[node].Send(b.Context(), channel, e)
	if err != nil && !errors.Is(err, channellayer.ErrFull) {
		b.Fatalf("Send: got error %v, want none or ErrFull", err)
	}
}

func fullChannel(b *bench) {
	name, q := b.channel(0)
	for _, e := range events("numbered", 3*b.setup.Capacity) {
		b.sendOrFull(1, name, e)
	}
	barrier, done := b.channel(0)
	b.expectNoMore(1, barrier, done) // so all that came before has arrived
	if n := q.Len(); n != b.setup.Capacity {
		b.Errorf("%d events wait, want %d", n, b.setup.Capacity)
	}
	b.expect(q, events("numbered", b.setup.Capacity)...)
	b.expectNoMore(1, name, q)
}

func fullMember(b *bench) {
	slow, q := b.member(0, "room")
	_, near := b.member(0, "room")
	_, far := b.member(1, "room")
	want := events("said", 3*b.setup.Capacity)
	for _, e := range want {
		b.groupSend(1, "room", e)
		b.expect(near, e)
		b.expect(far, e)
	}
	b.expect(q, want[:b.setup.Capacity]...)
	b.expectNoMore(1, slow, q)
}

// fill sends to a plain channel that holds capacity events, until it is full.
func (b *bench) fill(channel string, capacity int) {
	b.Helper()
	for _, e := range events("job", capacity) {
		b.send(0, channel, e)
	}
	if err := b.nodes[0].Send(b.Context(), channel, event("job", capacity)); !errors.Is(err, channellayer.ErrFull) {
		b.Fatalf("Send to %s with %d events in it: got error %v, want ErrFull", channel, capacity, err)
	}
}

func fullPlainChannel(b *bench) {
	b.fill("jobs", b.setup.Capacity)
	b.send(0, "other.jobs", event("job", 1))
	stop, q := b.listen(1, "jobs")
	b.expect(q, events("job", b.setup.Capacity)...)
	b.send(0, "jobs", event("job", 99))
	b.expect(q, event("job", 99))
	stop()
}

func globCapacity(b *bench) {
	b.fill("one.two", 1)
	b.fill("two", 2)
	b.fill("three", b.setup.Capacity)
}

func staleEvent(b *bench) {
	name, q := b.member(0, "room")
	b.send(1, name, event("said", 1))
	b.groupSend(1, "room", event("said", 2))
	barrier, done := b.channel(0)
	b.expectNoMore(1, barrier, done)
	b.advance(b.setup.Expiry + time.Second)
	b.expectNoMore(1, name, q)
}

func stalePlainEvent(b *bench) {
	b.send(0, "jobs", event("job", 1))
	b.advance(b.setup.Expiry + time.Second)
	b.send(0, "jobs", event("job", 2))
	stop, q := b.listen(1, "jobs")
	b.expect(q, event("job", 2))
	stop()
}

func staleMakesRoom(b *bench) {
	b.fill("jobs", b.setup.Capacity)
	b.advance(b.setup.Expiry + time.Second)
	b.fill("jobs", b.setup.Capacity)
}
