package server_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
)

// refusing is an Application that lets nobody in.
type refusing struct{}

func (refusing) Open(context.Context, *consumers.Scope) (consumers.Instance, error) {
	return nil, consumers.ErrDenied
}

func TestAReloadDropsNobody(t *testing.T) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			l, err := server.Listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			cfg := server.Config{MaxConnections: 50, Logger: quiet()}
			srv := server.New(echoes(), memlayer.New(memlayer.Config{}), cfg)
			s := serveWith(t, srv, tr.wrap(l))
			p := s.open(t)
			answered := func() int {
				q := s.raw(t)
				q.say(goodHead)
				r, _ := q.answer()
				return r.StatusCode
			}

			srv.Reload(refusing{}, cfg)
			if got := answered(); got != http.StatusForbidden {
				t.Errorf("another application: status = %d, want 403", got)
			}
			cfg.MaxConnections, cfg.MaxMessage = 1, 10
			srv.Reload(echoes(), cfg)
			eventually(t, "there is one connection too many", func() bool { return answered() == http.StatusServiceUnavailable })
			p.say(frame(fText, "still here"))
			if _, got := p.read(); got != "still here" {
				t.Errorf("message = %q", got)
			}
			p.say(frame(fText, "more than ten bytes"))
			p.wantClosed(1009)
		})
	}
}

func TestADrainClosesWithTheConfiguredCode(t *testing.T) {
	onBoth(t, echoes, server.Config{DrainCode: 4012}, func(t *testing.T, s *site) {
		p := s.open(t)
		s.cancel()
		if _, got := p.read(); got != closePayload(4012, "server restarts") {
			t.Errorf("the close frame says %q, want 4012", got)
		}
	})
}

func TestAWebSocketIsClosedAtItsAge(t *testing.T) {
	onBoth(t, echoes, server.Config{MaxAge: time.Second, HandshakeTimeout: 200 * time.Millisecond}, func(t *testing.T, s *site) {
		start, p := time.Now(), s.open(t)
		if first, got := p.read(); first != fClose || got != closePayload(1012, "maximum age") {
			t.Errorf("frame %x %q, want a close with 1012", first, got)
		}
		if took := time.Since(start); took < 850*time.Millisecond || took > 5*time.Second {
			t.Errorf("it was closed after %v, want about a second", took)
		}
	})
}

// serveWith is serve with a given server.
func serveWith(t *testing.T, srv *server.Server, l net.Listener) *site {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &site{addr: l.Addr().String(), cancel: cancel, done: make(chan error, 1)}
	go func() { s.done <- srv.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-s.done; err != nil && !errors.Is(err, server.ErrNotDrained) {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}
