// Command benchtable measures the server beside the yardstick and writes the table of docs/performance.md. It is what
// "make bench-server" runs, from the top of the repository.
//
// It runs the benchmarks of package server some times over, so that yardstick and server take turns, and takes the
// medians; then it runs the program itself, with "belleville bench" as its clients.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	rounds         int
	most           time.Duration
	benchtime      time.Duration
	markdown, json string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 9, "how often everything is measured")
	flag.DurationVar(&o.most, "most", 16*time.Minute, "begin no round that would end later than this")
	flag.DurationVar(&o.benchtime, "benchtime", time.Second, "how long those that are compared run in a round, together")
	flag.StringVar(&o.markdown, "markdown", "docs/performance.md", "the file whose table is rewritten; empty: none")
	flag.StringVar(&o.json, "json", "bench-server.json", "where the figures go; empty: nowhere")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench-server:", err)
		os.Exit(1)
	}
}

// figures is all that was found out: what -json writes.
type figures struct {
	Machine machine `json:"machine"`
	Rounds  int     `json:"rounds"`
	Rows    []row   `json:"rows"`
	Program []whole `json:"program"`
}

// run measures and writes.
func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "bench-server")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	began := time.Now()
	fmt.Fprintln(os.Stderr, "building")
	tests, program := filepath.Join(dir, "server.test"), filepath.Join(dir, "belleville")
	if err := build(ctx, tests, program); err != nil {
		return err
	}
	f := figures{Machine: look()}
	var all []results
	for last := time.Duration(0); f.Rounds < o.rounds && time.Since(began)+last < o.most; f.Rounds++ {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", f.Rounds+1, o.rounds)
		f.Machine.Busy = max(f.Machine.Busy, busy(ctx))
		start := time.Now()
		r, err := measure(ctx, tests, o.benchtime)
		if err != nil {
			return err
		}
		all, last = append(all, r), time.Since(start)
	}
	if f.Rows, err = rows(all); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "the program")
	if f.Program, err = measureProgram(ctx, program, dir); err != nil {
		return err
	}
	return errors.Join(f.write(o), gate(f.Rows))
}

// write writes the figures to where they are wanted, and to the standard output.
func (f *figures) write(o options) error {
	table := f.markdown()
	fmt.Print(table)
	if o.json != "" {
		text, err := json.MarshalIndent(f, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.json, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if o.markdown == "" {
		return nil
	}
	old, err := os.ReadFile(o.markdown)
	if err != nil {
		return err
	}
	text, err := replace(string(old), table)
	if err != nil {
		return fmt.Errorf("%s: %w", o.markdown, err)
	}
	return os.WriteFile(o.markdown, []byte(text), 0o644)
}
