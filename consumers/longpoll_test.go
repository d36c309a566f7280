package consumers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
)

// waitInRoom is the Handle of a long poll.
func waitInRoom(ctx context.Context, c *consumers.HTTPConn, _ []byte) error {
	return c.GroupAdd(ctx, "room")
}

// polls are long polls, and the event that finishes each.
var polls = []struct {
	name      string
	page      *page
	handler   *consumers.EventHandler
	eventType string
	want      string
	status    int
	report    error
}{
	{"by a handler of its type", &page{handle: waitInRoom}, consumers.On((*page).onNote), "chat.note", "news", 200, nil},
	{"C4: whatever dots are in it", &page{handle: waitInRoom}, consumers.On((*page).onNote), "chat_note", "news", 200, nil},
	{
		"after headers that Handle has sent",
		&page{handle: func(ctx context.Context, c *consumers.HTTPConn, _ []byte) error {
			c.SendHeaders(http.StatusAccepted, nil)
			return errors.Join(c.Flush(), waitInRoom(ctx, c, nil))
		}, event: func(_ context.Context, c *consumers.HTTPConn, e channellayer.Event) error {
			return c.Finish([]byte(e["text"].(string)))
		}},
		nil, "any.type", "news", 202, nil,
	},
	{"C5: an unknown type fails it", &page{handle: waitInRoom}, consumers.On((*page).onNote), "other", "Internal Server Error\n", 500, consumers.ErrNoHandler},
	{
		"a handler that fails fails it",
		&page{handle: waitInRoom, event: func(context.Context, *consumers.HTTPConn, channellayer.Event) error { return errSite }},
		nil, "x", "Internal Server Error\n", 500, errSite,
	},
	{
		"a handler may deny",
		&page{handle: waitInRoom, event: func(context.Context, *consumers.HTTPConn, channellayer.Event) error {
			return &consumers.Denial{Status: http.StatusGone}
		}},
		nil, "x", "Gone\n", 410, nil,
	},
}

func TestH2ALongPollIsFinishedByAnEvent(t *testing.T) {
	for _, tt := range polls {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				layer, j := newLayer(), new(journal)
				tt.page.disconnect = func(context.Context, *consumers.HTTPConn) error { j.add("disconnect"); return nil }
				var handlers []*consumers.EventHandler
				if tt.handler != nil {
					handlers = append(handlers, tt.handler)
				}
				w := serveHTTP(t, tt.page.app(handlers...), journalLayer{layer, j})
				done := make(chan struct{})
				go func() {
					defer close(done)
					if status, got := w.whole("POST", strings.NewReader("x")); status != tt.status || got != tt.want {
						t.Errorf("got %d %q, want %d %q", status, got, tt.status, tt.want)
					}
				}()
				<-time.After(time.Hour) // it has all the time
				groupSend(t, layer, "room", tt.eventType, "news")
				<-done
				j.shows(t, "add room", "disconnect", "leave")
				w.wantReport(tt.report)
			})
		})
	}
}

func TestEventsOfAnHTTPConsumerAreOneAtATimeAndFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := memlayer.New(memlayer.Config{Expiry: 5 * time.Second, Capacity: 2})
		p := &page{handle: func(ctx context.Context, c *consumers.HTTPConn, _ []byte) error {
			err := c.GroupAdd(ctx, "room")
			<-time.After(10 * time.Second)
			return err
		}}
		p.event = func(_ context.Context, c *consumers.HTTPConn, e channellayer.Event) error {
			if e["text"] == "last" {
				return c.Finish([]byte("last."))
			}
			return c.SendBody([]byte(e["text"].(string) + ", "))
		}
		w := serveHTTP(t, p.app(consumers.On((*page).onNote)), layer)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if _, got := w.whole("GET", nil); got != "fresh, last." {
				t.Errorf("got %q, want what is fresh and was not beyond the capacity", got)
			}
		}()
		synctest.Wait()
		groupSend(t, layer, "room", "x", "stale")
		<-time.After(8 * time.Second)
		groupSend(t, layer, "room", "x", "fresh")
		groupSend(t, layer, "room", "x", "beyond the capacity")
		<-time.After(8 * time.Second)
		if err := layer.GroupSend(t.Context(), "room", channellayer.Event{"type": "chat.note", "text": int64(1)}); err != nil {
			t.Error(err)
		}
		groupSend(t, layer, "room", "x", "last")
		<-done
		var reasons []string
		for _, err := range w.reports() {
			if dropped, ok := errors.AsType[*consumers.EventError](err); ok {
				reasons = append(reasons, dropped.Reason)
			}
		}
		if fmt.Sprint(reasons) != "[expired malformed]" || len(w.reports()) != 2 {
			t.Errorf("reported %v, want one expired and one malformed event", w.reports())
		}
	})
}

