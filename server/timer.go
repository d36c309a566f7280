package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/belleville/belleville/consumers"
)

const (
	// closeTimeout is how long a peer may take to answer our close frame.
	closeTimeout = 5 * time.Second
	// endTimeout is how long a peer may take to end its side once we ended ours.
	endTimeout = 2 * time.Second
	// messageTimeout is how long one message may take, in one frame or in many.
	messageTimeout = 30 * time.Second
)

// expire does what is due on a connection, on its owner's goroutine. It returns the tick at which to look
// again, and reports whether the connection is to be closed at once.
func (c *conn) expire(now int64) (next int64, drop bool) {
	c.mu.Lock()
	p, since := c.phase, c.since
	c.mu.Unlock()
	cfg := c.server.cfg.Load()
	switch p {
	case reading, prefacing:
		next = since + ticks(cfg.HandshakeTimeout)
		return next, next <= now
	case deciding:
		next = since + ticks(cfg.HandshakeTimeout)
		if next <= now {
			c.tooLate()
			return now + ticks(endTimeout), false
		}
	case open:
		return c.expireOpen(now, since)
	case closing:
		next = since + ticks(closeTimeout)
		if c.writer != nil { // for a peer that takes nothing there is no more time than when it was open
			next = min(next, c.writer.moved+ticks(cfg.WriteTimeout))
		}
		return next, next <= now
	case ending:
		next = since + ticks(endTimeout)
		return next, next <= now
	}
	return next, false
}

// expireOpen looks after an open WebSocket: silence, a stuck peer, a message that does not end.
func (c *conn) expireOpen(now, since int64) (next int64, drop bool) {
	if c.deaf {
		if next = c.heard + ticks(closeTimeout); next <= now {
			c.parted() // its consumer takes too long
			next = now + ticks(closeTimeout)
		}
		return next, false
	}
	cfg := c.server.cfg.Load()
	if c.starved {
		c.feedStarved(now)
	}
	next = c.heard + ticks(cfg.PingInterval)
	if !c.mayRead() { // it may have spoken: it is us who do not listen
		next = c.notListening(now) + ticks(cfg.PingInterval)
	}
	switch {
	case next <= now && c.pinged:
		next += ticks(cfg.PongTimeout)
		if next <= now {
			c.server.metrics.broken.WithLabelValues("silent").Inc()
			return next, true
		}
	case next <= now && c.ping():
		c.pinged = true
		next = now + ticks(cfg.PongTimeout)
		c.heard = now - ticks(cfg.PingInterval) // it may be late
	case next <= now: // other frames wait, which it cannot answer: soon they are gone, or it is too slow
		next = now + wheelStep
	}
	if end := c.endOfAge(since); end > 0 {
		if end <= now {
			_ = c.Close(cfg.DrainCode, ageReason) // it may have closed by itself
			return now + ticks(closeTimeout), false
		}
		next = min(next, end)
	}
	if c.writer != nil {
		stuck := c.writer.moved + ticks(cfg.WriteTimeout)
		if stuck <= now {
			c.server.metrics.slow.Inc()
			return next, true
		}
		next = min(next, stuck)
	}
	if c.starved {
		next = min(next, now+wheelStep)
	}
	if c.in != nil && !c.in.empty() {
		late := c.in.since + ticks(messageTimeout)
		if late <= now {
			c.fail(&frameError{consumers.ClosePolicyViolation, "message_timeout"})
			return now + ticks(closeTimeout), false
		}
		next = min(next, late)
	}
	return next, false
}

// notListening looks after a connection that is not read from, on its owner's goroutine. It returns the tick from which
// its silence counts.
func (c *conn) notListening(now int64) int64 {
	c.pinged = false
	if c.in != nil {
		c.in.since = now
	}
	if _, ready := c.current(); ready {
		c.hear(now)
		return now
	}
	if now-c.heard >= stuckAfter { // what it was last heard with still waits for its consumer
		c.server.stuck()
	}
	return now
}

// stuckAfter is how long a consumer may take no message before that is told, in ticks.
const stuckAfter = 30 * ticksInSecond

// stuck counts, and logs now and then, that a consumer has not taken what its client says for long. It holds up that
// client alone.
func (s *Server) stuck() {
	s.metrics.failures.WithLabelValues("stuck").Inc()
	now := s.clock.now()
	last := s.stuckAt.Load()
	if last != 0 && now-last < exhaustionInterval || !s.stuckAt.CompareAndSwap(last, max(now, 1)) {
		return
	}
	s.cfg.Load().Logger.Error("a consumer has taken no message for long: its handler waits for something or does not end",
		slog.Duration("for", stuckAfter*time.Millisecond))
}

// ageReason stands in the close frames of WebSockets that were open for as long as they may be.
const ageReason = "maximum age"

// endOfAge returns the tick at which a WebSocket that was opened at a tick has been open for long enough, 0 where there
// is no such. It is within the last tenth of the time that Config.MaxAge gives, and the same whenever it is asked for.
func (c *conn) endOfAge(opened int64) int64 {
	age := ticks(c.server.cfg.Load().MaxAge)
	if age <= 0 {
		return 0
	}
	scattered := uint64(opened)*0x9e3779b97f4a7c15 ^ uint64(c.gen)*0xbf58476d1ce4e5b9 ^ uint64(c.port)*0x94d049bb133111eb
	scattered ^= scattered >> 31
	scattered *= 0xd6e8feb86659fd93
	return opened + age - int64(scattered>>33)%(age/10+1)
}

// tooLate refuses a handshake that the application did not answer in time.
func (c *conn) tooLate() {
	c.mu.Lock()
	socket := c.socket
	c.giveUpLocked(context.DeadlineExceeded)
	c.mu.Unlock()
	if c.Answer(consumers.Response{Status: http.StatusServiceUnavailable, Header: retryAfter(), Reason: consumers.ReasonTimeout}) != nil {
		return // the application answered at this moment
	}
	if socket != nil {
		socket.Disconnect(consumers.CloseAbnormal)
	}
}

// wheelSlots and wheelStep give the wheel's reach: 32 seconds, in steps of an eighth of one. What is due
// later goes around.
const (
	wheelSlots = 256
	wheelStep  = 125
)

// wheel remembers when to look at which connection: 8 bytes for each, and no timer of its own.
type wheel struct {
	slots [wheelSlots][]timerEntry
	at    int64 // the step that was looked at last
}

// timerEntry names a connection that may be gone by the time it is due.
type timerEntry struct{ slot, gen uint32 }

// add remembers e for the tick due, and returns the step at which it will be looked at.
func (w *wheel) add(e timerEntry, due int64) (step int64) {
	step = min(max(due/wheelStep+1, w.at+1), w.at+wheelSlots-1)
	i := step % wheelSlots
	w.slots[i] = append(w.slots[i], e)
	return step
}

// advance calls look for what is due up to now. It may add again.
func (w *wheel) advance(now int64, look func(timerEntry)) {
	for step := now / wheelStep; w.at < step; {
		w.at++
		i := w.at % wheelSlots
		entries := w.slots[i]
		w.slots[i] = nil
		for _, e := range entries {
			look(e)
		}
	}
}
