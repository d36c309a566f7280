package server

import (
	"github.com/belleville/belleville/consumers"
	"github.com/gobwas/ws"
)

// maxEarly is how many bytes a client may send before its handshake is answered.
const maxEarly = 64 << 10

// feed takes bytes that the peer sent, on the owner's goroutine. It keeps none of data, and may change it.
// It reports whether the owner should read on.
func (c *conn) feed(data []byte) (more bool) {
	c.heard, c.pinged = c.server.clock.now(), false
	switch p, _ := c.current(); p {
	case reading:
		return c.feedHead(data)
	case deciding:
		c.keep(data)
		return len(c.in.tail) < maxEarly
	case open, closing:
		if !c.deaf {
			return c.feedFrames(data)
		}
	}
	return true // nobody listens any more
}

// keep stores bytes until they can be looked at.
func (c *conn) keep(data []byte) {
	if len(data) == 0 {
		return
	}
	if c.in == nil {
		c.in = &incoming{since: c.heard}
	}
	c.in.tail = append(c.in.tail, data...)
}

// joined returns what was left over together with data. It stays left over until leave says what is.
func (c *conn) joined(data []byte) []byte {
	if c.in == nil || len(c.in.tail) == 0 {
		return data
	}
	c.in.tail = append(c.in.tail, data...)
	return c.in.tail
}

// leave stores what is left of joined's bytes. Where nothing was taken of them they stay where they are, so
// that a frame which comes in many pieces is copied a few times, not once for each piece.
func (c *conn) leave(rest []byte) {
	if c.in != nil {
		if len(c.in.tail) == len(rest) {
			return
		}
		c.in.tail = nil
	}
	c.keep(rest)
}

// feedHead collects the request head. It is looked at only once it is whole.
func (c *conn) feedHead(data []byte) (more bool) {
	limits := &c.server.cfg
	data = c.joined(data)
	n, err := headLen(data, limits.MaxHead)
	if err != nil {
		c.refuse(err)
		return true
	}
	if n == 0 {
		c.leave(data)
		return true
	}
	h, err := parseHead(data[:n], limits.MaxHeaders)
	if err != nil {
		c.refuse(err)
		return true
	}
	if !h.wantsUpgrade() {
		c.leave(data)
		c.server.serveHTTP(c)
		return false
	}
	c.leave(data[n:])
	c.server.handshake(c, h)
	return true
}

// feedFrames takes frames, and hands what is whole to the consumer.
func (c *conn) feedFrames(data []byte) (more bool) {
	data = c.joined(data)
	for {
		p, ready := c.current()
		if p != open && p != closing || c.deaf {
			c.in = nil
			return true
		}
		if !ready && p == open {
			c.leave(data)
			return false
		}
		used, err := c.frame(data)
		if err != nil {
			c.in = nil
			c.fail(err)
			return true
		}
		if used == 0 {
			break
		}
		data = data[used:]
		if c.in != nil && c.in.fragments == 0 {
			c.in.since = c.heard // what is left begins another message
		}
	}
	c.leave(data)
	if c.in != nil && c.in.empty() {
		c.in = nil
	}
	return true
}

// frame takes one frame from the beginning of data and returns its length, 0 while it is not whole.
func (c *conn) frame(data []byte) (used int, _ *frameError) {
	h, size, err := parseHeader(data)
	if err != nil {
		return 0, asFrameError(err)
	}
	if size == 0 {
		return 0, nil
	}
	limits := &c.server.cfg
	if room := int64(limits.MaxMessage - c.assembled()); !h.OpCode.IsControl() && h.Length > room {
		return 0, errTooLarge
	}
	if int64(len(data)-size) < h.Length {
		return 0, nil
	}
	used = size + int(h.Length)
	payload := data[size:used]
	if h.OpCode.IsControl() {
		ws.Cipher(payload, h.Mask, 0)
		return used, asFrameError(c.control(h.OpCode, payload))
	}
	return used, asFrameError(c.data(h, payload))
}

// assembled returns how many bytes of an unfinished message there are.
func (c *conn) assembled() int {
	if c.in == nil {
		return 0
	}
	return len(c.in.payload)
}

// asFrameError returns err as what it always is here.
func asFrameError(err error) *frameError {
	if err == nil {
		return nil
	}
	return err.(*frameError)
}

// data takes a frame that carries a message or a part of one.
func (c *conn) data(h ws.Header, payload []byte) error {
	if c.in == nil {
		c.in = new(incoming)
	}
	if c.in.fragments == 0 {
		c.in.since = c.heard
	}
	m, whole, err := c.in.add(h, payload, &c.server.cfg)
	if err != nil || !whole {
		return err
	}
	c.deliver(m)
	return nil
}

// deliver hands a message to the consumer.
func (c *conn) deliver(m consumers.Message) {
	c.mu.Lock()
	socket := c.socket
	if c.phase != open {
		socket = nil
	}
	c.held = socket != nil // until it has said otherwise
	c.mu.Unlock()
	if socket == nil {
		return
	}
	c.server.metrics.received(len(m.Data))
	if socket.Message(m) {
		c.mu.Lock()
		c.held = false
		c.mu.Unlock()
	}
}

// control takes a control frame. RFC 6455 §5.5.
func (c *conn) control(op ws.OpCode, payload []byte) error {
	switch op {
	case ws.OpPing:
		c.pong(payload)
	case ws.OpClose:
		code, err := closeCode(payload)
		if err != nil {
			return err
		}
		c.peerClosed(code)
	}
	return nil
}
