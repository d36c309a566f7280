package server

import (
	"context"

	"github.com/belleville/belleville/consumers"
)

// newConn begins a connection. Nobody else knows it yet.
func (s *Server) newConn(d driver, t ticket) *conn {
	now := s.clock.now()
	s.metrics.connections.Inc()
	return &conn{
		server: s, driver: d, ticket: t, opening: new(opening), heard: now, since: now, fd: -1, tokens: s.budget().full(),
	}
}

// mayRead reports whether somebody takes what the peer sends next. Until then it stays in the kernel, whose
// buffer then holds the peer back.
func (c *conn) mayRead() bool {
	p, ready := c.current()
	switch p {
	case deciding:
		return c.in == nil || len(c.in.tail) < maxEarly
	case open:
		return ready && !c.starved || c.deaf
	}
	return true
}

// resume looks again at bytes that were left over, once there is somebody to take them. It reports whether
// the owner should read on.
func (c *conn) resume() (more bool) {
	if !c.mayRead() {
		return false
	}
	p, _ := c.current()
	leftOver := c.in != nil && len(c.in.tail) > 0
	if p == open && !c.deaf {
		c.hear(c.server.clock.now()) // silence counts from when we listen
	}
	if p != open && p != closing || c.deaf || !leftOver {
		return true
	}
	return c.feedFrames(nil)
}

// caughtUp looks at what was left over, at the end of the stream. It reports whether that was all that the peer has said;
// else its consumer is to take the rest first, and resume goes on.
func (c *conn) caughtUp() bool {
	if p, _ := c.current(); p != open || c.deaf || c.in == nil || len(c.in.tail) == 0 {
		return true
	}
	return c.feedFrames(nil)
}

// flushed is called when all that waited is written. It reports whether the stream is to be ended now.
func (c *conn) flushed() (end bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != closing || !c.out.last || c.out.waiting() > 0 {
		return false
	}
	c.setPhaseLocked(ending)
	return true
}

// giveUpLocked ends the wait for the application's answer to the handshake.
func (c *conn) giveUpLocked(why error) {
	if c.opening != nil && c.opening.decision != nil {
		c.opening.decision.End(why)
	}
}

// release is the last thing that the owner does with a connection, whose descriptor it has closed.
func (c *conn) release() {
	c.mu.Lock()
	if c.phase == gone {
		c.mu.Unlock()
		return
	}
	c.phase = gone
	c.giveUpLocked(context.Canceled)
	socket, code, opened := c.socket, c.code, c.opened
	c.out = outbox{}
	c.mu.Unlock()
	c.in, c.writer = nil, nil
	c.server.admission.release(&c.ticket)
	c.server.metrics.connections.Dec()
	if code == 0 {
		code = consumers.CloseAbnormal
	}
	if opened {
		c.server.metrics.closed(code)
	}
	if socket != nil {
		c.driver.crew().Disconnect(socket, code)
	}
}
