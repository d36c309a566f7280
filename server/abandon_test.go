package server_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/server"
)

// turnstile watches every Instance of an Application, and counts those that are through.
type turnstile struct {
	app   consumers.Application
	opens chan struct{} // what Open waits for

	asked, in, out atomic.Int64
}

func (ts *turnstile) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	ts.asked.Add(1)
	<-ts.opens
	s.User = &djangocompat.User{PK: djangocompat.IntPK(1), IsActive: true}
	instance, err := ts.app.Open(ctx, s)
	if w, ok := instance.(consumers.Watched); ok {
		w.Watch(ts)
		ts.in.Add(1)
	}
	return instance, err
}

// Ended implements consumers.Watch.
func (ts *turnstile) Ended() { ts.out.Add(1) }

func TestWhoWatchesLearnsOfClientsThatNeverBegin(t *testing.T) {
	sockets := func() consumers.Application { return new(house).app() }
	pages := func() consumers.Application {
		return consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	}
	tests := []struct {
		name string
		app  func() consumers.Application
		come func(t *testing.T, s *site)
		gone bool // before Open returns
	}{
		{"gone while the application is asked", sockets, func(t *testing.T, s *site) {
			p := s.raw(t)
			p.say(goodHead)
			p.reset()
		}, true},
		{"a plain request for a WebSocket", sockets, func(t *testing.T, s *site) {
			p := s.raw(t)
			p.say("GET /ws/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
			if r, _ := p.answer(); r.StatusCode != http.StatusUpgradeRequired {
				t.Errorf("status = %d, want 426", r.StatusCode)
			}
		}, false},
		{"a WebSocket for a page", pages, func(t *testing.T, s *site) {
			p := s.raw(t)
			p.say(goodHead)
			if r, _ := p.answer(); r.StatusCode != http.StatusNotFound {
				t.Errorf("status = %d, want 404", r.StatusCode)
			}
		}, false},
		{"more than a user may have", sockets, func(t *testing.T, s *site) {
			first, second := s.raw(t), s.raw(t)
			first.say(goodHead)
			first.answer()
			second.say(goodHead)
			if r, _ := second.answer(); r.StatusCode != http.StatusTooManyRequests {
				t.Errorf("status = %d, want 429", r.StatusCode)
			}
			first.reset()
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ts, reg := &turnstile{app: tt.app(), opens: make(chan struct{})}, newRegistry()
			s := serve(t, ts, server.Config{MaxConnectionsPerUser: 1, Registerer: reg, Logger: quiet()})
			if !tt.gone {
				close(ts.opens)
			}
			tt.come(t, s)
			if tt.gone {
				eventually(t, "it is asked, and the server has noticed", func() bool { return ts.asked.Load() == 1 && reg.value("server_connections") == 0 })
				close(ts.opens)
			}
			eventually(t, "all are through", func() bool {
				return ts.asked.Load() > 0 && ts.in.Load() == ts.asked.Load() && ts.out.Load() == ts.in.Load()
			})
		})
	}
}
