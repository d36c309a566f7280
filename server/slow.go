package server

import (
	"slices"

	"github.com/belleville/belleville/consumers"
)

// takeAtOnce is how many bytes the writer takes of frames that may still be dropped, or one frame.
const takeAtOnce = 16 << 10

// takeSome moves a few frames to the writer, which never gives them back. The others wait here.
func (o *outbox) takeSome(w *writer) {
	n, size := 0, 0
	for n < len(o.frames) && (n == 0 || size+len(o.frames[n]) <= takeAtOnce) {
		size += len(o.frames[n])
		n++
	}
	w.frames = append(w.frames, o.frames[:n]...)
	if n == len(o.frames) {
		o.frames, o.keys = nil, nil
		return
	}
	clear(o.frames[:n])
	o.frames = o.frames[n:]
	if o.keys != nil {
		*o.keys = slices.Delete(*o.keys, 0, n)
	}
}

// admit queues a message's frame as the policy says, where that is not to close. It reports whether the frame was
// taken, and how many others were dropped for it.
func (o *outbox) admit(frame []byte, key string, limits *Config, at clock) (taken bool, dropped int) {
	if o.policy == consumers.KeepLatest && key != "" {
		dropped = o.outdate(key)
	}
	for o.full(len(frame), limits, at) {
		if o.policy == consumers.DropNewest || !o.dropAt(o.first()) {
			return false, dropped
		}
		dropped++
	}
	o.push(frame)
	if o.keys != nil {
		(*o.keys)[len(*o.keys)-1] = key
	}
	return true, dropped
}

// first returns the place of the first frame that may be dropped: the answer to the handshake may not.
func (o *outbox) first() int {
	if o.begun {
		return 0
	}
	return 1
}

// dropAt drops a frame, and reports whether there was one.
func (o *outbox) dropAt(i int) bool {
	if i >= len(o.frames) {
		return false
	}
	o.bytes -= len(o.frames[i])
	o.count--
	if i == 0 {
		o.frames[0] = nil
		o.frames = o.frames[1:]
	} else {
		o.frames = slices.Delete(o.frames, i, i+1)
	}
	if o.keys != nil {
		*o.keys = slices.Delete(*o.keys, i, i+1)
	}
	return true
}

// outdate makes room for the latest of a key where the client is behind: what it has not seen of that key it need not
// see.
func (o *outbox) outdate(key string) (dropped int) {
	if o.keys == nil {
		keys := make([]string, len(o.frames))
		o.keys = &keys
	}
	if !o.stuck {
		return 0
	}
	for i := len(*o.keys) - 1; i >= o.first(); i-- {
		if (*o.keys)[i] == key && o.dropAt(i) {
			dropped++
		}
	}
	return dropped
}

// sendLocked queues a message's frame, whatever it takes: the caller never waits. It reports whether the frame was
// taken and whether the client is too slow.
func (c *conn) sendLocked(frame []byte, key string) (taken, slow bool) {
	limits := c.server.cfg.Load()
	if c.out.policy == consumers.CloseSlow {
		if c.out.full(len(frame), limits, c.server.clock) {
			c.shedLocked()
			return false, true
		}
		c.out.push(frame)
		return true, false
	}
	taken, dropped := c.out.admit(frame, key, limits, c.server.clock)
	if !taken {
		dropped++
	}
	if dropped > 0 {
		c.server.metrics.shed.WithLabelValues(c.out.policy.String()).Add(float64(dropped))
	}
	return taken, false
}
