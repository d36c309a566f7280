package wstest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/wstest"
)

// page is an HTTP consumer whose Handle a test gives.
type page struct {
	handle func(ctx context.Context, c *consumers.HTTPConn, body []byte) error
}

func (p *page) Handle(ctx context.Context, c *consumers.HTTPConn, body []byte) error {
	return p.handle(ctx, c, body)
}

func (p *page) Disconnect(context.Context, *consumers.HTTPConn) error { return nil }

// reports takes what goes wrong.
type reports []error

func (r *reports) Report(err error) { *r = append(*r, err) }

func TestX10RequestReturnsTheWholeResponse(t *testing.T) {
	tests := []struct {
		name       string
		handle     func(ctx context.Context, c *consumers.HTTPConn, body []byte) error
		wantStatus int
		want       string
		wantEnd    error // of the body
		wantReport error
	}{
		{"all parts are joined", func(_ context.Context, c *consumers.HTTPConn, body []byte) error {
			c.SendHeaders(http.StatusCreated, http.Header{"X-A": {"b"}})
			return errors.Join(c.SendBody([]byte("you said ")), c.Finish(body))
		}, 201, "you said hello", nil, nil},
		{"the request is as it was made", func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
			r := c.Request()
			return c.Finish(fmt.Appendf(nil, "%s %s %s %s %s", r.Method, r.URL.Path, r.URL.RawQuery, r.Host, r.Header.Get("X-B")))
		}, 200, "POST /a b/ x=1 site c", nil, nil},
		{"a failure is a 500", func(context.Context, *consumers.HTTPConn, []byte) error { return errSite }, 500, "Internal Server Error\n", nil, errSite},
		{"one half-way breaks the body off", func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
			return errors.Join(c.SendBody([]byte("half")), errSite)
		}, 200, "half", io.ErrUnexpectedEOF, errSite},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var reported reports
			app := consumers.NewHTTP(func() *page { return &page{tt.handle} })
			r := wstest.Request(t.Context(), app, "POST", "/a%20b/?x=1", []byte("hello"), wstest.Config{
				Header: http.Header{"Host": {"site"}, "X-B": {"c"}}, Reporter: &reported,
			})
			got, err := io.ReadAll(r.Body)
			if r.StatusCode != tt.wantStatus || string(got) != tt.want || !errors.Is(err, tt.wantEnd) {
				t.Errorf("got %d %q, error %v; want %d %q, error %v", r.StatusCode, got, err, tt.wantStatus, tt.want, tt.wantEnd)
			}
			if tt.wantReport == nil && len(reported) > 0 || tt.wantReport != nil && (len(reported) != 1 || !errors.Is(reported[0], tt.wantReport)) {
				t.Errorf("reported %v, want %v", reported, tt.wantReport)
			}
		})
	}
}

func TestX10RequestOfWhatRefuses(t *testing.T) {
	refuse := func(err error) consumers.Application {
		return consumers.ApplicationFunc(func(context.Context, *consumers.Scope) (consumers.Instance, error) { return nil, err })
	}
	tests := []struct {
		name       string
		app        consumers.Application
		wantStatus int
		want       string
	}{
		{"no route", refuse(consumers.ErrNoRoute), 404, "Not Found\n"},
		{"a Denial's own answer", refuse(&consumers.Denial{Status: 401, Body: []byte("who?")}), 401, "who?"},
		{"a Denial is never a success", refuse(&consumers.Denial{Status: 204}), 403, "Forbidden\n"},
		{"a WebSocket's application", new(talker).app(), 426, "Upgrade Required\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := wstest.Request(t.Context(), tt.app, "GET", "/", nil, wstest.Config{})
			if got, err := io.ReadAll(r.Body); r.StatusCode != tt.wantStatus || string(got) != tt.want || err != nil {
				t.Errorf("got %d %q, error %v; want %d %q", r.StatusCode, got, err, tt.wantStatus, tt.want)
			}
		})
	}
}

func TestX10AnEventStreamEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := consumers.NewHTTP(func() *page {
			return &page{func(_ context.Context, c *consumers.HTTPConn, _ []byte) error { return c.StartEvents() }}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		r := wstest.Request(ctx, app, "GET", "/", nil, wstest.Config{})
		got, err := io.ReadAll(r.Body)
		if want := ": keep-alive\n\n: keep-alive\n\n"; string(got) != want || err != nil {
			t.Errorf("got %q, error %v; want %q", got, err, want)
		}
	})
}

func TestX10ADrainingServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := consumers.NewHTTP(func() *page {
			return &page{func(_ context.Context, c *consumers.HTTPConn, _ []byte) error { return c.StartEvents() }}
		})
		draining := make(chan struct{})
		close(draining)
		r := wstest.Request(t.Context(), app, "GET", "/", nil, wstest.Config{Draining: draining})
		if got, err := io.ReadAll(r.Body); r.StatusCode != 200 || len(got) > 0 || err != nil {
			t.Errorf("got %d %q, error %v; want a stream that has ended", r.StatusCode, got, err)
		}
	})
}

func TestAPanicOfAnHTTPHandlerIsTheTests(t *testing.T) {
	defer func() {
		if got := recover(); got != "on purpose" {
			t.Errorf("recovered %v", got)
		}
	}()
	app := consumers.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("on purpose") }))
	wstest.Request(t.Context(), app, "GET", "/", nil, wstest.Config{})
}
