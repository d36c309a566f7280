package server

import (
	"errors"
	"log/slog"
	"net/netip"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/netpoll"
)

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
			l.server.cfg.Load().Logger.Error("cannot accept connections", slog.String("error", err.Error()))
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

// admit makes a connection of a descriptor, here or in another loop, or answers that there are too many.
func (l *loop) admit(fd int, peer netip.AddrPort) {
	t, status := l.server.admitPeer(peer.Addr())
	if status != 0 {
		_, _ = netpoll.Write(fd, tooMany(status))
		netpoll.CloseWrite(fd)
		netpoll.Close(fd)
		l.server.answered(consumers.Response{Status: status, Reason: consumers.ReasonLimit})
		return
	}
	a := arrival{fd, peer, t}
	if other := l.lighter(); other != nil && other.welcome(a) {
		return
	}
	l.held.Add(1)
	l.begin(a)
}

// begin makes a connection, which was counted.
func (l *loop) begin(a arrival) {
	l.crowd.joined(l.server.clock.now())
	c := l.server.newConn(l, a.ticket)
	c.from(a.peer)
	if l.server.announces(a.peer.Addr()) {
		c.phase = prefacing // nobody else knows it yet
	}
	l.enrol(c, a.fd)
}

// enrol gives a connection, which was counted, its place, and watches its descriptor.
func (l *loop) enrol(c *conn, fd int) {
	c.fd = int32(fd)
	l.gens++
	c.gen = l.gens
	if n := len(l.free); n > 0 {
		c.slot, l.free = l.free[n-1], l.free[:n-1]
		l.conns[c.slot] = c
	} else {
		c.slot = uint32(len(l.conns))
		l.conns = append(l.conns, c)
	}
	if err := l.poller.Add(fd, token(c.slot, c.gen)); err != nil {
		l.drop(c)
		return
	}
	l.schedule(c, l.server.clock.now())
}
