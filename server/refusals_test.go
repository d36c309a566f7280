package server_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/routing"
	"github.com/belleville/belleville/server"
)

// record is a log that may be written to and read at the same time.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

// String returns what was written.
func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func TestARefusalSaysWhyToWhoOperatesTheSite(t *testing.T) {
	refusing := func(err error) consumers.Application {
		return consumers.ApplicationFunc(func(context.Context, *consumers.Scope) (consumers.Instance, error) { return nil, err })
	}
	app := authmw.Origins(routing.URLRouter{
		routing.Path("login/", authmw.Require(echoes(), authmw.Authenticated)),
		routing.Path("token/", refusing(&consumers.Denial{Status: 401, Reason: consumers.ReasonToken})),
		routing.Path("sql/", refusing(consumers.ReasonAllowSQL.Deny())),
		routing.Path("consumer/", refusing(consumers.ErrDenied)),
		routing.Path("error/", refusing(errors.New("broken"))),
	}, []string{"https://example.com"})
	tests := []struct {
		reason string
		head   string
		status int
	}{
		{"origin", with("/ws/", "/login/"), 403},
		{"origin", with("", "Origin: https://canary.example\r\n"), 403},
		{"route", "/canary-path/", 404},
		{"login", "/login/", 403},
		{"token", "/token/", 401},
		{"allow_sql", "/sql/", 403},
		{"consumer", "/consumer/", 403},
		{"error", "/error/", 500},
		{"malformed", with("GET", "POST"), 405},
		{"malformed", with("Host: example.com\r\n", ""), 400},
		{"malformed", "nonsense\r\n\r\n", 400},
	}
	reg, log := newRegistry(), new(record)
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := serve(t, app, server.Config{Registerer: reg, Logger: logger})
	for _, tt := range tests {
		head := tt.head
		if strings.HasPrefix(head, "/") {
			head = strings.Replace(with("", "Origin: https://example.com\r\n"), "/ws/", head, 1)
		}
		before := reg.value("server_refusals_total", tt.reason)
		p := s.raw(t)
		p.say(head)
		if r, _ := p.answer(); r.StatusCode != tt.status {
			t.Errorf("%s: status = %d, want %d", tt.reason, r.StatusCode, tt.status)
		}
		if got := reg.value("server_refusals_total", tt.reason) - before; got != 1 {
			t.Errorf("%s was counted %v times, want once", tt.reason, got)
		}
		if !strings.Contains(log.String(), "reason="+tt.reason) {
			t.Errorf("%s is not in the log", tt.reason)
		}
	}
	if strings.Contains(log.String(), "canary") {
		t.Error("something of a client is in the log")
	}
}

func TestARefusalSaysWhatWouldBeRight(t *testing.T) {
	const get = "GET /ws/ HTTP/1.1\r\nHost: example.com\r\n"
	upgrade := http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}}
	final := http.Header{"Upgrade": {"websocket"}, "Connection": {"close", "Upgrade"}}
	tests := []struct {
		name   string
		say    string
		status int
		want   http.Header
		ends   bool // the connection, with the answer
	}{
		{"a version that is not spoken", with("Version: 13", "Version: 8"), 426, http.Header{
			"Upgrade": {"websocket"}, "Connection": {"close, Upgrade"}, "Sec-Websocket-Version": {"13"},
		}, true},
		{"a method that is none of a handshake", with("GET", "POST"), 405, http.Header{"Allow": {"GET"}}, true},
		{"a HEAD, whose answer has no body", with("GET", "HEAD"), 405, http.Header{"Allow": {"GET"}, "Content-Length": {"0"}}, true},
		{"a plain request", get + "\r\n", 426, upgrade, false},
		{"the last plain request", get + "Connection: close\r\n\r\n", 426, final, true},
		{"a plain request with a body", get + "Content-Length: 5\r\n\r\nhello", 426, final, true},
		{"a plain request of HTTP/1.0", "GET /ws/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 426, final, true},
	}
	onBoth(t, echoes, server.Config{}, func(t *testing.T, s *site) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p := s.raw(t)
				p.say(tt.say)
				if !tt.ends {
					p.endWrite()
				}
				text, err := io.ReadAll(p.r)
				if err != nil {
					t.Fatalf("read the answer to its end: %v", err)
				}
				head, body, _ := strings.Cut(string(text), "\r\n\r\n")
				r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head+"\r\n\r\n")), nil)
				if err != nil || r.StatusCode != tt.status {
					t.Fatalf("answer = %v, %v, want %d", r, err, tt.status)
				}
				for name, want := range tt.want {
					if got := fieldLines(head, name); !slices.Equal(got, want) {
						t.Errorf("%s = %q, want %q", name, got, want)
					}
				}
				if want := r.Header.Get("Content-Length"); strconv.Itoa(len(body)) != want {
					t.Errorf("%d bytes follow the head, want %s", len(body), want)
				}
			})
		}
	})
}

// fieldLines returns the values of a field as they stand in a head, which [http.ReadResponse] does not tell of Connection.
func fieldLines(head, name string) (values []string) {
	for line := range strings.SplitSeq(head, "\r\n") {
		if n, v, ok := strings.Cut(line, ": "); ok && strings.EqualFold(n, name) {
			values = append(values, v)
		}
	}
	return values
}
