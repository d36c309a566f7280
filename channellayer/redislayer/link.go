package redislayer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	errStarting = errors.New("it has not answered yet")
	errDeaf     = errors.New("what the layer sends to itself does not come back")
	errAnswer   = errors.New("its answer is not what was asked for")
)

// link is what a layer knows of one of its hosts: whether it can be relied on.
type link struct {
	// Set at birth, never changed.
	client *client
	logger *slog.Logger
	losses prometheus.Counter
	tried  chan struct{} // closed when the host is ready for the first time, or has failed to be

	// Owned by run's goroutine.
	met bool // whether there ever was a session

	mu      sync.Mutex // guards the fields below
	state   error      // why the host cannot be relied on; nil where it can
	settled bool       // whether tried is closed
}

func newLink(c *client, logger *slog.Logger, losses prometheus.Counter) *link {
	return &link{client: c, logger: logger, losses: losses, tried: make(chan struct{}), state: c.unavailable(errStarting)}
}

// run keeps up a session with the host until ctx is done. The session resets the backoff once it has begun.
func (k *link) run(ctx context.Context, session func(context.Context, *backoff) error) {
	var b backoff
	for {
		err := session(ctx, &b)
		if ctx.Err() != nil {
			return
		}
		k.lost(err)
		k.client.forget(err)
		pause(ctx, b.nextAfter(err))
	}
}

// found takes note of a session that has begun, and reports whether it is the first.
func (k *link) found() (first bool) {
	first = !k.met
	k.met = true
	if !first {
		k.logger.Info("channel layer: host is back", "host", k.client.host.String(), "index", k.client.index)
	}
	return first
}

// lost takes note of a session that ended or did not come about.
func (k *link) lost(err error) {
	if was := k.set(err); was == nil || !k.met && errors.Is(was, errStarting) {
		k.losses.Inc()
		k.logger.Warn("channel layer: host is lost, trying again", "host", k.client.host.String(), "index", k.client.index, "error", err)
	}
}

// ready takes note that all that the layer sent to itself has come back.
func (k *link) ready() { k.set(nil) }

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

// status returns why the host cannot be relied on.
func (k *link) status() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// firstTry waits until every host was tried once, and returns the error of one that refuses.
func firstTry(ctx context.Context, links []*link) error {
	for _, k := range links {
		select {
		case <-k.tried:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, k := range links {
		if refused, ok := errors.AsType[*RefusedError](k.status()); ok {
			return refused
		}
	}
	return nil
}

// allReady returns what is wrong with the first host that cannot be relied on.
func allReady(links []*link) error {
	for _, k := range links {
		if err := k.status(); err != nil {
			return err
		}
	}
	return nil
}

const (
	// canaryType is the type of the events that a layer sends to itself.
	canaryType = "belleville.canary"

	// mostMisses is how many of them may not come back before a host counts as deaf.
	mostMisses = 2
)

// canaries are the events that a layer sends to itself through the lanes of one host.
type canaries struct {
	mu    sync.Mutex // guards the field below
	lanes []canary
}

// canary is what is known of the last one through one lane.
type canary struct {
	number int64
	sent   time.Time // zero once it has come back
	misses int
	came   bool // whether one ever did in this session
}

// reset begins a session.
func (c *canaries) reset(lanes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lanes = make([]canary, lanes)
}

// send numbers the next ones, for each lane. It returns how many of the last ones have not come back, and whether that
// has been so for too long.
func (c *canaries) send() (numbers []int64, missed int, deaf bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for i := range c.lanes {
		lane := &c.lanes[i]
		if !lane.sent.IsZero() {
			missed++
			lane.misses++
			deaf = deaf || lane.misses >= mostMisses
		}
		lane.number++
		lane.sent = now
		numbers = append(numbers, lane.number)
	}
	return numbers, missed, deaf
}

// fifths is how many times in an interval it is asked whether canaries are due.
const fifths = 5

// due reports whether the next ones are to be sent in a fifth of the interval: in the first, and two fifths later each as long
// as one has not come back. So a host that has become deaf is known to be after nine fifths, which is less than two intervals.
func (c *canaries) due(fifth int) bool {
	return fifth == 0 || fifth%2 == 0 && c.waiting()
}

// waiting reports whether one has not come back.
func (c *canaries) waiting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, lane := range c.lanes {
		if !lane.sent.IsZero() {
			return true
		}
	}
	return false
}

// back takes note of one that came back. It returns how long that took, and whether all lanes work; ok is false for one
// that is late or of another session.
func (c *canaries) back(i int, number any) (lag time.Duration, all, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i >= len(c.lanes) {
		return 0, false, false
	}
	lane := &c.lanes[i]
	if lane.sent.IsZero() || number != any(lane.number) {
		return 0, false, false
	}
	lag = time.Since(lane.sent)
	lane.sent, lane.misses, lane.came = time.Time{}, 0, true
	all = true
	for _, other := range c.lanes {
		all = all && other.came
	}
	return lag, all, true
}
