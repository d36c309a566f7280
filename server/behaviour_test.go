package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
	"github.com/coder/websocket"
)

// said goes to a group of chatters.
type said struct {
	Text string `json:"text"`
}

// EventType implements consumers.Event.
func (said) EventType() string { return "said" }

// chatter is a member of the group "all" that tells what it hears.
type chatter struct{}

func (*chatter) Connect(ctx context.Context, c *consumers.Conn) error {
	if err := c.GroupAdd(ctx, "all"); err != nil {
		return err
	}
	return c.Accept()
}

func (*chatter) Receive(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
	switch m.Text() {
	case "panic":
		panic("at the consumer's own")
	case "fail":
		return errors.New("failed")
	case "stop":
		return consumers.ErrStop
	case "close":
		return c.Close(4001, "as asked")
	}
	return c.GroupSend(ctx, "all", said{m.Text()})
}

func (*chatter) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// shown is what all members get.
func shown(e said) (consumers.Message, error) { return consumers.TextMessage(e.Text), nil }

// chatters is their Application, with one frame for all.
func chatters() consumers.Application {
	return consumers.New(func() *chatter { return new(chatter) }, consumers.OnGroup(shown))
}

// hear reads messages until one is want.
func hear(t *testing.T, ws *websocket.Conn, want string) {
	t.Helper()
	for {
		_, got, err := ws.Read(t.Context())
		if err != nil {
			t.Fatalf("Read: %v, want %q", err, want)
		}
		if string(got) == want {
			return
		}
	}
}

// speak writes a text message.
func speak(t *testing.T, ws *websocket.Conn, text string) {
	t.Helper()
	if err := ws.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestAGroupHearsItsMembersInOrder(t *testing.T) {
	onBoth(t, chatters, server.Config{}, func(t *testing.T, s *site) {
		a, b := s.dial(t, "/"), s.dial(t, "/")
		for i := range 80 {
			speak(t, a, fmt.Sprint(i))
		}
		for _, ws := range []*websocket.Conn{a, b} {
			for i := range 80 {
				_, got, err := ws.Read(t.Context())
				if err != nil || string(got) != fmt.Sprint(i) {
					t.Fatalf("message %d = %q, %v", i, got, err)
				}
			}
		}
	})
}

func TestAFailingConsumerHarmsNobodyElse(t *testing.T) {
	tests := []struct {
		say  string
		want websocket.StatusCode
	}{
		{"panic", 1011}, {"fail", 1011}, {"stop", 1000}, {"close", 4001},
	}
	onBoth(t, chatters, server.Config{Logger: quiet()}, func(t *testing.T, s *site) {
		witness := s.dial(t, "/")
		for _, tt := range tests {
			ws := s.dial(t, "/")
			speak(t, ws, tt.say)
			_, _, err := ws.Read(t.Context())
			if got := websocket.CloseStatus(err); got != tt.want {
				t.Errorf("%s: closed with %d (%v), want %d", tt.say, got, err, tt.want)
			}
			speak(t, witness, "still here after "+tt.say)
			hear(t, witness, "still here after "+tt.say)
		}
	})
}

func TestASilentClientIsPingedThenClosed(t *testing.T) {
	cfg := server.Config{PingInterval: 300 * time.Millisecond, PongTimeout: 300 * time.Millisecond}
	onBoth(t, echoes, cfg, func(t *testing.T, s *site) {
		p := s.open(t)
		for range 2 { // a pong keeps the connection
			if first, _ := p.read(); first != fPing {
				t.Fatalf("frame = %#x, want a ping", first)
			}
			p.say(frame(fPong, ""))
		}
		if first, _ := p.read(); first != fPing {
			t.Fatalf("frame = %#x, want a ping", first)
		}
		if _, err := io.ReadAll(p.r); err != nil {
			t.Errorf("after silence: %v, want the end of the stream", err)
		}
	})
}

func TestT23AHeadThatNeverEndsIsCutOff(t *testing.T) {
	cfg := server.Config{HandshakeTimeout: 400 * time.Millisecond}
	onBoth(t, echoes, cfg, func(t *testing.T, s *site) {
		says := []string{"", "GET", "GET / HTTP/1.1\r\nHost: x\r\n"}
		var peers []*peer
		for _, say := range says {
			peers = append(peers, s.raw(t))
			peers[len(peers)-1].say(say)
		}
		for i, say := range says {
			p := peers[i]
			if rest, err := io.ReadAll(p.r); err != nil || len(rest) > 0 {
				t.Errorf("%q: got %d bytes, %v, want the end of the stream", say, len(rest), err)
			}
		}
	})
}

// flooder sends as fast as it can once it is told to.
type flooder struct{ sent *atomic.Int64 }

func (f *flooder) Connect(_ context.Context, c *consumers.Conn) error { return c.Accept() }

func (f *flooder) Receive(_ context.Context, c *consumers.Conn, _ consumers.Message) error {
	block := make([]byte, 16<<10)
	for range 10_000 {
		if err := c.SendBinary(block); err != nil {
			return err
		}
		f.sent.Add(1)
	}
	return nil
}

func (f *flooder) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

func TestT34AClientThatDoesNotReadIsClosed(t *testing.T) {
	var sent atomic.Int64
	app := func() consumers.Application {
		return consumers.New(func() *flooder { return &flooder{&sent} })
	}
	onBoth(t, app, server.Config{QueueBytes: 64 << 10}, func(t *testing.T, s *site) {
		sent.Store(0)
		p := s.open(t)
		p.say(frame(fText, "go"))
		received := int64(0)
		for {
			first, payload, err := p.tryRead()
			if err != nil {
				t.Fatalf("the stream ended without a close frame: %v", err)
			}
			if first == fClose {
				if payload[:2] != closePayload(1013, "") {
					t.Errorf("close payload = %q, want 1013", payload)
				}
				break
			}
			received++
			if received == 1 { // let the queue fill up before reading on
				last := int64(-1)
				eventually(t, "the consumer is stopped", func() bool {
					now := sent.Load()
					defer func() { last = now }()
					return now == last
				})
			}
		}
		if sent.Load() == 10_000 {
			t.Error("the consumer could send everything to a client that did not read")
		}
	})
}

func TestConnectionsAreLimitedInAll(t *testing.T) {
	onBoth(t, echoes, server.Config{MaxConnections: 2}, func(t *testing.T, s *site) {
		a, b := s.open(t), s.open(t)
		p := s.raw(t)
		r, _ := p.answer()
		if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
			t.Errorf("the third got %d, Retry-After %q, want 503 with one", r.StatusCode, r.Header.Get("Retry-After"))
		}
		a.say(frame(fClose, ""))
		a.wantClosed(1005)
		_ = a.Close()
		eventually(t, "a place that was given back", func() bool {
			p := s.raw(t)
			p.say(goodHead)
			r, err := http.ReadResponse(p.r, nil)
			return err == nil && r.StatusCode == 101
		})
		_ = b.Close()
	})
}

