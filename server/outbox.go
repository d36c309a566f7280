package server

import "github.com/belleville/belleville/consumers"

// outbox is what waits for one peer: frames in their order, shared with other connections where they go to
// many. The connection's lock guards it.
type outbox struct {
	frames [][]byte
	pong   []byte // the answers to the peer's latest pings, which go before the frames
	begun  bool   // the answer to the handshake, which nothing may precede, was taken
	stuck  bool   // the peer took no more when it was last written to
	last   bool   // nothing follows: once all is written, the stream ends
	policy consumers.SlowClient
	keys   *[]string // those of frames, where only the latest of each counts; nil while there is none

	// What waits here and in the writer together.
	count int
	bytes int
}

// burst is how many times as much may wait for a peer that has not been written to yet. Its owner will come to
// that soon; a peer that reads is not to blame for how fast others speak.
const burst = 4

// full reports whether another frame would be too much. A frame that is alone never is.
func (o *outbox) full(size int, limits *Config) bool {
	frames, bytes := limits.QueueFrames, limits.QueueBytes
	if !o.stuck {
		frames, bytes = burst*frames, max(burst*bytes, burst*limits.MaxMessage)
	}
	return o.count > 0 && (o.count >= frames || o.bytes+size > bytes)
}

// push queues a frame.
func (o *outbox) push(frame []byte) {
	o.frames = append(o.frames, frame)
	if o.keys != nil {
		*o.keys = append(*o.keys, "")
	}
	o.count++
	o.bytes += len(frame)
}

// shed throws away what the writer has not taken.
func (o *outbox) shed() {
	for _, f := range o.frames {
		o.bytes -= len(f)
	}
	o.count -= len(o.frames)
	o.frames, o.pong, o.keys = nil, nil, nil
}

// take moves what waits to the writer.
func (o *outbox) take(w *writer) {
	if !o.begun && len(o.frames) > 0 {
		w.frames = append(w.frames, o.frames[0])
		o.frames, o.begun = o.frames[1:], true
	}
	if len(o.pong) > 0 && o.begun {
		o.count++
		o.bytes += len(o.pong)
		w.frames = append(w.frames, o.pong)
		o.pong = nil
	}
	if o.policy != consumers.CloseSlow {
		o.takeSome(w)
		return
	}
	if w.frames == nil {
		w.frames = o.frames
	} else {
		w.frames = append(w.frames, o.frames...)
	}
	o.frames = nil
}

// writer is what a connection's owner is writing.
type writer struct {
	frames  [][]byte
	written int   // of frames[0]
	moved   int64 // when the peer last took something
}

// gather returns the bytes to write next: as many frames as fit into scratch, so that they leave in one
// write, or one large frame as it is.
func (w *writer) gather(scratch []byte) []byte {
	first := w.frames[0][w.written:]
	if len(w.frames) == 1 || len(first) > len(scratch)/2 {
		return first
	}
	dst := append(scratch[:0], first...)
	for _, f := range w.frames[1:] {
		if len(dst)+len(f) > len(scratch) {
			break
		}
		dst = append(dst, f...)
	}
	return dst
}

// advance forgets n bytes that were written, and returns how many frames are done with.
func (w *writer) advance(n int) (done int) {
	n += w.written
	for done < len(w.frames) && n >= len(w.frames[done]) {
		n -= len(w.frames[done])
		w.frames[done] = nil
		done++
	}
	w.frames, w.written = w.frames[done:], n
	if len(w.frames) == 0 {
		w.frames = nil
	}
	return done
}

// flush writes what waits for the peer, on the owner's goroutine. It reports whether all is written; an
// error is write's, and what was not written stays.
func (c *conn) flush(scratch []byte, write func([]byte) (int, error)) (done bool, err error) {
	for {
		if len(c.writer.frames) == 0 && !c.takeFrames() {
			return true, nil
		}
		n, err := write(c.writer.gather(scratch))
		if n > 0 {
			c.writer.moved = c.server.clock.now()
		}
		frames := c.writer.advance(n)
		c.mu.Lock()
		c.out.bytes -= n
		c.out.count -= frames
		c.out.stuck = err != nil
		c.mu.Unlock()
		if err != nil {
			return false, err
		}
	}
}

// takeFrames moves what was queued to the writer, and reports whether there was anything.
func (c *conn) takeFrames() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.take(&c.writer)
	if len(c.writer.frames) == 0 {
		c.writer.frames = nil
		return false
	}
	c.writer.moved = c.server.clock.now()
	return true
}
