package server_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
)

// benchRole makes the roles of a benchmark's children.
func benchRole(name string) (role, error) {
	if name == "crowd" {
		return newCrowd()
	}
	return nil, errors.New("no such role")
}

// networks are where servers listen.
var networks = []string{"tcp", "unix"}

// listen opens a listener for a benchmark.
func listen(b *testing.B, network string) net.Listener {
	b.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = "unix:" + filepath.Join(b.TempDir(), "s")
	}
	l, err := server.Listen(address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	return l
}

// startServer serves in this process until the benchmark ends, so that what this process uses is the server's.
func startServer(b *testing.B, l net.Listener, app consumers.Application) channellayer.Layer {
	b.Helper()
	layer := memlayer.New(memlayer.Config{})
	srv := server.New(app, layer, server.Config{DrainTimeout: time.Millisecond, Logger: quiet()})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, l) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, server.ErrNotDrained) {
			b.Error(err)
		}
	})
	return layer
}

// startCrowd starts a process with clients of a listener.
func startCrowd(b *testing.B, l net.Listener, visitors int) *child {
	b.Helper()
	c := startChild(b, "crowd")
	c.do(b, "aim", crowdAim{Network: l.Addr().Network(), Address: l.Addr().String(), Visitors: visitors}, nil)
	return c
}

// usage is what this process has used so far.
type usage struct {
	at      time.Time
	cpu     time.Duration
	user    time.Duration // of cpu, outside the kernel
	mallocs uint64
	bytes   uint64
}

// used returns what this process has used.
func used(b *testing.B) usage {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	user, system := time.Duration(r.Utime.Nano()), time.Duration(r.Stime.Nano())
	return usage{time.Now(), user + system, user, m.Mallocs, m.TotalAlloc}
}