// eventually tries until f is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !f() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("in vain: %s", what)
		}
	}
}

func TestConnectionsAreLimitedByAddress(t *testing.T) {
	cfg := server.Config{MaxConnectionsPerAddress: 2, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	onBoth(t, echoes, cfg, func(t *testing.T, s *site) {
		status := func(client string) int {
			p := s.raw(t)
			p.say(with("", "X-Forwarded-For: "+client+"\r\n"))
			r, _ := p.answer()
			return r.StatusCode
		}
		for _, tt := range []struct {
			client string
			want   int
		}{
			{"192.0.2.1", 101},
			{"192.0.2.1", 101},
			{"192.0.2.1", 429},
			{"192.0.2.2", 101},
			{"2001:db8::1", 101},
			{"2001:db8::2", 101},
			{"2001:db8:0:0:1::", 429},
			{"2001:db8:0:1::", 101},
		} {
			if got := status(tt.client); got != tt.want {
				t.Errorf("%s: status = %d, want %d", tt.client, got, tt.want)
			}
		}
	})
}

func TestPlainHTTPIsServedBesideWebSockets(t *testing.T) {
	web := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		scope := consumers.ScopeFrom(r.Context())
		fmt.Fprintf(w, "%s %s %s %s", r.Method, scope.Type, scope.Path, body)
	})
	app := func() consumers.Application {
		return consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
			if s.Type == consumers.TypeHTTP {
				return consumers.Handler(web).Open(ctx, s)
			}
			return echoes().Open(ctx, s)
		})
	}
	onBoth(t, app, server.Config{}, func(t *testing.T, s *site) {
		r, err := http.Post("http://"+s.addr+"/a%20b", "text/plain", strings.NewReader("the body"))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if string(body) != "POST http /a b the body" {
			t.Errorf("body = %q", body)
		}

		// A proxy may keep the connection, and use it for a WebSocket at last.
		p := s.raw(t)
		p.say("GET /x HTTP/1.1\r\nHost: example.com\r\n\r\n" + goodHead + frame(fText, "hi"))
		first, err := http.ReadResponse(p.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, first.Body)
		if r, _ := p.answer(); r.StatusCode != 101 {
			t.Fatalf("status = %d, want 101", r.StatusCode)
		}
		if _, got := p.read(); got != "hi" {
			t.Errorf("message = %q, want hi", got)
		}
	})
}

func TestUnixSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for range 2 { // the second finds the first one's file
		l, err := server.Listen("unix:" + path)
		if err != nil {
			t.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		t.Run("echo", func(t *testing.T) {
			serveOn(t, l, echoes(), server.Config{})
			if _, err := server.Listen("unix:" + path); err == nil {
				t.Error("a socket that is in use was taken")
			}
			c, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			p := &peer{t, c, bufio.NewReader(c)}
			p.say(goodHead + frame(fText, "hi"))
			p.answer()
			if _, got := p.read(); got != "hi" {
				t.Errorf("message = %q, want hi", got)
			}
		})
	}
}

func TestListenRefusesWhatIsNoAddress(t *testing.T) {
	for _, address := range []string{"fd:", "fd:x", "fd:2", "fd:9999", "nonsense", "unix:/nowhere/at/all"} {
		if l, err := server.Listen(address); err == nil {
			_ = l.Close()
			t.Errorf("Listen(%q) succeeded", address)
		}
	}
}
