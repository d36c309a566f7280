package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/server"
	"github.com/coder/websocket"
)

// with returns a good head in which one line is replaced by others, or to which lines are added.
func with(old, lines string) string {
	if old == "" {
		return strings.TrimSuffix(goodHead, "\r\n") + lines + "\r\n"
	}
	if !strings.Contains(goodHead, old) {
		panic("no such line: " + old)
	}
	return strings.Replace(goodHead, old, lines, 1)
}

func TestT25RequestHeads(t *testing.T) {
	const (
		host    = "Host: example.com\r\n"
		key     = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		version = "Sec-WebSocket-Version: 13\r\n"
		upgrade = "Upgrade: websocket\r\n"
		conn    = "Connection: Upgrade\r\n"
		line    = "GET /ws/ HTTP/1.1\r\n"
	)
	tests := []struct {
		name string
		head string
		want int
	}{
		{"a good one", goodHead, 101},
		{"names in any case", with(upgrade, "uPGRADE: WebSocket\r\n"), 101},
		{"Connection is a list", with(conn, "Connection: keep-alive, Upgrade\r\n"), 101},
		{"Connection comes twice", with(conn, "Connection: keep-alive\r\nConnection: upgrade\r\n"), 101},
		{"Upgrade is a list", with(upgrade, "Upgrade: foo, websocket\r\n"), 101},
		{"a name with an underscore is dropped", with("", "Sec_WebSocket_Key: x\r\n"), 101},
		{"blanks around a value", with(host, "Host: \t example.com \t \r\n"), 101},
		{"Content-Length: 0", with("", "Content-Length: 0\r\n"), 101},
		{"absolute form", with(line, "GET http://example.com/ws/ HTTP/1.1\r\n"), 101},

		{"no Host", with(host, ""), 400},
		{"two Hosts", with(host, host+host), 400},
		{"an empty Host", with(host, "Host:\r\n"), 400},
		{"a Host with a blank", with(host, "Host: a b\r\n"), 400},
		{"absolute form of another host", with(line, "GET http://example.org/ws/ HTTP/1.1\r\n"), 400},
		{"a fragment", with("/ws/", "/ws/#top"), 400},
		{"no Connection", with(conn, ""), 400},
		{"Connection without upgrade", with(conn, "Connection: keep-alive\r\n"), 400},
		{"no key", with(key, ""), 400},
		{"two keys", with(key, key+key), 400},
		{"a key that is too short", with(key, "Sec-WebSocket-Key: dGhl\r\n"), 400},
		{"a key that is no base64", with(key, "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n"), 400},
		{"a key of 17 bytes", with(key, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZXE=\r\n"), 400},
		{"no version", with(version, ""), 426},
		{"version 8", with(version, "Sec-WebSocket-Version: 8\r\n"), 426},
		{"two versions", with(version, version+"Sec-WebSocket-Version: 8\r\n"), 426},
		{"POST", with("GET", "POST"), 405},
		{"HTTP/1.0", with("HTTP/1.1", "HTTP/1.0"), 505},
		{"HTTP/2.0", with("HTTP/1.1", "HTTP/2.0"), 505},
		{"HTTP/1.;", with("HTTP/1.1", "HTTP/1.;"), 400},
		{"a body", with("", "Content-Length: 5\r\n"), 400},
		{"a chunked body", with("", "Transfer-Encoding: chunked\r\n"), 400},
		{"a second Content-Length", with("", "Content-Length: 0\r\nContent-Length: 5\r\n"), 400},
		{"an empty Content-Length", with("", "Content-Length:\r\n"), 400},
		{"Transfer-Encoding: 0", with("", "Transfer-Encoding: 0\r\n"), 400},

		{"a blank before the colon", with(host, "Host : example.com\r\n"), 400},
		{"an empty name", with("", ": x\r\n"), 400},
		{"a folded line", with("", "X-A: b\r\n folded: c\r\n"), 400},
		{"a line without a colon", with("", "hello\r\n"), 400},
		{"a bare line feed", with("", "X-A: b\nX-B: c\r\n"), 400},
		{"a bare carriage return", with("", "X-A: b\rc\r\n"), 400},
		{"NUL in a value", with("", "X-A: b\x00c\r\n"), 400},
		{"a control byte in a value", with("", "X-A: b\x0bc\r\n"), 400},
		{"DEL in a value", with("", "X-A: \x7f\r\n"), 400},
		{"a name that is no token", with("", "X(A): b\r\n"), 400},
		{"two blanks in the request line", with(line, "GET  /ws/ HTTP/1.1\r\n"), 400},
		{"no version in the request line", with(line, "GET /ws/\r\n"), 400},
		{"an empty line first", "\r\n" + goodHead, 400},
		{"no path", with("/ws/", "ws"), 400},
		{"a path beyond ASCII", with("/ws/", "/ws/\xc3\xa4"), 400},
		{"a broken escape in the path", with("/ws/", "/ws/%zz"), 400},
		{"an escape that is no UTF-8", with("/ws/", "/ws/%ff"), 400},
		{"too many fields", with("", repeat("X-A: b\r\n", 100)), 431},
		{"HTTP/1.2", with("HTTP/1.1", "HTTP/1.2"), 505},
		{"HTTP in lower case", with("HTTP/1.1", "http/1.1"), 400},
		{"no HTTP at all", with("HTTP/1.1", "FTP/1.1"), 400},
		{"a version of two digits", with("HTTP/1.1", "HTTP/1.10"), 400},
		{"a blank behind the version", with("HTTP/1.1", "HTTP/1.1 "), 400},
		{"a tab in the request line", with("GET ", "GET\t"), 400},
		{"a blank before the method", with("GET", " GET"), 400},
		{"a method that is no token", with("GET", "G(T"), 400},
		{"a method in lower case", with("GET", "get"), 405},
		{"no method", with("GET ", " "), 400},
		{"a NUL in the path", with("/ws/", "/ws/\x00"), 400},
		{"DEL in the path", with("/ws/", "/ws/\x7f"), 400},
		{"the asterisk form", with("/ws/", "*"), 400},
		{"the authority form", with("/ws/", "example.com:80"), 400},
		{"absolute form without a host", with("/ws/", "http:///ws/"), 400},
		{"absolute form with a user", with("/ws/", "http://example.com@example.org/ws/"), 400},
		{"absolute form with a user, of the same host", with("/ws/", "http://user@example.com/ws/"), 400},
		{"a Host with a user", with(host, "Host: a@example.com\r\n"), 400},
		{"a Host with a path", with(host, "Host: example.com/x\r\n"), 400},
		{"two hosts in a list", with(host, "Host: example.com, example.org\r\n"), 400},
		{"a Host in any case that comes twice", with(host, host+"hOST: example.com\r\n"), 400},
		{"a form feed before a value", with("", "X-A:\x0cb\r\n"), 400},
		{"0x1c in a value", with("", "X-A: b\x1cX-B: c\r\n"), 400},
		{"0x85 is a byte like others", with("", "X-A: b\x85X-B: c\r\n"), 101},
		{"a tab before the colon", with(host, "Host\t: example.com\r\n"), 400},
		{"a line of a blank", with("", " \r\n"), 400},
		{"a fold of the first field", with(line, line+" folded: x\r\n"), 400},
		{"Transfer-Encoding with a control byte", with("", "Transfer-Encoding:\x0bchunked\r\n"), 400},
		{"Transfer-Encoding: identity", with("", "Transfer-Encoding: identity\r\n"), 400},
		{"a signed Content-Length", with("", "Content-Length: +0\r\n"), 400},
		{"a negative Content-Length", with("", "Content-Length: -1\r\n"), 400},
		{"a Content-Length in hex", with("", "Content-Length: 0x0\r\n"), 400},
		{"a list of Content-Lengths", with("", "Content-Length: 0, 0\r\n"), 400},
		{"two equal Content-Lengths", with("", "Content-Length: 0\r\nContent-Length: 0\r\n"), 400},
		{"two Upgrades", with(upgrade, upgrade+upgrade), 101},
		{"an upgrade to something else", with(upgrade, "Upgrade: h2c\r\n"), 426},
		{"a key with a blank in it", with(key, "Sec-WebSocket-Key: dGhlIHNhbXBs ZSBub25jZQ==\r\n"), 400},
		{"a key without padding", with(key, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n"), 400},
		{"version 13 twice", with(version, version+version), 426},
		{"a head that is too large", with("", "X-A: "+repeat("b", 16<<10)+"\r\n"), 431},
		{"a line without an end", "GET /" + repeat("a", 17<<10), 431},
	}
	onBoth(t, echoes, server.Config{}, func(t *testing.T, s *site) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				p := s.raw(t)
				p.say(tt.head)
				r, body := p.answer()
				if r.StatusCode != tt.want {
					t.Errorf("status = %d, want %d", r.StatusCode, tt.want)
				}
				if r.StatusCode != 101 && body != http.StatusText(tt.want)+"\n" {
					t.Errorf("body = %q, want a fixed text", body)
				}
			})
		}
	})
	chaos.Row(t, chaos.Holds(!t.Failed()), "T25", fmt.Sprintf("%d heads, on both transports", len(tests)), fmt.Sprint("failed: ", t.Failed()), "each has its exact status")
}

