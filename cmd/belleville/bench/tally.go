package bench

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// tally counts what happens in a run. Everybody adds to it at any time.
type tally struct {
	// Set at birth, never changed.
	mode     string
	progress Progress
	began    time.Time

	opened, lost    atomic.Int64
	sent, received  atomic.Int64
	repeated, other atomic.Int64
	missing         atomic.Int64 // numbers that were left out, of those that others send
	handshakes      histogram
	messages        histogram

	mu     sync.Mutex // guards errors
	errors map[string]int64
}

// newTally begins to count.
func newTally(mode string, p Progress) *tally {
	return &tally{mode: mode, progress: p, began: time.Now(), errors: map[string]int64{}}
}

// fail counts an error.
func (t *tally) fail(f *failure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors[f.kind]++
}

// alive is how many connections there are.
func (t *tally) alive() int64 { return t.opened.Load() - t.lost.Load() }

// steps is how often it is looked whether anybody is left.
const steps = 100 * time.Millisecond

// watch waits until d has passed, or until nothing more can come. It returns why that is.
func (t *tally) watch(ctx context.Context, d time.Duration, nothingMore <-chan struct{}) string {
	tick := time.NewTicker(steps)
	defer tick.Stop()
	over := time.NewTimer(d)
	defer over.Stop()
	for {
		select {
		case <-over.C:
			return endTime
		case <-ctx.Done():
			return endInterrupt
		case <-nothingMore:
			return endLost
		case <-tick.C:
		}
		if t.alive() <= 0 {
			return endLost
		}
	}
}

// tell writes the progress line each second, until the function that it returns is called.
func (t *tally) tell() (stop func()) {
	if t.progress.Writer == nil {
		return func() {}
	}
	done := make(chan struct{})
	var told sync.WaitGroup
	told.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		before := int64(0)
		for {
			select {
			case <-tick.C:
			case <-done:
				fmt.Fprint(t.progress, "\r\x1b[K") // nothing stays of it
				return
			}
			n := t.received.Load()
			t.line(n - before)
			before = n
		}
	})
	return func() { close(done); told.Wait() }
}

// line writes the progress line.
func (t *tally) line(perSecond int64) {
	t.mu.Lock()
	var failed int64
	for _, n := range t.errors {
		failed += n
	}
	t.mu.Unlock()
	shown, n := &t.messages, t.alive()
	if t.mode == "connect" {
		shown, n = &t.handshakes, t.opened.Load()
	}
	text := fmt.Sprintf("%s  %3.0f s  %s connected  %s/s", t.mode, time.Since(t.began).Seconds(), count(n), count(perSecond))
	if shown.n.Load() > 0 {
		text += fmt.Sprintf("  p50 %s  p99 %s ms", short(milliseconds(shown.quantile(0.5))), short(milliseconds(shown.quantile(0.99))))
	}
	if failed > 0 {
		text += fmt.Sprintf("  %s errors", count(failed))
	}
	fmt.Fprintf(t.progress, "\r\x1b[K%s", text)
}

// report makes the report of what was counted.
func (t *tally) report(shown string, wanted int) *Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	return &Report{
		Mode: t.mode, URL: shown, Started: t.began.UTC().Round(time.Millisecond),
		Clients:    Clients{Wanted: wanted, Connected: t.opened.Load(), Lost: t.lost.Load()},
		Handshakes: Handshakes{Count: t.opened.Load(), Latency: t.handshakes.latency()},
		Errors:     maps.Clone(t.errors),
	}
}
