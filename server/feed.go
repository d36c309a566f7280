package server

import (
	"unicode/utf8"

	"github.com/belleville/belleville/consumers"
	"github.com/gobwas/ws"
)

// maxEarly is how many bytes a client may send before its handshake is answered.
const maxEarly = 64 << 10

// feed takes bytes that the peer sent, on the owner's goroutine. It keeps none of data, and may change it.
// It reports whether the owner should read on.
func (c *conn) feed(data []byte) (more bool) {
	if c.deaf {
		return true // nobody listens any more
	}
	c.hear(c.server.clock.now())
	c.pinged = false
	switch p, _ := c.current(); p {
	case prefacing:
		return c.feedPreface(data)
	case reading:
		return c.feedHead(data)
	case deciding:
		c.keep(data)
		return len(c.in.tail) < maxEarly
	case open, closing:
		return c.feedFrames(data)
	}
	return true
}

// hear notes when the peer was last heard. What is counted by the second begins anew with each.
func (c *conn) hear(now int64) {
	if now/ticksInSecond != c.heard/ticksInSecond {
		c.controls = 0
	}
	if b := c.server.budget(); b.rate > 0 {
		c.tokens = b.refill(c.tokens, now-c.heard)
		if c.tokens == b.full() {
			c.hungry = 0 // it has rested
		}
	}
	c.heard = now
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
	limits := c.server.cfg.Load()
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
		if c.in != nil && p == closing {
			c.in.mute()
		}
		if c.starved && p == open {
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

// frame takes one frame from the beginning of data, or as much of a data frame's payload as has come. It returns
// how much it took, 0 while it needs more.
func (c *conn) frame(data []byte) (used int, _ *frameError) {
	if c.in != nil && c.in.left > 0 {
		return c.more(data)
	}
	h, size, err := parseHeader(data, c.reserved())
	if err != nil || size == 0 {
		return 0, err
	}
	if h.OpCode.IsControl() {
		return c.control(h, data[size:], size)
	}
	limits := c.server.cfg.Load()
	if h.Length > int64(limits.MaxMessage+c.paddingOf(h, limits)-c.assembled()) {
		return 0, errTooLarge
	}
	if c.in != nil {
		if err := c.in.check(h, limits); err != nil {
			return 0, err
		}
	} else if h.OpCode == ws.OpContinuation {
		return 0, errProtocol
	}
	if h.Fin && h.OpCode != ws.OpContinuation && int64(len(data)-size) >= h.Length {
		used = size + int(h.Length)
		return used, c.single(h, data[size:used])
	}
	if c.in == nil {
		c.in = new(incoming)
	}
	if c.in.fragments == 0 {
		c.in.since = c.heard
	}
	c.in.begin(h)
	used, err = c.more(data[size:])
	return size + used, err
}

// reserved returns the reserved bits that may begin a message.
func (c *conn) reserved() byte {
	if c.deflation.Load() != 0 {
		return rsv1
	}
	return 0
}

// single takes a message that came whole and in one frame, as most do.
func (c *conn) single(h ws.Header, payload []byte) *frameError {
	ws.Cipher(payload, h.Mask, 0)
	if h.Rsv != 0 {
		m, err := c.server.deflaters.inflate(kindOf(h.OpCode), payload, c.server.cfg.Load().MaxMessage)
		if err == nil {
			c.deliver(m)
		}
		return err
	}
	m := consumers.Message{Kind: kindOf(h.OpCode)}
	if m.Kind == consumers.Text && !utf8.Valid(payload) {
		return errNotUTF8
	}
	m.Data = append(make([]byte, 0, len(payload)), payload...)
	c.deliver(m)
	return nil
}

// more takes what has come of a data frame's payload.
func (c *conn) more(data []byte) (used int, _ *frameError) {
	used, err := c.in.take(data)
	if err != nil || !c.in.whole() {
		return used, err
	}
	m, err := c.in.message(c.server)
	if err != nil {
		return used, err
	}
	c.deliver(m)
	return used, nil
}

// paddingOf returns by how much a message may be longer on the wire than it is: what cannot be compressed grows by five
// bytes for each block and a few more, RFC 1951 §3.2.4. What is inflated of it is held to the limit.
func (c *conn) paddingOf(h ws.Header, limits *Config) int {
	if h.Rsv != 0 || c.in != nil && c.in.deflated && c.in.fragments > 0 {
		return padding(limits.MaxMessage)
	}
	return 0
}

// padding is what a compressor that does its best adds to so many bytes at most.
func padding(size int) int { return size>>10 + 64 }

// assembled returns how many bytes of an unfinished message there are.
func (c *conn) assembled() int {
	if c.in == nil {
		return 0
	}
	return len(c.in.payload)
}

// deliver hands a message to the consumer.
func (c *conn) deliver(m consumers.Message) {
	c.starved = !c.spend()
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
	c.driver.flow().received(len(m.Data))
	if c.driver.crew().Message(socket, m) {
		c.mu.Lock()
		c.held = false
		c.mu.Unlock()
	}
}

// control takes a control frame, once it is whole. RFC 6455 §5.5.
func (c *conn) control(h ws.Header, data []byte, size int) (used int, _ *frameError) {
	if int64(len(data)) < h.Length {
		return 0, nil
	}
	payload := data[:h.Length]
	ws.Cipher(payload, h.Mask, 0)
	used = size + len(payload)
	if h.OpCode == ws.OpClose {
		code, err := closeCode(payload)
		if err == nil {
			c.peerClosed(code)
		}
		return used, err
	}
	if c.controls++; int(c.controls) > c.server.cfg.Load().MaxControlFrames {
		return used, errControls
	}
	if h.OpCode == ws.OpPing {
		c.pong(payload)
	}
	return used, nil
}
