package server

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/belleville/belleville/internal/netpoll"
)

const (
	readSize     = 64 << 10 // what one read takes at most
	scratchSize  = 64 << 10 // what one write gathers at most
	eventBatch   = 512
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

	// Owned by the loop's goroutine.
	listener int // -1 once closed
	resumeAt int64
	conns    []*conn
	free     []uint32
	gens     uint32
	held     int
	wheel    wheel
	buf      []byte
	scratch  []byte
	target   *conn // whom write writes to
	write    func([]byte) (int, error)
	quit     bool

	// Shared with whoever posts.
	mu      sync.Mutex // guards the fields below
	posted  []*conn    // those that want something; bounded by the connections, since each is here once
	calls   []func()
	asleep  bool
	stopped bool

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
		server: s, poller: p, listener: listener,
		buf: make([]byte, readSize), scratch: make([]byte, scratchSize),
		done: make(chan struct{}),
	}
	l.wheel.at = s.clock.now() / wheelStep
	l.write = func(b []byte) (int, error) { return netpoll.Write(l.target.fd, b) }
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
		if events, err = l.poller.Wait(events, l.timeout()); err != nil {
			l.shut()
			return err
		}
		for _, ev := range events {
			l.event(ev)
		}
		l.attendAll()
		now := l.server.clock.now()
		l.wheel.advance(now, func(e timerEntry) { l.look(e, now) })
		l.reopen(now)
	}
	l.shut()
	return nil
}

// timeout returns how long to wait for events: not at all where something was posted, else until the
// wheel's next step, or for ever where there is nothing to look after. From then on posts wake the loop.
func (l *loop) timeout() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.posted) > 0 || len(l.calls) > 0 {
		return 0
	}
	l.asleep = true
	if l.held == 0 && l.resumeAt == 0 {
		return -1
	}
	return wheelStep
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

// accept takes the connections that wait.
func (l *loop) accept() {
	for range acceptBatch {
		if l.listener < 0 {
			return
		}
		fd, peer, err := netpoll.Accept(l.listener)
		switch {
		case errors.Is(err, netpoll.ErrAgain):
			return
		case netpoll.IsExhausted(err):
			l.pauseAccepting(err)
			return
		case err != nil:
			l.server.cfg.Logger.Error("cannot accept connections", slog.String("error", err.Error()))
			l.pauseAccepting(err)
			return
		}
		l.admit(fd, peer)
	}
}

// pauseAccepting leaves the listener alone for a moment, since it would be ready all the time.
func (l *loop) pauseAccepting(err error) {
	if e := l.poller.Remove(l.listener); e != nil {
		return
	}
	l.resumeAt = l.server.clock.now() + acceptPause
	l.server.exhausted(err)
}

// reopen goes on accepting after a pause.
func (l *loop) reopen(now int64) {
	if l.resumeAt == 0 || now < l.resumeAt || l.listener < 0 {
		return
	}
	l.resumeAt = 0
	if err := l.poller.AddListener(l.listener, token(listenerSlot, 0)); err != nil {
		l.resumeAt = now + acceptPause
	}
}

// admit makes a connection of a descriptor, or answers that there are too many.
func (l *loop) admit(fd int, peer netip.AddrPort) {
	t := l.server.admission.admit()
	if t == nil {
		_, _ = netpoll.Write(fd, tooMany())
		netpoll.CloseWrite(fd)
		netpoll.Close(fd)
		l.server.metrics.answered(503)
		return
	}
	c := l.server.newConn(l, t)
	c.fd, c.peer = fd, peer
	l.gens++
	c.gen = l.gens
	if n := len(l.free); n > 0 {
		c.slot, l.free = l.free[n-1], l.free[:n-1]
		l.conns[c.slot] = c
	} else {
		c.slot = uint32(len(l.conns))
		l.conns = append(l.conns, c)
	}
	l.held++
	if err := l.poller.Add(fd, token(c.slot, c.gen)); err != nil {
		l.drop(c)
		return
	}
	l.schedule(c, l.server.clock.now())
}

