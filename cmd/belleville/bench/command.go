// Package bench is the command "belleville bench": many WebSocket clients in one process, which measure any server.
//
// Start with [Command]; [Report] is what a run finds out. The clients take what the kernel gives them, a goroutine and
// some kilobytes for each: they are no match for a server on the same machine, whose figures are better measured by
// the CPU time that it takes ("make bench-server").
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Command is the commands behind "belleville bench".
type Command struct {
	Connect   connectCommand   `cmd:"" help:"Open and close connections: handshakes per second, and how long one takes."`
	Idle      idleCommand      `cmd:"" help:"Hold connections, and count those that are lost."`
	Echo      echoCommand      `cmd:"" help:"Send messages that come back: round trips per second, and how long one takes."`
	Broadcast broadcastCommand `cmd:"" help:"Send messages that come to all: deliveries per second, how long one takes, and which are missing."`
}

// Help is shown by --help.
func (*Command) Help() string {
	return `Measures a WebSocket server, this one or another. Ctrl-C ends a run, with the figures so far. Use it on servers that are yours.

Example:

  belleville bench echo --url ws://127.0.0.1:8001/ws/echo/ --clients 1000
  belleville bench broadcast --url wss://example.com/ws/chat/lobby/ --cookie-file cookies.txt --json`
}

// Progress is where a run tells how it goes, on a line that is written over each second. It is nil, or a terminal.
type Progress struct{ io.Writer }

// The bounds of all runs.
const (
	maxClients  = 1_000_000
	maxDuration = 24 * time.Hour
	maxAtOnce   = 10_000
	maxRate     = 10_000_000
	maxSize     = 1 << 20
)

// runFlags bound a run in number and time.
type runFlags struct {
	targetFlags
	AtOnce      int           `default:"64" placeholder:"N" help:"Handshakes that go on at the same time. Default: 64."`
	ConnectRate float64       `placeholder:"N" help:"Connections to begin per second. Default: as many as it takes."`
	Duration    time.Duration `default:"10s" help:"How long to measure, after all have connected. Default: 10s."`
}

// check returns the first mistake in the flags.
func (f *runFlags) check() error {
	switch {
	case f.AtOnce < 1 || f.AtOnce > maxAtOnce:
		return fmt.Errorf("--at-once must be between 1 and %d", maxAtOnce)
	case f.ConnectRate < 0 || f.ConnectRate > maxRate:
		return fmt.Errorf("--connect-rate must be between 0 and %d", maxRate)
	case f.Duration <= 0 || f.Duration > maxDuration:
		return fmt.Errorf("--duration must be between 1ns and %v", maxDuration)
	}
	return f.targetFlags.check()
}

// crowdFlags are those of the runs that hold connections.
type crowdFlags struct {
	runFlags
	Clients     int           `default:"100" placeholder:"N" help:"Connections. Default: 100."`
	ConnectTime time.Duration `default:"5m" help:"How long it may take until all have connected; then it goes on with those that have. Default: 5m."`
}

// check returns the first mistake in the flags.
func (f *crowdFlags) check() error {
	switch {
	case f.Clients < 1 || f.Clients > maxClients:
		return fmt.Errorf("--clients must be between 1 and %d", maxClients)
	case f.ConnectTime <= 0 || f.ConnectTime > maxDuration:
		return fmt.Errorf("--connect-time must be between 1ns and %v", maxDuration)
	}
	return f.runFlags.check()
}

// newCrew makes the crew of a run.
func (f *crowdFlags) newCrew(mode string, p Progress) (*crew, error) {
	t, err := f.target(f.Clients)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	w := &crew{target: t, tally: newTally(mode, p), wanted: f.Clients}
	w.lose = func(*client) { w.tally.lost.Add(1) }
	return w, nil
}

// finish prints a report. A run in which nobody connected is an error.
func (f *runFlags) finish(w io.Writer, r *Report) error {
	show := r.writeText
	if f.JSON {
		show = r.writeJSON
	}
	if err := show(w); err != nil {
		return err
	}
	if r.Clients.Connected > 0 || r.Ended == endInterrupt {
		return nil
	}
	kinds := slices.Sorted(maps.Keys(r.Errors))
	text := "bench: nobody connected: " + strings.Join(kinds, "; ")
	if r.Errors["status 403"] > 0 {
		text += "; does the route let in --cookie or --cookie-file, from --origin?"
	}
	return errors.New(text)
}

// sleepUntil waits, and reports whether ctx was not done before.
func sleepUntil(ctx context.Context, at time.Time) bool {
	d := time.Until(at)
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// pace says when things are to happen so many times per second.
type pace struct {
	began time.Time
	rate  float64 // 0: at once
}

// at is when the thing with this number is to happen, from 0.
func (p pace) at(number int64) time.Time {
	if p.rate <= 0 {
		return p.began
	}
	return p.began.Add(time.Duration(float64(number) / p.rate * float64(time.Second)))
}
