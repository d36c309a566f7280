package server_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
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
