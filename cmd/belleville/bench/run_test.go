package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/consumers/builtin"
	"github.com/belleville/belleville/routing"
	"github.com/belleville/belleville/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve serves an echo and a chat on a listener until the test ends.
func serve(t *testing.T, l net.Listener) {
	t.Helper()
	app := routing.URLRouter{
		routing.Path("ws/echo/", builtin.Echo()),
		routing.Path("ws/chat/", builtin.Relay(builtin.RelayConfig{Groups: []string{"all"}, Publish: "chat.message"})),
		routing.Path("ws/closed/", refusing{}),
	}
	srv := server.New(app, memlayer.New(memlayer.Config{}), server.Config{
		DrainTimeout: time.Second, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, server.ErrNotDrained) {
			t.Error(err)
		}
	})
}

// refusing lets nobody in.
type refusing struct{}

// Open implements consumers.Application.
func (refusing) Open(context.Context, *consumers.Scope) (consumers.Instance, error) {
	return nil, consumers.ErrDenied
}

// listening serves on a port and returns the beginning of its URLs.
func listening(t *testing.T) string {
	t.Helper()
	l, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l)
	return "ws://" + l.Addr().String()
}

// runner is a command that can run.
type runner interface {
	Run(ctx context.Context, stdout io.Writer, p Progress) error
	Validate() error
}

