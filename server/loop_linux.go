package server

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/busy"
	"github.com/belleville/belleville/internal/netpoll"
)

const (
	readSize     = 64 << 10 // what one read takes at most
	scratchSize  = 64 << 10 // what one write gathers at most
	eventBatch   = 512
	turn         = 32
	acceptBatch  = 64
	readsInARow  = 16  // before others get their turn
	acceptPause  = 500 // ticks without accepting once descriptors have run out
	listenerSlot = ^uint32(0) - 1
)

// loop owns the connections that it accepts. One goroutine does all that is done with their descriptors;
// others post what they want.
type loop struct {
	// Set at birth, never changed.
	server *Server
	poller *netpoll.Poller
	passed *flow
	fleet  []*loop // of all that accept from the listener

	// Owned by the loop's goroutine.
	listener int // -1 once closed
	resumeAt int64
	conns    []*conn
	free     []uint32
	gens     uint32
	looked   int // at how many others
	wheel    wheel
	buf      []byte
	scratch  []byte
	target   *conn // whom write writes to
	write    func([]byte) (int, error)
	workers  consumers.Crew
	served   []*conn // room for posts, in turn with posted
	quit     bool
	crowd    crowd

	held atomic.Int64 // connections, with those that arrive

	// Shared with whoever posts.
	mu       sync.Mutex // guards the fields below
	posted   []*conn    // those that want something; bounded by the connections, since each is here once
	calls    []func()
	arrivals []arrival // what other loops have accepted
	freight  freight   // what comes from the channel layer
	asleep   bool
	stopped  bool
	room     sync.Cond // signalled when there is room in freight again

	done chan struct{} // closed when the goroutine ends
}

// newLoop makes a loop that accepts from a descriptor, which becomes its own.
func newLoop(s *Server, listener int) (*loop, error) {
	p, err := netpoll.Open(eventBatch)
	if err != nil {
		netpoll.Close(listener)
		return nil, err
	}
	l := &loop{
		server: s, poller: p, passed: s.metrics.flows.add(), listener: listener,
		buf: make([]byte, readSize), scratch: make([]byte, scratchSize),
		done: make(chan struct{}),
	}
	l.room.L = &l.mu
	l.wheel.at = s.clock.now() / wheelStep
	l.write = func(b []byte) (int, error) { return netpoll.Write(int(l.target.fd), b) }
	if err := p.AddListener(listener, token(listenerSlot, 0)); err != nil {
		netpoll.Close(listener)
		return nil, errors.Join(err, p.Close())
	}
	return l, nil
}

// token names a connection to the kernel: events of one that is gone bear an old generation.
func token(slot, gen uint32) uint64 { return uint64(gen)<<32 | uint64(slot) }

// run is the loop's goroutine. An error means that the kernel gave up on it.
func (l *loop) run() error {
	defer close(l.done)
	var events []netpoll.Event
	for !l.quit {
		var err error
		if events, err = l.wait(events); err != nil {
			l.shut()
			return err
		}
		for some := range slices.Chunk(events, turn) {
			for _, ev := range some {
				l.event(ev)
			}
			l.workers.Work()
			l.attendAll() // what consumers say is written while the kernel's part of the connection is in the cache
		}
		l.attendAll()
		now := l.server.clock.now()
		l.wheel.advance(now, func(e timerEntry) { l.look(e, now) })
		l.reopen(now)
		l.workers.Work()
	}
	l.shut()
	return nil
}

// timeout returns how long to wait for events: not at all where something was posted, else until the
// wheel's next step, or for ever where there is nothing to look after. From then on posts wake the loop.
func (l *loop) timeout() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.posted) > 0 || len(l.calls) > 0 || len(l.arrivals) > 0 || len(l.freight.loads) > 0 {
		return 0
	}
	l.asleep, l.freight.under = true, false
	if l.held.Load() == 0 && l.resumeAt == 0 {
		return -1
	}
	return wheelStep
}

// wait waits for what is next.
func (l *loop) wait(events []netpoll.Event) ([]netpoll.Event, error) {
	timeout := l.timeout()
	if l.contended() {
		return l.poller.Park(events, timeout)
	}
	return l.poller.Wait(events, timeout)
}

// contended reports whether other goroutines are likely to want a processor while the loop waits: those that find out who
// the visitors of a crowd are, and those that have long work, such as the hash of a password. Go counts a processor as that
// of a loop in a system call, and with it the goroutines that are in its queue, among which may be another loop. While the
// other processors are busy, only its monitor takes it away, and that may come some milliseconds later.
func (l *loop) contended() bool {
	return busy.Some() || l.crowd.lasts(l.server.clock.now())
}

