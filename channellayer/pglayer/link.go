package pglayer

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/belleville/belleville/channellayer/wireformat"
)

// mostMisses is how many events that the layer sends to itself may not come back before it counts as deaf.
const mostMisses = 2

// link is what the layer knows of its connection that listens: whether it can be relied on.
type link struct {
	// Set at birth, never changed.
	metrics *metrics
	logger  *slog.Logger
	tried   chan struct{} // closed when the connection is ready for the first time, or has failed to be

	// Owned by the goroutine that keeps up the connection.
	met bool // whether it ever was ready

	mu       sync.Mutex // guards the fields below
	state    error      // why the connection cannot be relied on; nil where it can
	settled  bool       // whether tried is closed
	number   int64      // of the last canary: an event that the layer sent to itself
	sent     time.Time  // when that was; zero once it has come back
	misses   int
	returned chan struct{} // holds something after a canary came back
}

func newLink(m *metrics, logger *slog.Logger) *link {
	return &link{metrics: m, logger: logger, tried: make(chan struct{}), state: errStarting, returned: make(chan struct{}, 1)}
}

// ready takes note of a connection that works, and reports whether it is the first.
func (k *link) ready() (first bool) {
	first = !k.met
	k.met = true
	if was := k.set(nil); !first || was != nil && !errors.Is(was, errStarting) {
		k.logger.Info("channel layer: Postgres is back")
	}
	return first
}

// lost takes note of a connection that ended or did not come about.
func (k *link) lost(err error) {
	if was := k.set(err); was == nil || errors.Is(was, errStarting) {
		k.metrics.lost.Inc()
		k.logger.Warn("channel layer: Postgres is lost, trying again", "error", err)
	}
}

func (k *link) set(state error) (was error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	was, k.state = k.state, state
	if !k.settled {
		k.settled = true
		close(k.tried)
	}
	return was
}

// status returns why the connection cannot be relied on.
func (k *link) status() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// fresh forgets the canaries of another connection.
func (k *link) fresh() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sent, k.misses = time.Time{}, 0
	select {
	case <-k.returned:
	default:
	}
}

// nextCanary numbers the next one, and reports whether too many have not come back.
func (k *link) nextCanary() (number int64, deaf bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.sent.IsZero() {
		k.metrics.canariesMissed.Inc()
		k.misses++
	}
	k.number++
	k.sent = time.Now()
	return k.number, k.misses >= mostMisses
}

// canaryCame takes note of a canary that came back.
func (k *link) canaryCame(number int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if number != k.number || k.sent.IsZero() {
		return // late, or of another connection
	}
	k.metrics.lag.Set(time.Since(k.sent).Seconds())
	k.sent, k.misses = time.Time{}, 0
	signal(k.returned)
}

// backoff says how long to wait before the next try: not at all at first, then a random time up to a bound that
// doubles, so that many who were cut off together do not come back together.
type backoff struct{ failures int }

func (b *backoff) reset() { b.failures = 0 }

func (b *backoff) next() time.Duration {
	b.failures = min(b.failures+1, 20)
	if b.failures == 1 {
		return 0
	}
	bound := min(50*time.Millisecond<<min(b.failures-2, 10), time.Second)
	return rand.N(bound) + bound/4
}

// pause waits, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// warnings says a thing at most once a minute.
type warnings struct {
	mu   sync.Mutex           // guards the field below
	last map[string]time.Time // by message, of which there are few
}

func (w *warnings) say(logger *slog.Logger, message string, args ...any) {
	if w.due(message) {
		logger.Warn(message, args...)
	}
}

func (w *warnings) due(message string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.last[message]) < time.Minute {
		return false
	}
	if w.last == nil {
		w.last = make(map[string]time.Time)
	}
	w.last[message] = time.Now()
	return true
}

// unread says what to do about a message that was not read, as it happens where two ends differ.
func (w *warnings) unread(logger *slog.Logger, err error) {
	switch {
	case errors.Is(err, wireformat.ErrToken):
		w.say(logger, "channel layer: messages are dropped that none of the keys has encrypted, or that are too old; "+
			"compare symmetric_encryption_keys and the clock with those of the site")
	case errors.Is(err, wireformat.ErrTooLarge):
		w.say(logger, "channel layer: messages are dropped that are too large")
	default:
		w.say(logger, "channel layer: messages are dropped that hold no event; compare symmetric_encryption_keys with those of the site")
	}
}