func TestFinishAfter(t *testing.T) {
	tests := []struct {
		name       string
		handle     func(ctx context.Context, c *consumers.HTTPConn, body []byte) error
		wantStatus int
		want       string
		wantTime   time.Duration
	}{
		{"without an answer it is the status alone", func(ctx context.Context, c *consumers.HTTPConn, _ []byte) error {
			c.FinishAfter(25*time.Second, http.StatusNoContent)
			return waitInRoom(ctx, c, nil)
		}, 204, "", 25 * time.Second},
		{"what was sent stays", func(ctx context.Context, c *consumers.HTTPConn, _ []byte) error {
			c.FinishAfter(25*time.Second, http.StatusNoContent)
			return errors.Join(c.SendBody([]byte("so far")), waitInRoom(ctx, c, nil))
		}, 200, "so far", 25 * time.Second},
		{"the last call counts", func(ctx context.Context, c *consumers.HTTPConn, _ []byte) error {
			c.FinishAfter(time.Second, http.StatusNoContent)
			c.FinishAfter(time.Minute, http.StatusRequestTimeout)
			return waitInRoom(ctx, c, nil)
		}, 408, "", time.Minute},
		{"an answer comes before", func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
			c.FinishAfter(time.Second, http.StatusNoContent)
			return c.Finish([]byte("here"))
		}, 200, "here", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := serveHTTP(t, (&page{handle: tt.handle}).app(consumers.On((*page).onNote)), newLayer())
				began := time.Now()
				status, got := w.whole("GET", nil)
				if status != tt.wantStatus || got != tt.want || time.Since(began) != tt.wantTime {
					t.Errorf("got %d %q after %v, want %d %q after %v", status, got, time.Since(began), tt.wantStatus, tt.want, tt.wantTime)
				}
				w.wantReport(nil)
			})
		})
	}
}

func TestH6AClientThatLeaves(t *testing.T) {
	for name, handle := range map[string]func(ctx context.Context, c *consumers.HTTPConn, _ []byte) error{
		"while Handle runs":            func(ctx context.Context, _ *consumers.HTTPConn, _ []byte) error { <-ctx.Done(); return ctx.Err() },
		"while an event is waited for": waitInRoom,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := new(journal)
				p := &page{handle: handle, disconnect: func(ctx context.Context, _ *consumers.HTTPConn) error {
					j.add("disconnect, context %v", ctx.Err())
					return nil
				}}
				w := serveHTTP(t, p.app(consumers.On((*page).onNote)), newLayer())
				ctx, leave := context.WithCancel(t.Context())
				go func() {
					synctestWait := time.After(time.Second)
					<-synctestWait
					leave()
				}()
				r, err := http.NewRequestWithContext(ctx, "GET", "http://site/", nil)
				if err != nil {
					t.Fatal(err)
				}
				response, err := w.client.Do(r)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got response %v, error %v", response, err)
				}
				synctest.Wait()
				j.shows(t, "disconnect, context <nil>")
				w.wantReport(nil)
			})
		})
	}
}

func TestALongPollIsToldToComeAgainWhenTheServerDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := serveHTTP(t, (&page{handle: waitInRoom}).app(consumers.On((*page).onNote)), newLayer())
		go func() {
			<-time.After(time.Minute)
			close(w.draining)
		}()
		response := w.do(t.Context(), "GET", nil, nil)
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != 503 || response.Header.Get("Retry-After") == "" {
			t.Errorf("got %d %v, want 503 with Retry-After", response.StatusCode, response.Header)
		}
		w.wantReport(nil)
	})
}