// run runs a command, and returns its report as JSON gives it.
func run(ctx context.Context, t *testing.T, f runner) (r Report, err error) {
	t.Helper()
	if err := f.Validate(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = f.Run(ctx, &out, Progress{})
	d := json.NewDecoder(&out)
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	return r, err
}

// inJSON is flags that ask for JSON.
func inJSON(url string) crowdFlags {
	f := flags(url)
	f.JSON = true
	return f
}

// ordinary are the messages' flags without any.
func ordinary() messageFlags { return messageFlags{Size: 128, Template: `{"message": "{}"}`} }

// plausible checks what all latencies have in common.
func plausible(t *testing.T, l Latency) {
	t.Helper()
	if l.P50 <= 0 || l.P50 > l.P90 || l.P90 > l.P99 || l.P99 > l.Max || l.Mean > l.Max {
		t.Errorf("latency %+v", l)
	}
}

func TestConnectStopsAtItsCount(t *testing.T) {
	f := connectCommand{inJSON(listening(t) + "/ws/echo/").runFlags, 50}
	f.AtOnce, f.Duration = 8, time.Minute
	r, err := run(t.Context(), t, &f)
	if err != nil || r.Mode != "connect" || r.Ended != endCount || r.Clients != (Clients{8, 50, 0}) || r.Handshakes.Count != 50 || r.Handshakes.PerSecond <= 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	plausible(t, r.Handshakes.Latency)
}

func TestConnectStopsInTime(t *testing.T) {
	f := connectCommand{runFlags: inJSON(listening(t) + "/ws/echo/").runFlags}
	r, err := run(t.Context(), t, &f)
	if err != nil || r.Ended != endTime || r.Handshakes.Count == 0 || len(r.Errors) != 0 || r.Seconds < 0.3 {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestIdleHolds(t *testing.T) {
	f := idleCommand{inJSON(listening(t) + "/ws/echo/")}
	f.Clients, f.Sources = 200, 3
	r, err := run(t.Context(), t, &f)
	if err != nil || r.Ended != endTime || r.Clients != (Clients{200, 200, 0}) || len(r.Errors) != 0 || *r.Messages != (Messages{}) {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestEchoes(t *testing.T) {
	url := listening(t)
	tests := []struct {
		name, path string
		make       func(*echoCommand)
	}{
		{"the next message when the last one is back", "/ws/echo/", func(*echoCommand) {}},
		{"at a rate", "/ws/echo/", func(f *echoCommand) { f.Rate = 500 }},
		{"longer than a buffer", "/ws/echo/", func(f *echoCommand) { f.Size = 5000 }},
		{"as the route has it", "/ws/chat/", func(f *echoCommand) { f.Clients = 1 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := echoCommand{inJSON(url + tt.path), ordinary()}
			tt.make(&f)
			r, err := run(t.Context(), t, &f)
			if err != nil || r.Clients.Connected != int64(f.Clients) || r.Clients.Lost != 0 || len(r.Errors) != 0 {
				t.Fatalf("got %+v, %v", r, err)
			}
			m := r.Messages
			if m.Sent == 0 || m.Sent != m.Returned || m.PerSecond <= 0 || m.Other != 0 {
				t.Errorf("messages %+v", m)
			}
			if f.Rate > 0 && m.Sent > int64(f.Rate*f.Duration.Seconds()*1.2)+1 {
				t.Errorf("%d messages in %v, at %v/s", m.Sent, f.Duration, f.Rate)
			}
			plausible(t, m.Latency)
		})
	}
}

func TestBroadcasts(t *testing.T) {
	url := listening(t) + "/ws/chat/"
	tests := []struct {
		name string
		make func(*broadcastCommand)
	}{
		{"one sender", func(*broadcastCommand) {}},
		{"several senders, several messages on their way", func(f *broadcastCommand) { f.Senders, f.InFlight = 3, 4 }},
		{"at a rate", func(f *broadcastCommand) { f.Rate = 200 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := broadcastCommand{inJSON(url), ordinary(), 1, 1}
			tt.make(&f)
			r, err := run(t.Context(), t, &f)
			if err != nil || r.Clients != (Clients{10, 10, 0}) || len(r.Errors) != 0 {
				t.Fatalf("got %+v, %v", r, err)
			}
			d := r.Deliveries
			if d.Published == 0 || d.Expected != 10*d.Published || d.Received != d.Expected || d.Lost+d.Repeated+d.Other != 0 || d.PerSecond <= 0 {
				t.Errorf("deliveries %+v", d)
			}
			plausible(t, d.Latency)
		})
	}
}

// lossy is a server on other code than ours, that leaves out each tenth message, repeats each twelfth, and sends each
// client what the first of them says.
type lossy struct {
	ready chan struct{} // closed when all five are there

	mu  sync.Mutex
	all []*websocket.Conn
	n   int
}

// ServeHTTP implements http.Handler.
func (l *lossy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	l.mu.Lock()
	if l.all = append(l.all, c); len(l.all) == 5 {
		close(l.ready)
	}
	l.mu.Unlock()
	<-l.ready
	for {
		_, message, err := c.Read(r.Context())
		if err != nil {
			return
		}
		l.mu.Lock()
		l.n++
		times := 1
		switch {
		case l.n%10 == 0:
			times = 0
		case l.n%12 == 0:
			times = 2
		}
		for range times {
			for _, c := range l.all {
				_ = c.Write(r.Context(), websocket.MessageText, message)
			}
		}
		l.mu.Unlock()
	}
}

func TestBroadcastCountsWhatIsLostAndRepeated(t *testing.T) {
	s := httptest.NewServer(&lossy{ready: make(chan struct{})})
	defer s.Close()
	f := broadcastCommand{inJSON("ws" + strings.TrimPrefix(s.URL, "http")), ordinary(), 1, 1}
	f.Rate, f.Clients, f.Duration = 200, 5, time.Second
	r, err := run(t.Context(), t, &f)
	if err != nil {
		t.Fatal(err)
	}
	// Tenth and twelfth are both at the 60th, which is left out.
	d, n := r.Deliveries, r.Deliveries.Published
	if lost, repeated := 5*(n/10), 5*(n/12-n/60); n < 12 || d.Lost != lost || d.Repeated != repeated || d.Received != 5*n-lost {
		t.Errorf("deliveries %+v, want %d lost and %d repeated", d, lost, repeated)
	}
}

func TestBroadcastCountsWhatOthersSend(t *testing.T) {
	var sent atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		ctx := c.CloseRead(r.Context())
		for number := int64(5); ctx.Err() == nil; number++ { // who comes late has missed nothing
			if number == 7 {
				continue
			}
			sent.Add(1)
			text := fmt.Sprintf(`{"news": "bench:django:2:%d:%d;"}`, number, time.Now().UnixNano())
			if c.Write(ctx, websocket.MessageText, []byte(text)) != nil || c.Write(ctx, websocket.MessageBinary, []byte("x")) != nil {
				return
			}
			if number == 20 {
				<-ctx.Done()
			}
		}
	}))
	defer s.Close()
	f := broadcastCommand{inJSON("ws" + strings.TrimPrefix(s.URL, "http")), ordinary(), 0, 1}
	f.Clients = 3
	r, err := run(t.Context(), t, &f)
	if err != nil {
		t.Fatal(err)
	}
	got := *r.Deliveries
	plausible(t, got.Latency)
	got.Latency, got.PerSecond = Latency{}, 0
	if want := (Deliveries{Expected: 48, Received: 45, Lost: 3, Other: 45}); got != want || sent.Load() != 45 {
		t.Errorf("got %+v, want %+v; sent %d", got, want, sent.Load())
	}
}

func TestLostConnectionsAreCountedByKind(t *testing.T) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) > 6 {
			http.Error(w, "full", http.StatusServiceUnavailable)
			return
		}
		if c, err := websocket.Accept(w, r, nil); err == nil {
			_ = c.Close(4001, "go")
		}
	}))
	defer s.Close()
	f := idleCommand{inJSON("ws" + strings.TrimPrefix(s.URL, "http"))}
	f.Duration = time.Minute
	r, err := run(t.Context(), t, &f)
	want := map[string]int64{"status 503": 4, "closed with 4001": 6}
	if err != nil || r.Ended != endLost || r.Clients != (Clients{10, 6, 6}) || !maps.Equal(r.Errors, want) {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestNobodyConnectedIsAnError(t *testing.T) {
	url := listening(t)
	tests := []struct {
		name, url, want string
	}{
		{"a refusal has a hint", url + "/ws/closed/", "bench: nobody connected: status 403; does the route let in --cookie or --cookie-file, from --origin?"},
		{"no such route", url + "/none/", "bench: nobody connected: status 404"},
		{"nobody listens", "ws://127.0.0.1:1/", "bench: nobody connected: connect: refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := run(t.Context(), t, &idleCommand{inJSON(tt.url)}); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestAnInterruptLeavesTheFiguresSoFar(t *testing.T) {
	url := listening(t)
	crowd := inJSON(url + "/ws/echo/")
	crowd.Duration = time.Hour
	for _, f := range []runner{
		&connectCommand{runFlags: crowd.runFlags}, &idleCommand{crowd}, &echoCommand{crowd, ordinary()}, &broadcastCommand{crowd, ordinary(), 1, 1},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		r, err := run(ctx, t, f)
		if err != nil || r.Ended != endInterrupt || r.Clients.Connected == 0 || len(r.Errors) != 0 {
			t.Errorf("%T: %+v, %v", f, r, err)
		}
	}
}

func TestCookiesAreUsedInTurn(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.Header.Get("Cookie")]++
		mu.Unlock()
		if c, err := websocket.Accept(w, r, nil); err == nil {
			<-c.CloseRead(r.Context()).Done()
		}
	}))
	defer s.Close()
	path := filepath.Join(t.TempDir(), "cookies")
	if err := os.WriteFile(path, []byte("sessionid=a\nsessionid=b; x=y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := idleCommand{inJSON("ws" + strings.TrimPrefix(s.URL, "http"))}
	f.CookieFile = path
	if _, err := run(t.Context(), t, &f); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := map[string]int{"sessionid=a": 5, "sessionid=b; x=y": 5}; !maps.Equal(seen, want) {
		t.Errorf("got %v, want %v", seen, want)
	}
}

func TestAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := server.Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l)
	f := echoCommand{inJSON("ws://example.com/ws/echo/"), ordinary()}
	f.Unix = path
	r, err := run(t.Context(), t, &f)
	if err != nil || r.Messages.Returned == 0 || len(r.Errors) != 0 {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	certificates := s.TLS.Certificates
	s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, tls.NewListener(l, &tls.Config{Certificates: certificates}))
	f := echoCommand{inJSON("wss://" + l.Addr().String() + "/ws/echo/"), ordinary()}
	if _, err := run(t.Context(), t, &f); err == nil || !strings.HasSuffix(err.Error(), "tls: the certificate is not trusted, see --insecure") {
		t.Errorf("a certificate of nobody: %v", err)
	}
	f.Insecure = true
	r, err := run(t.Context(), t, &f)
	if err != nil || r.Messages.Returned == 0 || len(r.Errors) != 0 {
		t.Errorf("got %+v, %v", r, err)
	}
}
