package bench

import (
	"context"
	"io"
	"time"
)

// idleCommand holds connections.
type idleCommand struct{ crowdFlags }

// Help is shown by --help.
func (*idleCommand) Help() string {
	return `Opens --clients connections and holds them for --duration: it answers pings, says nothing else, and counts the connections that are lost. To open as many as this, the limit of open files must allow it (ulimit -n).

Example:

  belleville bench idle --url ws://127.0.0.1:8001/ws/echo/ --clients 10000 --connect-rate 1000 --duration 5m`
}

// Validate is called before Run.
func (f *idleCommand) Validate() error { return f.check() }

// Run implements the command.
func (f *idleCommand) Run(ctx context.Context, stdout io.Writer, p Progress) error {
	w, err := f.newCrew("idle", p)
	if err != nil {
		return err
	}
	w.heard = func(*client, []byte) error {
		w.tally.received.Add(1)
		w.tally.other.Add(1)
		return nil
	}
	stop := w.tally.tell()
	w.open(ctx, &f.crowdFlags)
	began := time.Now()
	why := w.tally.watch(ctx, f.Duration, nil)
	r := w.report(time.Since(began), why)
	w.close()
	stop()
	r.Messages = &Messages{Other: w.tally.other.Load()}
	return f.finish(stdout, r)
}
