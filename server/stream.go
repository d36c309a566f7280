package server

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/belleville/belleville/consumers"
)

// streams is the portable transport: connections that have goroutines of their own. It serves what no raw
// socket is behind, such as TLS, and everything where there is no epoll.
type streams struct {
	// Set at birth, never changed.
	server *Server
	flow   *flow

	mu       sync.Mutex // guards the fields below
	listener net.Listener
	all      map[*stream]struct{}
	greeted  map[net.Conn]struct{} // those in their TLS handshakes
	closed   bool

	running sync.WaitGroup
}

// newStreams returns an empty pool.
func newStreams(s *Server) *streams {
	return &streams{
		server: s, flow: s.metrics.flows.add(), all: make(map[*stream]struct{}), greeted: make(map[net.Conn]struct{}),
	}
}

// adopt takes a listener that others accept from, to close it in time.
func (ss *streams) adopt(l net.Listener) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.listener = l
}

// listen accepts connections, until the listener is closed. What else goes wrong is sent on the result.
func (ss *streams) listen(l net.Listener) <-chan error {
	ss.adopt(l)
	failed := make(chan error, 1)
	ss.running.Go(func() {
		for {
			nc, err := l.Accept()
			switch {
			case err == nil:
				ss.take(nc)
			case errors.Is(err, net.ErrClosed):
				return
			case isTemporary(err):
				ss.server.exhausted(err)
				ss.pause()
			default:
				failed <- err
				return
			}
		}
	})
	return failed
}

// isTemporary reports whether accepting may work again soon, as when descriptors have run out.
func isTemporary(err error) bool {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		_, isSyscall := errors.AsType[*os.SyscallError](e.Err)
		return isSyscall
	}
	return false
}

// pause waits for a moment before accepting again, or until the server stops.
func (ss *streams) pause() {
	t := time.NewTimer(acceptPauseTime)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ss.server.stop:
	}
}

// acceptPauseTime is how long nothing is accepted once descriptors have run out.
const acceptPauseTime = 500 * time.Millisecond

// take begins a connection whose request head has not been read.
func (ss *streams) take(nc net.Conn) {
	t, status := ss.server.admitPeer(addrOf(nc.RemoteAddr()).Addr())
	if status != 0 {
		_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = nc.Write(tooMany(status))
		_ = nc.Close()
		ss.server.answered(consumers.Response{Status: status, Reason: consumers.ReasonLimit})
		return
	}
	if ss.server.cfg.Load().TLS != nil {
		ss.running.Go(func() { ss.greet(nc, t) })
		return
	}
	if st := ss.add(nc, t); st != nil {
		if ss.server.announces(st.c.opening.peer.Addr()) {
			st.c.phase = prefacing // its owner has not begun
		}
		ss.running.Go(st.run)
	}
}

// add makes a stream of a connection, nil where the pool is closed.
func (ss *streams) add(nc net.Conn, t ticket) *stream {
	st := &stream{
		pool: ss, net: nc, wakeups: make(chan struct{}, 1), reads: make(chan []byte), again: make(chan struct{}),
		done: make(chan struct{}),
	}
	st.c = ss.server.newConn(st, t)
	st.c.from(addrOf(nc.RemoteAddr()))
	ss.mu.Lock()
	closed := ss.closed
	if !closed {
		ss.all[st] = struct{}{}
	}
	ss.mu.Unlock()
	if closed {
		_ = nc.Close()
		st.c.release()
		return nil
	}
	return st
}

// remove forgets a stream.
func (ss *streams) remove(st *stream) {
	ss.mu.Lock()
	delete(ss.all, st)
	ss.mu.Unlock()
}

// snapshot returns all streams.
func (ss *streams) snapshot() []*stream {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	all := make([]*stream, 0, len(ss.all))
	for st := range ss.all {
		all = append(all, st)
	}
	return all
}

// each implements pool. What f does here, asking for things, needs no owner.
func (ss *streams) each(f func(*conn)) {
	for _, st := range ss.snapshot() {
		f(st.c)
	}
}

// stopAccepting implements pool.
func (ss *streams) stopAccepting() {
	ss.mu.Lock()
	l := ss.listener
	ss.mu.Unlock()
	if l != nil {
		_ = l.Close()
	}
	ss.cutGreeted()
}

// close implements pool.
func (ss *streams) close() {
	ss.stopAccepting()
	ss.mu.Lock()
	ss.closed = true
	ss.mu.Unlock()
	for _, st := range ss.snapshot() {
		st.c.request(wantDrop)
		_ = st.net.SetDeadline(time.Unix(1, 0)) // its owner may be writing to a peer that does not read
	}
	ss.running.Wait()
}

// stream is one connection with goroutines of its own: an owner, and a reader that hands it what it read.
type stream struct {
	// Set at birth, never changed.
	pool    *streams
	net     net.Conn
	c       *conn
	wakeups chan struct{} // holds one where something is wanted
	reads   chan []byte   // what was read; nil at the end
	again   chan struct{} // the owner is through with it
	done    chan struct{} // closed when the owner ends

	// Owned by the owner.
	detached bool
}

// attend implements driver.
func (st *stream) attend(*conn) {
	select {
	case st.wakeups <- struct{}{}:
	default: // it is awake already
	}
}

// local implements driver.
func (st *stream) local(*conn) netip.AddrPort { return addrOf(st.net.LocalAddr()) }

// addrOf returns a TCP address, or none.
func addrOf(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
