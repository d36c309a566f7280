package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
)

// serveArgs say what a server in a child process is to be like.
type serveArgs struct {
	Listen    string
	OpenFiles uint64 // a limit; 0: as it is
	// Database and Key make visitors known, where they are given.
	Database, Key string
	// MaxConnections is that of server.Config.
	MaxConnections int
}

// figures are what a server in a child process measures about itself.
type figures struct {
	Goroutines int
	CPU        time.Duration // user and system
	Exhausted  int           // how often it ran out of descriptors
	Held       int           // connections
	Logged     int64         // lines in the log

	// After a collection, which costs some milliseconds, and with a descriptor to spare: weigh's only.
	PSS  int64 // bytes
	Heap int64 // bytes of the heap's spans that are in use
	Live int64 // bytes of what is in them
}

// tally is a log that is only counted.
type tally struct {
	slog.Handler
	lines *atomic.Int64
}

// Enabled implements slog.Handler.
func (tl tally) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (tl tally) Handle(context.Context, slog.Record) error {
	tl.lines.Add(1)
	return nil
}

// newServerRole is a server in a process of its own.
func newServerRole() role {
	reg, log := newRegistry(), tally{slog.DiscardHandler, new(atomic.Int64)}
	return func(verb string, args json.RawMessage) (any, error) {
		switch verb {
		case "serve":
			var a serveArgs
			if err := json.Unmarshal(args, &a); err != nil {
				return nil, err
			}
			return serveInChild(a, reg, log)
		case "look", "weigh":
			f, err := look(reg)
			f.Logged = log.lines.Load()
			if verb == "weigh" && err == nil {
				f.collected()
				f.PSS, err = weigh()
			}
			return f, err
		}
		return nil, errors.New("no such order")
	}
}

// serveInChild serves until the process ends, and returns the address.
func serveInChild(a serveArgs, reg registry, log slog.Handler) (string, error) {
	if a.OpenFiles > 0 {
		limit := syscall.Rlimit{Cur: a.OpenFiles, Max: a.OpenFiles}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return "", fmt.Errorf("limit open files: %w", err)
		}
	}
	app, err := memberApp(a)
	if err != nil {
		return "", err
	}
	l, err := server.Listen(a.Listen)
	if err != nil {
		return "", err
	}
	// A crowd answers no ping, and a slow machine takes its time until all are there.
	cfg := server.Config{PingInterval: time.Hour, MaxConnections: a.MaxConnections, Registerer: reg, Logger: slog.New(log)}
	srv := server.New(app, memlayer.New(memlayer.Config{}), cfg)
	go func() {
		if err := srv.Serve(context.Background(), l); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}()
	return l.Addr().String(), nil
}

// memberApp is a chat without rooms, or one with rooms for known visitors where there is a database.
func memberApp(a serveArgs) (consumers.Application, error) {
	if a.Database == "" {
		return chatters(), nil
	}
	return authenticated(context.Background(), residents(), a.Database, a.Key, nil)
}

// weigh collects garbage, gives memory back, and returns how much is left to the process alone.
func weigh() (pss int64, err error) {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			_, err = fmt.Sscan(rest, &pss)
		}
	}
	return pss << 10, err
}

// collected adds what the heap is like after a collection.
func (f *figures) collected() {
	var heap runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&heap)
	f.Heap, f.Live = int64(heap.HeapInuse), int64(heap.HeapAlloc)
}

// look returns what can be seen without opening anything, at hardly any cost.
func look(reg registry) (figures, error) {
	var f figures
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return f, err
	}
	f.Goroutines = runtime.NumGoroutine()
	f.CPU = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	f.Exhausted = int(reg.value("server_protocol_errors_total", "exhausted"))
	f.Held = int(reg.value("server_connections"))
	return f, nil
}