// decider is a consumer whose Connect is the test's.
type decider struct {
	connect func(context.Context, *consumers.Conn) error
	ended   chan consumers.CloseCode
}

func (d *decider) Connect(ctx context.Context, c *consumers.Conn) error { return d.connect(ctx, c) }

func (d *decider) Receive(context.Context, *consumers.Conn, consumers.Message) error { return nil }

func (d *decider) Disconnect(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
	d.ended <- code
	return nil
}

func TestTheApplicationAnswersTheHandshake(t *testing.T) {
	tests := []struct {
		name    string
		connect func(context.Context, *consumers.Conn) error
		status  int
		header  string // what X-Said is
		body    string
	}{
		{"accept", func(_ context.Context, c *consumers.Conn) error { return c.Accept() }, 101, "", ""},
		{"accept with a header", func(_ context.Context, c *consumers.Conn) error {
			return c.AcceptWith(consumers.Acceptance{Header: http.Header{"X-Said": {"yes"}}})
		}, 101, "yes", ""},
		{"a header cannot break the answer apart", func(_ context.Context, c *consumers.Conn) error {
			return c.AcceptWith(consumers.Acceptance{Header: http.Header{"X-Said": {"a\r\nX-More: b"}}})
		}, 101, "", ""},
		{"no decision refuses", func(context.Context, *consumers.Conn) error { return nil }, 403, "", "Forbidden\n"},
		{"ErrDenied refuses", func(context.Context, *consumers.Conn) error { return consumers.ErrDenied }, 403, "", "Forbidden\n"},
		{"close before accept refuses", func(_ context.Context, c *consumers.Conn) error { return c.Close(4000, "x") }, 403, "", "Forbidden\n"},
		{"a denial has its own answer", func(context.Context, *consumers.Conn) error {
			return &consumers.Denial{Status: 429, Header: http.Header{"X-Said": {"later"}}, Body: []byte("slow down")}
		}, 429, "later", "slow down"},
		{"Deny has its own answer", func(_ context.Context, c *consumers.Conn) error {
			return c.Deny(&consumers.Denial{Status: 401})
		}, 401, "", "Unauthorized\n"},
		{"an error is 500 and tells nothing", func(context.Context, *consumers.Conn) error { return errors.New("secret") }, 500, "", "Internal Server Error\n"},
		{"a panic is 500 and tells nothing", func(context.Context, *consumers.Conn) error { panic("secret") }, 500, "", "Internal Server Error\n"},
		{"no answer in time", func(ctx context.Context, _ *consumers.Conn) error { <-ctx.Done(); return ctx.Err() }, 503, "", "Service Unavailable\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ended := make(chan consumers.CloseCode, 1)
			app := func() consumers.Application {
				return consumers.New(func() *decider { return &decider{tt.connect, ended} })
			}
			cfg := server.Config{HandshakeTimeout: 500 * time.Millisecond, Logger: quiet()}
			onBoth(t, app, cfg, func(t *testing.T, s *site) {
				p := s.raw(t)
				p.say(goodHead)
				r, body := p.answer()
				if r.StatusCode != tt.status || r.Header.Get("X-Said") != tt.header || body != tt.body {
					t.Errorf("answer = %d, %q, %q, want %d, %q, %q", r.StatusCode, r.Header.Get("X-Said"), body, tt.status, tt.header, tt.body)
				}
				_ = p.Close()
				if code := <-ended; code != consumers.CloseAbnormal {
					t.Errorf("Disconnect got %d, want 1006", code)
				}
			})
		})
	}
}