// read reads what there is and feeds it to the connection.
func (l *loop) read(c *conn) {
	for range readsInARow {
		if !c.readable || !c.mayRead() {
			return
		}
		n, err := netpoll.Read(c.fd, l.buf)
		switch {
		case errors.Is(err, netpoll.ErrAgain):
			c.readable = false
			return
		case err != nil || n == 0:
			l.drop(c)
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

// flush writes what waits for a connection.
func (l *loop) flush(c *conn) {
	if c.fd < 0 {
		return
	}
	l.target = c
	done, err := c.flush(l.scratch, l.write)
	switch {
	case done:
		if c.flushed() {
			netpoll.CloseWrite(c.fd)
		}
	case errors.Is(err, netpoll.ErrAgain): // an event will say when
	default:
		l.drop(c)
		return
	}
	l.reschedule(c)
}

// drop closes a connection.
func (l *loop) drop(c *conn) {
	if c.fd < 0 {
		return
	}
	netpoll.Close(c.fd)
	l.forget(c)
	c.release()
}

// forget takes a connection out of the loop.
func (l *loop) forget(c *conn) {
	c.fd = -1
	l.conns[c.slot] = nil
	l.free = append(l.free, c.slot)
	l.held--
}

// detach implements driver.
func (l *loop) detach(c *conn) (net.Conn, error) {
	fd := c.fd
	if err := l.poller.Remove(fd); err != nil {
		return nil, err
	}
	l.forget(c)
	return netpoll.Conn(fd)
}

// local implements driver.
func (l *loop) local(c *conn) netip.AddrPort { return netpoll.LocalAddr(c.fd) }

// schedule looks at a connection's timers, and remembers when to look again.
func (l *loop) schedule(c *conn, now int64) {
	next, drop := c.expire(now)
	if drop {
		l.drop(c)
		return
	}
	c.due = next
	l.wheel.add(timerEntry{c.slot, c.gen}, next)
	l.flushIfWanted(c)
}

// flushIfWanted writes what a timer queued.
func (l *loop) flushIfWanted(c *conn) {
	c.mu.Lock()
	waits := c.out.count > 0 && len(c.writer.frames) == 0
	c.mu.Unlock()
	if waits {
		l.flush(c)
	}
}

// reschedule makes sure that a connection that is to end soon is looked at soon. An entry for a later time
// stays in the wheel, and does nothing then.
func (l *loop) reschedule(c *conn) {
	if c.fd < 0 {
		return
	}
	now := l.server.clock.now()
	soon := int64(0)
	switch p, _ := c.current(); {
	case p == closing || p == ending:
		soon = now + ticks(endTimeout)
	case len(c.writer.frames) > 0:
		soon = now + ticks(l.server.cfg.WriteTimeout)
	}
	if soon != 0 && soon < c.due {
		c.due = soon
		l.wheel.add(timerEntry{c.slot, c.gen}, soon)
	}
}

// look is the wheel's call for an entry.
func (l *loop) look(e timerEntry, now int64) {
	c := l.conns[e.slot]
	if c == nil || c.gen != e.gen {
		return
	}
	if c.due > now {
		l.wheel.add(e, c.due)
		return
	}
	l.schedule(c, now)
}

// attend implements driver.
func (l *loop) attend(c *conn) {
	l.mu.Lock()
	l.posted = append(l.posted, c)
	wake := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if wake {
		l.poller.Wake()
	}
}

// call runs f on the loop's goroutine, and returns when it has run or the loop has ended.
func (l *loop) call(f func()) {
	ran := make(chan struct{})
	l.mu.Lock()
	if l.stopped {
		l.mu.Unlock()
		return
	}
	l.calls = append(l.calls, func() { f(); close(ran) })
	l.asleep = false
	l.mu.Unlock()
	l.poller.Wake()
	select {
	case <-ran:
	case <-l.done:
	}
}

// attendAll does what was posted.
func (l *loop) attendAll() {
	l.mu.Lock()
	posted, calls := l.posted, l.calls
	l.posted, l.calls, l.asleep = nil, nil, false
	l.mu.Unlock()
	for _, c := range posted {
		l.serve(c)
	}
	for _, f := range calls {
		f()
	}
}

// serve does what was asked for a connection.
func (l *loop) serve(c *conn) {
	w := c.wanted()
	if c.fd < 0 {
		return
	}
	if w&wantDrop != 0 {
		l.drop(c)
		return
	}
	if w&wantRead != 0 && c.resume() {
		l.read(c)
	}
	l.flush(c)
}

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
	for _, c := range l.conns {
		if c != nil {
			l.drop(c)
		}
	}
	l.mu.Lock()
	l.stopped = true
	l.posted = nil
	l.mu.Unlock()
	_ = l.poller.Close()
}
