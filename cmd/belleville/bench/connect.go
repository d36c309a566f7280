package bench

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// connectCommand opens and closes connections.
type connectCommand struct {
	runFlags
	Count int64 `placeholder:"N" help:"Stop after so many connections. Default: --duration alone ends it."`
}

// Help is shown by --help.
func (*connectCommand) Help() string {
	return `Opens a connection, closes it as the protocol says, and begins the next: --at-once of them at the same time. A handshake's time is from the beginning of the connection to the answer.

Example:

  belleville bench connect --url ws://127.0.0.1:8001/ws/echo/ --at-once 64 --duration 30s
  belleville bench connect --url wss://example.com/ws/chat/lobby/ --cookie-file cookies.txt --connect-rate 500`
}

// Validate is called before Run.
func (f *connectCommand) Validate() error {
	if f.Count < 0 {
		return fmt.Errorf("--count must be at least 1")
	}
	return f.check()
}

// Run implements the command.
func (f *connectCommand) Run(ctx context.Context, stdout io.Writer, p Progress) error {
	t, err := f.target(f.AtOnce)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	w := &crew{target: t, tally: newTally("connect", p), wanted: f.AtOnce}
	stop := w.tally.tell()
	began := time.Now()
	inTime, cancel := context.WithCancel(ctx) // without a deadline, which a Dialer would take for its own
	defer time.AfterFunc(f.Duration, cancel).Stop()
	defer cancel()
	var begun atomic.Int64
	var visitors sync.WaitGroup
	for range f.AtOnce {
		visitors.Go(func() { f.visit(inTime, w, &begun) })
	}
	visitors.Wait()
	w.opening = time.Since(began)
	stop()
	why := endTime
	switch {
	case ctx.Err() != nil:
		why = endInterrupt
	case inTime.Err() == nil:
		why = endCount
	}
	return f.finish(stdout, w.report(w.opening, why))
}

// afterFailure is how long the next attempt waits, so that a server which refuses is not worn out.
const afterFailure = 50 * time.Millisecond

// visit opens and closes connections, one after the other.
func (f *connectCommand) visit(ctx context.Context, w *crew, begun *atomic.Int64) {
	p := pace{w.tally.began, f.ConnectRate}
	for {
		n := begun.Add(1)
		if f.Count > 0 && n > f.Count || !sleepUntil(ctx, p.at(n-1)) {
			return
		}
		began := time.Now()
		c, err := w.target.open(ctx, int(n-1))
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			w.tally.fail(readFailure(err, "handshake"))
			_ = sleepUntil(ctx, time.Now().Add(afterFailure))
			continue
		}
		w.tally.handshakes.record(time.Since(began))
		w.tally.opened.Add(1)
		w.tally.received.Add(1) // for the progress line
		if err := c.leave(); err != nil {
			w.tally.lost.Add(1)
			w.tally.fail(readFailure(err, "goodbye"))
		}
	}
}