func TestT27ErrorsOfOpenAreAnswered(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want int
	}{
		{"no route", consumers.ErrNoRoute, 404},
		{"denied", consumers.ErrDenied, 403},
		{"a denial", &consumers.Denial{Status: 503}, 503},
		{"any other", errors.New("secret"), 500},
		{"a denial that is none", &consumers.Denial{Status: 200}, 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app := consumers.ApplicationFunc(func(context.Context, *consumers.Scope) (consumers.Instance, error) { return nil, tt.err })
			s := serve(t, app, server.Config{Logger: quiet()})
			p := s.raw(t)
			p.say(goodHead)
			if r, _ := p.answer(); r.StatusCode != tt.want {
				t.Errorf("WebSocket: status = %d, want %d", r.StatusCode, tt.want)
			}
			r, err := http.Get("http://" + s.addr + "/")
			if err != nil {
				t.Fatal(err)
			}
			_ = r.Body.Close()
			if r.StatusCode != tt.want {
				t.Errorf("HTTP: status = %d, want %d", r.StatusCode, tt.want)
			}
		})
	}
}

func TestSubprotocolsAreNegotiated(t *testing.T) {
	app := func() consumers.Application {
		return consumers.New(func() *decider {
			return &decider{func(_ context.Context, c *consumers.Conn) error {
				offers := c.Scope().Subprotocols
				return c.AcceptWith(consumers.Acceptance{Subprotocol: offers[len(offers)-1]})
			}, make(chan consumers.CloseCode, 1)}
		})
	}
	onBoth(t, app, server.Config{}, func(t *testing.T, s *site) {
		ws, _, err := websocket.Dial(t.Context(), "ws://"+s.addr+"/", &websocket.DialOptions{Subprotocols: []string{"chat", "superchat"}})
		if err != nil {
			t.Fatal(err)
		}
		defer ws.CloseNow()
		if got := ws.Subprotocol(); got != "superchat" {
			t.Errorf("Subprotocol = %q, want superchat", got)
		}
	})
}

