package worker

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// hands handle the events of one channel.
type hands struct {
	// Set at birth, never changed.
	channel string
	handler Handler
	config  Config
	most    int // how many events are handled at a time
	metrics *channelMetrics

	// Set by Run, before anyone listens.
	working context.Context

	running sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	closed  bool
	busy    int
	waiting []*channellayer.Delivery // at most Config.Backlog; what finds no place stays on the layer
}

// Receive implements channellayer.Receiver. It takes an event for which there is a hand, or a place to wait.
func (h *hands) Receive(d *channellayer.Delivery, _ int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return false
	case h.busy < h.most:
		h.busy++
		h.running.Go(func() { h.work(d) })
		return true
	case len(h.waiting) < h.config.Backlog:
		h.waiting = append(h.waiting, d)
		return true
	}
	return false
}

// close takes no more events. What was taken is handled.
func (h *hands) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
}

// finish takes no more events, and waits until no hand is busy.
func (h *hands) finish() {
	h.close()
	h.running.Wait()
}

// work handles an event, and then those that wait.
func (h *hands) work(d *channellayer.Delivery) {
	for ; d != nil; d = h.next() {
		h.handle(d)
	}
}

// next returns the event that has waited longest, or gives the hand free.
func (h *hands) next() *channellayer.Delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		h.busy--
		return nil
	}
	d := h.waiting[0]
	h.waiting = h.waiting[1:]
	return d
}

// handle handles an event, as often as it takes.
func (h *hands) handle(d *channellayer.Delivery) {
	if d.Expired(time.Now()) {
		h.metrics.expired.Inc()
		return
	}
	wait := h.config.RetryWait
	for try := 0; ; try++ {
		err := h.try(d.Event)
		if h.settled(err, try) {
			return
		}
		h.metrics.retried.Inc()
		again := time.NewTimer(wait)
		select {
		case <-again.C:
		case <-h.working.Done():
			again.Stop()
			h.failed(err)
			return
		}
		wait = min(2*wait, time.Minute)
	}
}

// settled counts how a try ended, and reports whether there is no other.
func (h *hands) settled(err error, try int) bool {
	_, final := errors.AsType[*finalError](err)
	switch {
	case err == nil:
		h.metrics.done.Inc()
	case errors.Is(err, ErrNoHandler):
		h.metrics.unhandled.Inc()
		h.config.Logger.Warn("worker: an event has a type that nobody handles", "channel", h.channel)
	case final || try >= h.config.Retries || h.working.Err() != nil:
		h.failed(err)
	default:
		return false
	}
	return true
}

// failed counts and tells an error that is the end of an event.
func (h *hands) failed(err error) {
	if p, ok := errors.AsType[*PanicError](err); ok {
		h.metrics.panicked.Inc()
		h.config.Logger.Error("worker: a handler panicked", "channel", h.channel, slog.String("stack", string(p.Stack)))
		return
	}
	h.metrics.failed.Inc()
	h.config.Logger.Error("worker: a handler failed", "channel", h.channel, "error", err)
}

// try calls the handler once. Each try has an event of its own, so that a handler may change what it got.
func (h *hands) try(e channellayer.Event) (err error) {
	ctx := h.working
	if h.config.Timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, h.config.Timeout)
		defer cancel()
		ctx = limited
	}
	h.metrics.busy.Inc()
	began := time.Now()
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
		h.metrics.busy.Dec()
		h.metrics.seconds.Observe(time.Since(began).Seconds())
	}()
	return h.handler.Handle(ctx, e.Clone())
}

// A PanicError is what a handler that panicked failed with. The value is not in its text: it may hold what was sent.
type PanicError struct {
	// Value is what was given to panic.
	Value any
	// Stack is the stack of the goroutine.
	Stack []byte
}

// Error implements error.
func (e *PanicError) Error() string { return "worker: a handler panicked" }

// Final makes an error after which an event is not tried again, whatever Config.Retries says: the next try would fail
// like this one.
func Final(err error) error { return &finalError{err} }

type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }
