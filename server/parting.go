package server

import "github.com/belleville/belleville/consumers"

// peerClosed answers the peer's close frame with its own code, or takes it as the answer to ours.
// RFC 6455 §5.5.1.
func (c *conn) peerClosed(code consumers.CloseCode) { c.part(code) }

// fail ends a connection whose peer broke the protocol.
func (c *conn) fail(err *frameError) {
	c.server.metrics.broken.WithLabelValues(err.why).Inc()
	c.part(err.code)
}

// partEnded ends a connection whose peer has ended its side without a close frame. It reports whether there may be
// something that the peer is still to be told.
func (c *conn) partEnded() (wait bool) {
	c.ended = true
	switch p, _ := c.current(); p {
	case open:
		c.part(consumers.CloseAbnormal)
		return true
	case closing:
		return c.finishWriting()
	}
	return false
}

// finishWriting ends the stream behind what waits, since the peer answers no more. It reports whether anything does.
func (c *conn) finishWriting() (waits bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.last = true
	return c.out.waiting() > 0
}

// part ends a connection with the peer's last word: nothing that comes is looked at any more. What was said before is
// answered first, for which there is as much time as for a closing handshake.
func (c *conn) part(code consumers.CloseCode) {
	if c.deaf {
		return
	}
	c.deaf = true
	c.mu.Lock()
	if c.phase != open {
		c.out.last = true // this was the answer to our close frame
		c.mu.Unlock()
		return
	}
	c.code = code
	socket := c.socket
	c.mu.Unlock()
	socket.Finish(c.parted)
}

// parted is called when all is answered. It may be called from anywhere.
func (c *conn) parted() {
	c.mu.Lock()
	if c.phase == open {
		c.partLocked()
	}
	c.mu.Unlock()
	c.request(wantFlush)
}

// partLocked says goodbye. A peer that ended its side without a close frame gets none.
func (c *conn) partLocked() {
	if c.code != consumers.CloseAbnormal {
		c.pushLocked(closeFrame(c.code, ""))
	}
	c.out.last = true
	c.setPhaseLocked(closing)
}
