package layertest

import (
	"context"
	"errors"
	"sync"

	"github.com/belleville/belleville/channellayer"
)

func listenPromises() []promise {
	return []promise{
		{name: "what waits in a plain channel reaches who listens later in order", keeps: listenLater},
		{name: "an event to a plain channel reaches who listens", keeps: listenNow},
		{name: "each event of a plain channel reaches one listener", keeps: listenOnce, setup: Setup{Capacity: 1000}},
		{name: "a listener that is full loses nothing", keeps: listenFull},
		{name: "listening ends with its context", keeps: listenEnd},
		{name: "a plain channel may be in a group", keeps: plainMember},
		{name: "a plain channel leaves its groups after the group expiry", keeps: plainMemberExpiry, setup: Setup{GroupExpiry: shortGroupExpiry}},
	}
}

// listen listens to a channel on a node until stop is called, which the subtest must do.
func (b *bench) listen(node int, channel string) (stop func(), q *channellayer.Queue) {
	b.Helper()
	q = channellayer.NewQueue()
	return b.listenWith(node, channel, q), q
}

func (b *bench) listenWith(node int, channel string, r channellayer.Receiver) (stop func()) {
	b.Helper()
	listener, ok := b.nodes[node].(channellayer.Listener)
	if !ok {
		b.Fatalf("%T is no Listener", b.nodes[node])
	}
	ctx, cancel := context.WithCancel(b.Context())
	b.Cleanup(cancel)
	ended := make(chan error, 1)
	go func() { ended <- listener.Listen(ctx, channel, r) }()
	return func() {
		b.Helper()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			b.Errorf("Listen: got error %v, want context.Canceled", err)
		}
	}
}

func listenLater(b *bench) {
	want := events("job", 20)
	for _, e := range want {
		b.send(0, "jobs", e)
	}
	b.send(0, "other.jobs", event("job", 99))
	stop, q := b.listen(1, "jobs")
	b.expect(q, want...)
	stop()
	if n := q.Len(); n != 0 {
		b.Errorf("%d events more than were sent", n)
	}
}

func listenNow(b *bench) {
	stop, q := b.listen(1, "jobs")
	for i := range 5 {
		b.send(i%len(b.nodes), "jobs", event("job", i))
		b.expect(q, event("job", i))
	}
	stop()
}

// collector is a Receiver that counts events by their number, and tells when it has seen as many as wanted.
type collector struct {
	want int
	all  chan struct{} // closed when want events came

	mu   sync.Mutex // guards the fields below
	came int
	seen map[any]int
}

func (c *collector) Receive(d *channellayer.Delivery, _ int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[d.Event["n"]]++
	if c.came++; c.came == c.want {
		close(c.all)
	}
	return true
}

func listenOnce(b *bench) {
	const jobs = 200
	c := &collector{want: jobs, all: make(chan struct{}), seen: make(map[any]int)}
	stopHere, stopThere := b.listenWith(0, "jobs", c), b.listenWith(1, "jobs", c)
	for _, e := range events("job", jobs) {
		b.send(0, "jobs", e)
	}
	<-c.all
	stopHere()
	stopThere()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.came != jobs || len(c.seen) != jobs {
		b.Errorf("%d events came, %d different ones, want %d", c.came, len(c.seen), jobs)
	}
}

// gate is a Receiver that refuses everything until it is opened.
type gate struct {
	*channellayer.Queue
	refused chan struct{} // holds something when an event was refused
	opened  chan struct{} // closed to open it
}

func (g *gate) Receive(d *channellayer.Delivery, capacity int) bool {
	select {
	case <-g.opened:
		return g.Queue.Receive(d, capacity)
	default:
	}
	select {
	case g.refused <- struct{}{}:
	default:
	}
	return false
}

func listenFull(b *bench) {
	g := &gate{channellayer.NewQueue(), make(chan struct{}, 1), make(chan struct{})}
	stop := b.listenWith(1, "jobs", g)
	want := events("job", 5)
	for _, e := range want {
		b.send(0, "jobs", e)
	}
	<-g.refused
	close(g.opened)
	b.expect(g.Queue, want...)
	stop()
}

func listenEnd(b *bench) {
	stop, _ := b.listen(1, "jobs")
	stop()
	b.send(0, "jobs", event("job", 1)) // and what comes next waits for the next listener
	stop, q := b.listen(1, "jobs")
	b.expect(q, event("job", 1))
	stop()
	listener := b.nodes[0].(channellayer.Listener)
	if err := listener.Listen(b.Context(), "not a name", q); !errors.Is(err, channellayer.ErrInvalidName) {
		b.Errorf("Listen to an invalid name: got error %v, want ErrInvalidName", err)
	}
}

func plainMember(b *bench) {
	b.add(0, "news", "jobs")
	b.add(0, "news", "jobs")
	b.groupSend(1, "news", event("said", 1))
	stop, q := b.listen(1, "jobs")
	b.expect(q, event("said", 1))
	b.discard(0, "news", "jobs")
	b.groupSend(1, "news", event("said", 2))
	b.expectNoMore(1, "jobs", q)
	stop()
}

func plainMemberExpiry(b *bench) {
	b.add(0, "news", "jobs")
	b.advance(b.setup.GroupExpiry / 2)
	b.add(0, "news", "jobs") // from now on
	b.advance(b.setup.GroupExpiry * 3 / 4)
	b.groupSend(0, "news", event("said", 1))
	stop, q := b.listen(0, "jobs")
	b.expect(q, event("said", 1))
	b.advance(b.setup.GroupExpiry)
	b.groupSend(0, "news", event("said", 2))
	b.expectNoMore(0, "jobs", q)
	stop()
}
