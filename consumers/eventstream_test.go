package consumers_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
)

// stream is a page of server-sent events.
func stream() *page {
	return &page{
		handle: func(ctx context.Context, c *consumers.HTTPConn, _ []byte) error {
			if err := c.GroupAdd(ctx, "room"); err != nil {
				return err
			}
			return c.StartEvents()
		},
		event: func(_ context.Context, c *consumers.HTTPConn, e channellayer.Event) error {
			if e.Type() == "end" {
				return c.Finish(nil)
			}
			return c.SendEvent(consumers.ServerSentEvent{Data: e["text"].(string)})
		},
	}
}

func TestH8AnEventStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer, j := newLayer(), new(journal)
		p := stream()
		p.disconnect = func(context.Context, *consumers.HTTPConn) error { j.add("disconnect"); return nil }
		w := serveHTTP(t, p.app(), layer)
		response := w.do(t.Context(), "GET", nil, nil)
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache", "X-Accel-Buffering": "no",
		} {
			if got := response.Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		line := lines(response)
		groupSend(t, layer, "room", "x", "one")
		for _, want := range []string{"data: one", ""} {
			if got := line(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		began := time.Now()
		for range 3 {
			if got := line() + line(); got != ": keep-alive" {
				t.Errorf("got %q, want a comment", got)
			}
		}
		if got := time.Since(began); got != 45*time.Second {
			t.Errorf("three comments came within %v, want 45s", got)
		}
		groupSend(t, layer, "room", "end", "")
		if got := line(); got != io.EOF.Error() {
			t.Errorf("got %q, want the end", got)
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
		j.shows(t, "disconnect")
		w.wantReport(nil)
	})
}

func TestAnEventStreamEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(w *web, leave context.CancelFunc, body io.Closer)
	}{
		{"when the server drains", func(w *web, _ context.CancelFunc, _ io.Closer) { close(w.draining) }},
		{"when the client goes", func(_ *web, leave context.CancelFunc, _ io.Closer) { leave() }},
		{"when the client closes the response", func(_ *web, _ context.CancelFunc, body io.Closer) { _ = body.Close() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				layer, j := newLayer(), new(journal)
				p := stream()
				p.disconnect = func(context.Context, *consumers.HTTPConn) error { j.add("disconnect"); return nil }
				w := serveHTTP(t, p.app(), layer)
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				response := w.do(ctx, "GET", nil, nil)
				synctest.Wait()
				j.shows(t)
				tt.end(w, leave, response.Body)
				synctest.Wait()
				j.shows(t, "disconnect")
				_ = response.Body.Close() // some rows did before
				w.wantReport(nil)
			})
		})
	}
}

// A stream that is never silent must notice all the same that the server drains.
func TestABusyEventStreamEndsWhenTheServerDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer()
		p := stream()
		p.event = func(ctx context.Context, c *consumers.HTTPConn, e channellayer.Event) error {
			if err := layer.GroupSend(ctx, "room", e); err != nil { // and so on, for ever
				return err
			}
			<-time.After(time.Millisecond)
			return c.SendEvent(consumers.ServerSentEvent{Data: "x"})
		}
		w := serveHTTP(t, p.app(), layer)
		response := w.do(t.Context(), "GET", nil, nil)
		go func() {
			<-time.After(time.Second)
			close(w.draining)
		}()
		if err := layer.GroupSend(t.Context(), "room", channellayer.Event{"type": "x"}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Error(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAClientThatDoesNotReadIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		p := &page{
			handle: func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
				began := time.Now()
				for {
					if err := c.SendBody(make([]byte, 64<<10)); err != nil {
						j.add("%v after %v", err, time.Since(began))
						return err
					}
				}
			},
		}
		w := serveHTTP(t, p.app(), nil)
		response := w.do(t.Context(), "GET", nil, nil)
		<-time.After(time.Minute)
		j.shows(t, consumers.ErrClosed.Error()+" after 30s")
		_ = response.Body.Close()
		w.wantReport(nil)
	})
}

func TestServerSentEvents(t *testing.T) {
	tests := []struct {
		name string
		e    consumers.ServerSentEvent
		want string // "" where it is refused
	}{
		{"data alone", consumers.ServerSentEvent{Data: "x"}, "data: x\n\n"},
		{"all fields", consumers.ServerSentEvent{ID: "7", Type: "chat", Data: "x", Retry: 1500 * time.Millisecond}, "id: 7\nevent: chat\nretry: 1500\ndata: x\n\n"},
		{"several lines, of all kinds", consumers.ServerSentEvent{Data: "a\nb\r\nc\rd"}, "data: a\ndata: b\ndata: c\ndata: d\n\n"},
		{"no data is empty data", consumers.ServerSentEvent{ID: "7"}, "id: 7\ndata: \n\n"},
		{"a line break at the end is kept", consumers.ServerSentEvent{Data: "a\n"}, "data: a\ndata: \n\n"},
		{"a line break in an ID would be another field", consumers.ServerSentEvent{ID: "7\ndata: forged"}, ""},
		{"a line break in a type would be, too", consumers.ServerSentEvent{Type: "a\rdata: forged"}, ""},
		{"a NUL in an ID would make browsers ignore it", consumers.ServerSentEvent{ID: "\x00"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &page{handle: func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
					if err := c.SendEvent(tt.e); (err == nil) != (tt.want != "") {
						t.Errorf("got error %v", err)
					}
					return nil
				}}
				if _, got := serveHTTP(t, p.app(), nil).whole("GET", nil); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestSendEventJSONAndLastEventID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &page{handle: func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
			if err := c.SendEventJSON(consumers.ServerSentEvent{}, func() {}); err == nil {
				t.Error("a function is no JSON")
			}
			return c.SendEventJSON(consumers.ServerSentEvent{ID: c.LastEventID() + "1", Data: "replaced"}, map[string]string{"a": "<\n>"})
		}}
		w := serveHTTP(t, p.app(), nil)
		response := w.do(t.Context(), "GET", nil, http.Header{"Last-Event-Id": {"4"}})
		defer func() { _ = response.Body.Close() }()
		got, err := io.ReadAll(response.Body)
		if want := "id: 41\ndata: {\"a\":\"<\\n>\"}\n\n"; err != nil || string(got) != want {
			t.Errorf("got %q, error %v; want %q", got, err, want)
		}
		if strings.Contains(response.Header.Get("Content-Type"), "event-stream") {
			t.Error("it became a stream by itself")
		}
	})
}