// event does what has become possible.
func (l *loop) event(ev netpoll.Event) {
	slot, gen := uint32(ev.Token), uint32(ev.Token>>32)
	if slot == listenerSlot {
		l.accept()
		return
	}
	if int(slot) >= len(l.conns) || l.conns[slot] == nil || l.conns[slot].gen != gen {
		return // of a connection that is gone
	}
	c := l.conns[slot]
	c.hungUp = c.hungUp || ev.HungUp
	if ev.Readable {
		c.readable = true
		l.read(c)
	}
	l.flush(c)
}

// read reads what there is and feeds it to the connection.
func (l *loop) read(c *conn) {
	for range readsInARow {
		if !c.readable || !c.mayRead() {
			return
		}
		n, err := netpoll.Read(int(c.fd), l.buf)
		switch {
		case errors.Is(err, netpoll.ErrAgain):
			c.readable = false
			return
		case err != nil:
			l.drop(c)
			return
		case n == 0:
			l.ended(c)
			return
		}
		// A short read has emptied the socket: the next byte makes an event. Only the end of the stream,
		// which may have come already, makes none.
		c.readable = n == len(l.buf) || c.hungUp
		if !c.feed(l.buf[:n]) {
			return
		}
	}
	c.request(wantRead)
}

// ended takes the end of a peer's stream. It may still read the answer to its last word.
func (l *loop) ended(c *conn) {
	if !c.caughtUp() {
		return // the end is still there to be read
	}
	c.readable = false
	wait := c.ended || c.partEnded()
	l.flush(c)
	if !wait {
		l.drop(c)
	}
}

// flush writes what waits for a connection.
func (l *loop) flush(c *conn) {
	if c.fd < 0 {
		return
	}
	p, err := l.send(c)
	switch {
	case err == nil && c.stuck:
		c.stuck = false
		err = l.poller.RemoveWrites(int(c.fd), token(c.slot, c.gen))
	case errors.Is(err, netpoll.ErrAgain):
		err = l.awaitRoom(c)
	}
	if err != nil {
		l.drop(c)
		return
	}
	if p == closing && c.writer == nil && c.flushed() {
		if c.ended {
			l.drop(c)
			return
		}
		netpoll.CloseWrite(int(c.fd))
	}
	l.reschedule(c, p)
}

// send writes all, or as much as there is room for. It returns the phase in which the connection was before.
func (l *loop) send(c *conn) (p phase, err error) {
	if c.writer == nil {
		data, p, whole := c.parcel(l.scratch)
		if whole && len(data) == 0 {
			return p, nil
		}
		if whole {
			n, err := netpoll.Write(int(c.fd), data)
			if n == len(data) {
				return p, nil
			}
			c.unwrap(data[n:])
			if err != nil {
				return p, err
			}
		}
	}
	p, _ = c.current()
	l.target = c
	_, err = c.flush(l.scratch, l.write)
	return p, err
}

// awaitRoom asks for an event when a connection that took no more does again.
func (l *loop) awaitRoom(c *conn) error {
	if c.stuck {
		return nil
	}
	c.stuck = true
	return l.poller.AddWrites(int(c.fd), token(c.slot, c.gen))
}

// drop closes a connection.
func (l *loop) drop(c *conn) {
	if c.fd < 0 {
		return
	}
	netpoll.Close(int(c.fd))
	l.forget(c)
	c.release()
}

// forget takes a connection out of the loop.
func (l *loop) forget(c *conn) {
	c.fd = -1
	l.conns[c.slot] = nil
	l.free = append(l.free, c.slot)
	l.held.Add(-1)
}

// detach implements driver.
func (l *loop) detach(c *conn) (net.Conn, error) {
	fd := int(c.fd)
	if err := l.poller.Remove(fd); err != nil {
		return nil, err
	}
	l.forget(c)
	return netpoll.Conn(fd)
}

// crew implements driver.
func (l *loop) crew() *consumers.Crew { return &l.workers }

// flow implements driver.
func (l *loop) flow() *flow { return l.passed }

// local implements driver.
func (l *loop) local(c *conn) netip.AddrPort { return netpoll.LocalAddr(int(c.fd)) }

// each implements pool.
func (l *loop) each(f func(*conn)) {
	l.call(func() {
		for _, c := range l.conns {
			if c != nil {
				f(c)
			}
		}
	})
}

// stopAccepting implements pool.
func (l *loop) stopAccepting() { l.call(l.closeListener) }

// closeListener closes the loop's end of the listener.
func (l *loop) closeListener() {
	if l.listener >= 0 {
		netpoll.Close(l.listener)
		l.listener = -1
	}
}

// close implements pool.
func (l *loop) close() {
	l.call(func() { l.quit = true })
	<-l.done
}

// shut drops what is left.
func (l *loop) shut() {
	l.closeListener()
	l.stop()
	for _, c := range l.conns {
		if c != nil {
			l.drop(c)
		}
	}
	l.mu.Lock()
	l.posted = nil
	l.mu.Unlock()
	l.workers.Work()
	l.workers.Close()
	_ = l.poller.Close()
}