func TestTheScopeSaysWhoConnectsWhere(t *testing.T) {
	scopes := make(chan consumers.Scope, 1)
	app := func() consumers.Application {
		return consumers.New(func() *decider {
			return &decider{func(_ context.Context, c *consumers.Conn) error {
				scopes <- *c.Scope()
				return nil
			}, make(chan consumers.CloseCode, 1)}
		})
	}
	onBoth(t, app, server.Config{RootPath: "/app"}, func(t *testing.T, s *site) {
		p := s.raw(t)
		p.say(strings.Replace(goodHead, "/ws/", "/a%20b/%C3%A4?x=1&y=%20", 1))
		p.answer()
		got := <-scopes
		if got.Type != "websocket" || got.Scheme != "ws" || got.Method != "GET" || got.RootPath != "/app" {
			t.Errorf("type, scheme, method, root path = %q, %q, %q, %q", got.Type, got.Scheme, got.Method, got.RootPath)
		}
		if got.Path != "/a b/ä" || got.RawPath != "/a%20b/%C3%A4" || got.Query != "x=1&y=%20" {
			t.Errorf("path, raw path, query = %q, %q, %q", got.Path, got.RawPath, got.Query)
		}
		if got.Client.String() != p.LocalAddr().String() || got.Server.String() != p.RemoteAddr().String() {
			t.Errorf("client, server = %v, %v, want %v, %v", got.Client, got.Server, p.LocalAddr(), p.RemoteAddr())
		}
		if got.Header.Get("host") != "example.com" || got.User == nil || got.Session == nil {
			t.Errorf("host = %q, user = %v, session = %v", got.Header.Get("host"), got.User, got.Session)
		}
	})
}
