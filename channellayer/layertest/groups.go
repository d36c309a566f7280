package layertest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/belleville/belleville/channellayer"
)

func groupPromises() []promise {
	return []promise{
		{name: "a group's event reaches each member on every node once", keeps: groupReaches},
		{name: "events of one sender reach a group in order", keeps: groupInOrder, setup: Setup{Capacity: 1000}},
		{name: "concurrent senders to a group keep each their order", keeps: concurrentGroupSenders, setup: Setup{Capacity: 1000}},
		{name: "a channel may be in many groups", keeps: manyGroups},
		{name: "adding twice makes one member", keeps: addTwice},
		{name: "discarding who is no member is no error", keeps: discardTwice},
		{name: "a discarded member gets nothing more", keeps: discardMember},
		{name: "a group without members takes events", keeps: emptyGroup},
		{name: "a channel may be added and discarded by another node", keeps: foreignMember},
		{name: "closing a channel takes it out of its groups", keeps: closeLeaves},
		{name: "an open channel stays in its groups beyond the group expiry", keeps: lastingMember, setup: Setup{GroupExpiry: shortGroupExpiry}},
		{name: "members may come and go while events are sent", keeps: restlessMembers, setup: Setup{Capacity: 10_000}},
	}
}

func groupReaches(b *bench) {
	var names []string
	var queues []*channellayer.Queue
	for i := range 6 {
		name, q := b.member(i%len(b.nodes), "room")
		names, queues = append(names, name), append(queues, q)
	}
	outside, quiet := b.member(0, "other.room")
	for node := range b.nodes {
		b.groupSend(node, "room", event("said", node))
		for i, q := range queues {
			b.expect(q, event("said", node))
			b.expectNoMore(node, names[i], q)
		}
		b.expectNoMore(node, outside, quiet)
	}
}

func groupInOrder(b *bench) {
	_, here := b.member(0, "room")
	_, there := b.member(1, "room")
	want := events("numbered", 200)
	for _, e := range want {
		b.groupSend(0, "room", e)
	}
	b.expect(here, want...)
	b.expect(there, want...)
}

func concurrentGroupSenders(b *bench) {
	const senders, each = 6, 40
	_, here := b.member(0, "room")
	_, there := b.member(1, "room")
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			for n := range each {
				e := channellayer.Event{"type": "numbered", "sender": int64(s), "n": int64(n)}
				if err := b.nodes[s%len(b.nodes)].GroupSend(b.Context(), "room", e); err != nil {
					b.Errorf("GroupSend: %v", err)
				}
			}
		})
	}
	sending.Wait()
	for _, q := range []*channellayer.Queue{here, there} {
		var came [senders]int64
		for range senders * each {
			e := b.next(q)
			s, _ := e["sender"].(int64)
			if e["n"] != came[s] {
				b.Fatalf("from sender %d came event %v, want %d", s, e["n"], came[s])
			}
			came[s]++
		}
	}
}

func manyGroups(b *bench) {
	name, q := b.channel(0)
	for i := range 60 {
		b.add(0, fmt.Sprint("room.", i), name)
	}
	for i := 0; i < 60; i += 2 {
		b.discard(0, fmt.Sprint("room.", i), name)
	}
	for i := range 60 {
		b.groupSend(1, fmt.Sprint("room.", i), event("said", i))
		if i%2 == 1 {
			b.expect(q, event("said", i))
		}
	}
	b.expectNoMore(1, name, q)
}

func addTwice(b *bench) {
	name, q := b.member(0, "room")
	b.add(0, "room", name)
	b.groupSend(1, "room", event("said", 1))
	b.expect(q, event("said", 1))
	b.expectNoMore(1, name, q)
	b.discard(0, "room", name) // once is enough
	b.groupSend(1, "room", event("said", 2))
	b.expectNoMore(1, name, q)
}

func discardTwice(b *bench) {
	name, q := b.channel(0)
	b.discard(0, "room", name)
	b.add(0, "room", name)
	b.discard(0, "other.room", name)
	b.discard(0, "room", "specific.nobody!has-this-name")
	b.groupSend(1, "room", event("said", 1))
	b.expect(q, event("said", 1))
	b.discard(0, "room", name)
	b.discard(0, "room", name)
	b.nodes[0].CloseChannel(name)
	b.discard(0, "room", name)
}

func discardMember(b *bench) {
	leaver, q := b.member(0, "room")
	_, other := b.member(0, "room")
	_, far := b.member(1, "room")
	b.discard(0, "room", leaver)
	b.groupSend(1, "room", event("said", 1))
	b.expect(other, event("said", 1))
	b.expect(far, event("said", 1))
	b.expectNoMore(1, leaver, q)
}

func emptyGroup(b *bench) {
	for node := range b.nodes {
		b.groupSend(node, "empty", event("said", 1))
	}
	name, q := b.member(0, "empty") // and what was said before is past
	b.expectNoMore(1, name, q)
}

func foreignMember(b *bench) {
	name, q := b.channel(0)
	b.add(1, "room", name)
	b.groupSend(1, "room", event("said", 1))
	b.expect(q, event("said", 1))
	b.discard(1, "room", name)
	b.groupSend(1, "room", event("said", 2))
	b.expectNoMore(1, name, q)
}

func closeLeaves(b *bench) {
	gone, q := b.member(0, "room")
	_, other := b.member(0, "room")
	last, alone := b.member(0, "other.room")
	b.nodes[0].CloseChannel(gone)
	b.nodes[0].CloseChannel(last)
	b.groupSend(1, "room", event("said", 1))
	b.groupSend(1, "other.room", event("said", 1))
	b.expect(other, event("said", 1))
	fresh, next := b.channel(0)
	b.expectNoMore(1, fresh, next)
	if n := q.Len() + alone.Len(); n != 0 {
		b.Errorf("the closed channels got %d events, want 0", n)
	}
	err := b.nodes[0].GroupAdd(b.Context(), "room", gone)
	if err != nil && !errors.Is(err, channellayer.ErrNoChannel) {
		b.Errorf("GroupAdd of a closed channel: got error %v, want none or ErrNoChannel", err)
	}
}

func lastingMember(b *bench) {
	name, q := b.member(0, "room")
	for range 3 {
		b.advance(b.setup.GroupExpiry / 2)
		b.groupSend(1, "room", event("said", 1))
		b.expect(q, event("said", 1))
	}
	b.advance(b.setup.GroupExpiry + b.setup.GroupExpiry/2)
	b.groupSend(1, "room", event("said", 2))
	b.expect(q, event("said", 2))
	b.expectNoMore(1, name, q)
}

// restlessMembers joins and leaves while another node sends: who stays misses nothing.
func restlessMembers(b *bench) {
	const sends = 100
	_, steady := b.member(0, "room")
	var busy sync.WaitGroup
	for node := range b.nodes {
		busy.Go(func() {
			for range 30 {
				name, err := b.nodes[node].NewChannel(b.Context(), channellayer.NewQueue())
				if err == nil {
					err = b.nodes[node].GroupAdd(b.Context(), "room", name)
				}
				if err != nil {
					b.Errorf("join: %v", err)
				}
				b.nodes[node].CloseChannel(name)
			}
		})
	}
	want := events("numbered", sends)
	for _, e := range want {
		b.groupSend(1, "room", e)
	}
	busy.Wait()
	b.expect(steady, want...)
}
