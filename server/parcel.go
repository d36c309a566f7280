package server

import "github.com/belleville/belleville/consumers"

// parcel takes all that waits for the peer, where that goes into one write, as it mostly does: no writer is needed then.
// It returns those bytes, which are scratch's or those of the one frame, and the phase; whole is false where there is
// more, which was left to flush. It is for the owner, while it is writing nothing.
func (c *conn) parcel(scratch []byte) (data []byte, p phase, whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := &c.out
	switch {
	case o.queue == nil:
		return nil, c.phase, true
	case o.policy != consumers.CloseSlow || o.bytes+len(o.pong) > len(scratch) || len(o.pong) > 0 && !o.begun:
		return nil, c.phase, false
	case len(o.frames) == 1 && len(o.pong) == 0 && len(o.small) == 0:
		data = o.frames[0]
	default:
		data = append(scratch[:0], o.pong...)
		for _, f := range o.frames {
			data = append(data, f...)
		}
	}
	o.begun = o.begun || len(o.frames) > 0
	o.empty()
	o.closeIn(&c.server.traffic)
	return data, c.phase, true
}

// empty forgets what waited, which is being written.
func (q *queue) empty() {
	clear(q.frames)
	q.frames, q.pong, q.keys = q.frames[:0], q.pong[:0], nil
	q.count, q.bytes = 0, 0
}

// unwrap keeps what the peer did not take of a parcel, for a writer.
func (c *conn) unwrap(rest []byte) {
	c.writer = c.server.traffic.writer()
	c.writer.frames = append(c.writer.frames, append([]byte(nil), rest...))
	c.writer.moved = c.server.clock.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.openIn(&c.server.traffic)
	c.out.count++
	c.out.bytes += len(rest)
	c.out.tookAll(false, c.writer.moved)
}
