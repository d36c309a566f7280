package layerbench_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/server"
)

// python is Debian's, which has Debian's Django and channels_redis.
const python = "/usr/bin/python3"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bench is the event that is sent.
type bench struct {
	Text string `json:"text"`
}

func (bench) EventType() string { return "bench" }

// member is a WebSocket in the group that its path names.
type member struct{}

func (member) Connect(ctx context.Context, c *consumers.Conn) error {
	if err := c.GroupAdd(ctx, strings.TrimPrefix(c.Scope().Path, "/")); err != nil {
		return err
	}
	return c.Accept()
}

func (member) Receive(context.Context, *consumers.Conn, consumers.Message) error { return nil }

func (member) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// serve serves WebSockets on a unix socket, whose address it returns, until the test ends.
func serve(t *testing.T, layer channellayer.Layer) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "layerbench") // the test's own folder may have too long a name for a socket
	must(t, err)
	path := filepath.Join(dir, "s")
	listener, err := server.Listen("unix:" + path)
	must(t, err)
	app := consumers.New(func() *member { return new(member) }, consumers.OnGroup(func(e bench) (consumers.Message, error) {
		return consumers.TextMessage(e.Text), nil
	}))
	srv := server.New(app, layer, server.Config{
		DrainTimeout: time.Millisecond, PingInterval: time.Hour, QueueBytes: 16 << 20, QueueFrames: 1 << 20, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, server.ErrNotDrained) {
			t.Error(err)
		}
		must(t, os.RemoveAll(dir))
	})
	return path
}

// took is what it took a sender to send.
type took struct {
	Began, CPU, Wall int64 // nanoseconds; Began since 1970
}

// sender sends messages to a group, as fast as it can.
type sender func(group string, n int) took

// startDjango starts a process of a Django site.
func startDjango(t *testing.T, backend string, config map[string]any) sender {
	t.Helper()
	modules := "import django, channels_redis"
	if backend == "postgres" {
		modules = "import psycopg2, msgpack"
	}
	if err := exec.Command(python, "-c", modules).Run(); err != nil {
		parts.Need(t, "Django", fmt.Errorf("%w: %s for %s (Debian's packages python3-channels-redis and python3-psycopg2)", parts.ErrMissing, modules, python))
	}
	text, err := json.Marshal(config)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), python, "testdata/sender.py", backend, string(text))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	process, err := parts.Start(parts.Account{}, cmd)
	must(t, err)
	t.Cleanup(func() { _ = process.Kill() }) // it may have ended
	orders, answers := json.NewEncoder(stdin), json.NewDecoder(stdout)
	return func(group string, n int) (answer took) {
		t.Helper()
		must(t, orders.Encode([]any{group, n}))
		must(t, answers.Decode(&answer))
		return answer
	}
}

// fromGo is the sender in Belleville's own process.
func fromGo(t *testing.T, layer channellayer.Layer) sender {
	return func(group string, n int) took {
		t.Helper()
		began, cpu := time.Now(), cpuOf(t)
		for range n {
			e := channellayer.Event{"type": "bench", "text": fmt.Sprint(time.Now().UnixNano(), " ", strings.Repeat("x", 100))}
			must(t, layer.GroupSend(t.Context(), group, e))
		}
		return took{began.UnixNano(), int64(cpuOf(t) - cpu), int64(time.Since(began))}
	}
}

// cpuOf returns what this process has used.
func cpuOf(t testing.TB) time.Duration {
	t.Helper()
	var r syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// meter forwards connections, and counts the bytes each way.
type meter struct{ there, back atomic.Int64 }

// startMeter starts a meter before the server that a URL leads to. It returns the URL that leads through it.
func startMeter(t *testing.T, to string) (m *meter, through string) {
	t.Helper()
	u, err := url.Parse(to)
	must(t, err)
	target := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	m = new(meter)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // the test has ended
			}
			go m.forward(conn, target)
		}
	}()
	u.Host = listener.Addr().String()
	return m, u.String()
}

func (m *meter) forward(conn net.Conn, target string) {
	defer conn.Close()
	out, err := net.Dial("tcp", target)
	if err != nil {
		return // which the sender notices
	}
	defer out.Close()
	go func() { _, _ = io.Copy(counted{out, &m.there}, conn) }() // ends with the connection
	_, _ = io.Copy(counted{conn, &m.back}, out)
}

// counted is a writer that counts before it writes.
type counted struct {
	io.Writer
	bytes *atomic.Int64
}

func (c counted) Write(b []byte) (int, error) {
	c.bytes.Add(int64(len(b)))
	return c.Writer.Write(b)
}
