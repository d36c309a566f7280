package server

import (
	"sync"

	"github.com/belleville/belleville/consumers"
	"github.com/gobwas/ws"
)

// outbox is what waits for one peer. The connection's lock guards it.
type outbox struct {
	*queue        // nil while nothing waits
	behind uint32 // the tick since when the outbox is stuck without a break
	stuck  bool   // the peer took no more when it was last written to
	begun  bool   // the answer to the handshake, which nothing may precede, was taken
	last   bool   // nothing follows: once all is written, the stream ends
	policy consumers.SlowClient
}

// queue is frames in their order, shared with other connections where they go to many.
type queue struct {
	frames [][]byte
	pong   []byte    // the answers to the peer's latest pings, which go before the frames
	keys   *[]string // those of frames, where only the latest of each counts; nil while there is none
	small  []byte    // the bytes of small frames that go to this peer alone

	// What waits here and in the writer together.
	count int
	bytes int
}

// traffic is memory for what waits and is being written, which most connections need only for moments.
type traffic struct {
	queues  sync.Pool // of *queue, empty ones
	writers sync.Pool // of *writer, empty ones
}

// keptFrames is how many frames an empty queue or writer has room for at most.
const keptFrames = 64

// queue returns an empty queue.
func (t *traffic) queue() *queue {
	if q, ok := t.queues.Get().(*queue); ok {
		return q
	}
	return new(queue)
}

// writer returns an empty writer.
func (t *traffic) writer() *writer {
	if w, ok := t.writers.Get().(*writer); ok {
		return w
	}
	return new(writer)
}

// putWriter takes a writer back that has written all.
func (t *traffic) putWriter(w *writer) {
	if cap(w.frames) > keptFrames {
		return
	}
	*w = writer{frames: w.frames[:0]}
	t.writers.Put(w)
}

// waiting returns how many frames wait, here and in the writer.
func (o *outbox) waiting() int {
	if o.queue == nil {
		return 0
	}
	return o.count
}

// openIn gives the outbox a queue, of which it may need one soon.
func (o *outbox) openIn(t *traffic) {
	if o.queue == nil {
		o.queue = t.queue()
	}
}

// closeIn gives the queue up if nothing waits.
func (o *outbox) closeIn(t *traffic) {
	q := o.queue
	if q == nil || q.count > 0 || len(q.pong) > 0 {
		return
	}
	o.queue = nil
	if cap(q.frames) > keptFrames {
		return
	}
	*q = queue{frames: q.frames[:0], small: q.small[:0], pong: q.pong[:0]}
	t.queues.Put(q)
}

// burst is how many times as much may wait for a peer that has not been written to yet, or has been behind for no longer
// than grace. Its owner will come to that soon; a peer that reads is not to blame for how fast others speak, nor for how
// little the kernel takes at once.
const burst = 4

// grace is in ticks.
const grace = ticksInSecond / 4

// tookAll notes at a tick whether the peer took all that it was written.
func (o *outbox) tookAll(all bool, now int64) {
	if !all && !o.stuck {
		o.behind = uint32(now)
	}
	o.stuck = !all
}

// full reports whether another frame would be too much. A frame that is alone never is.
func (o *outbox) full(size int, limits *Config, at clock) bool {
	frames, bytes := limits.QueueFrames, limits.QueueBytes
	if !o.stuck || uint32(at.now())-o.behind < grace {
		frames, bytes = burst*frames, max(burst*bytes, burst*limits.MaxMessage)
	}
	return o.count > 0 && (o.count >= frames || o.bytes+size > bytes)
}

// pushLocked queues a frame of the server's own.
func (c *conn) pushLocked(frame []byte) {
	c.out.openIn(&c.server.traffic)
	c.out.push(frame)
}

// push queues a frame; there must be a queue.
func (o *outbox) push(frame []byte) {
	o.frames = append(o.frames, frame)
	if o.keys != nil {
		*o.keys = append(*o.keys, "")
	}
	o.count++
	o.bytes += len(frame)
}

// smallFrames is how many bytes of small frames a queue has room for.
const smallFrames = 512

// build returns the frame of a message that goes to this peer alone. While there is room it costs no allocation.
func (q *queue) build(m consumers.Message) []byte {
	size := ws.MaxHeaderSize + len(m.Data)
	if q.small == nil && size <= smallFrames {
		q.small = make([]byte, 0, smallFrames)
	}
	at := len(q.small)
	if cap(q.small)-at < size {
		return messageFrame(m)
	}
	q.small = appendFrame(q.small, opOf(m.Kind), m.Data)
	return q.small[at:len(q.small):len(q.small)]
}

// shed throws away what the writer has not taken, but for the answer to the handshake.
func (o *outbox) shed() {
	if o.queue == nil {
		return
	}
	kept := min(o.first(), len(o.frames))
	for _, f := range o.frames[kept:] {
		o.bytes -= len(f)
	}
	o.count -= len(o.frames) - kept
	clear(o.frames[kept:])
	o.frames, o.pong, o.keys = o.frames[:kept], nil, nil
}

// take moves what waits to the writer.
func (o *outbox) take(w *writer) {
	if o.queue == nil {
		return
	}
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
	w.frames = append(w.frames, o.frames...)
	clear(o.frames)
	o.frames = o.frames[:0]
}

// writer is what a connection's owner is writing.
type writer struct {
	frames  [][]byte
	done    int   // how many of them are written
	written int   // of the next one
	moved   int64 // when the peer last took something
}

// gather returns the bytes to write next: as many frames as fit into scratch, so that they leave in one
// write, or one large frame as it is.
func (w *writer) gather(scratch []byte) []byte {
	frames := w.frames[w.done:]
	first := frames[0][w.written:]
	if len(frames) == 1 || len(first) > len(scratch)/2 {
		return first
	}
	dst := append(scratch[:0], first...)
	for _, f := range frames[1:] {
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
	for w.done < len(w.frames) && n >= len(w.frames[w.done]) {
		n -= len(w.frames[w.done])
		w.frames[w.done] = nil
		w.done++
		done++
	}
	w.written = n
	if w.through() {
		w.frames, w.done = w.frames[:0], 0
	}
	return done
}

// through reports whether all is written.
func (w *writer) through() bool { return w.done == len(w.frames) }

// flush writes what waits for the peer, on the owner's goroutine. It reports whether all is written; an
// error is write's, and what was not written stays.
func (c *conn) flush(scratch []byte, write func([]byte) (int, error)) (done bool, err error) {
	if c.writer == nil && !c.takeFrames() {
		return true, nil
	}
	for {
		n, err := write(c.writer.gather(scratch))
		if n > 0 {
			c.writer.moved = c.server.clock.now()
		}
		if all := c.wrote(n, err); all || err != nil {
			return all, err
		}
	}
}

// takeFrames moves what was queued to a writer, and reports whether there was anything.
func (c *conn) takeFrames() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.queue == nil {
		return false
	}
	c.writer = c.server.traffic.writer()
	return c.takeMoreLocked()
}

// takeMoreLocked moves what was queued to the writer, and reports whether there was anything. Where there was nothing,
// there is no writer any more.
func (c *conn) takeMoreLocked() bool {
	c.out.take(c.writer)
	if c.writer.through() {
		c.server.traffic.putWriter(c.writer)
		c.writer = nil
		c.out.closeIn(&c.server.traffic)
		return false
	}
	c.writer.moved = c.server.clock.now()
	return true
}

// wrote notes what the peer has taken, and reports whether that is all.
func (c *conn) wrote(n int, err error) (all bool) {
	frames := c.writer.advance(n)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.bytes -= n
	c.out.count -= frames
	c.out.tookAll(err == nil, c.server.clock.now())
	return err == nil && c.writer.through() && !c.takeMoreLocked()
}
