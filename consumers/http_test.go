package consumers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
)

// page is an HTTP consumer whose methods a test gives.
type page struct {
	handle     func(ctx context.Context, c *consumers.HTTPConn, body []byte) error
	disconnect func(ctx context.Context, c *consumers.HTTPConn) error
	event      func(ctx context.Context, c *consumers.HTTPConn, e channellayer.Event) error
}

func (p *page) Handle(ctx context.Context, c *consumers.HTTPConn, body []byte) error {
	if p.handle == nil {
		return nil
	}
	return p.handle(ctx, c, body)
}

func (p *page) Disconnect(ctx context.Context, c *consumers.HTTPConn) error {
	if p.disconnect == nil {
		return nil
	}
	return p.disconnect(ctx, c)
}

func (p *page) onEvent(ctx context.Context, c *consumers.HTTPConn, e channellayer.Event) error {
	return p.event(ctx, c, e)
}

func (p *page) onNote(_ context.Context, c *consumers.HTTPConn, e note) error {
	return c.SendResponse(http.StatusOK, nil, []byte(e.Text))
}

func (p *page) app(events ...*consumers.EventHandler) consumers.Application {
	if p.event != nil {
		events = append(events, consumers.OnAny((*page).onEvent))
	}
	return consumers.NewHTTP(func() *page { return p }, events...)
}

// unknownLength hides how long a body is.
type unknownLength struct{ io.Reader }

func TestH1TheBodyIsWholeBeforeHandle(t *testing.T) {
	const limit = 2621440 // DATA_UPLOAD_MAX_MEMORY_SIZE
	tests := []struct {
		name       string
		body       io.Reader
		wantStatus int
		want       string
	}{
		{"no body", nil, 200, "0 bytes"},
		{"a body", strings.NewReader("hello"), 200, "5 bytes"},
		{"one in chunks", unknownLength{strings.NewReader("hello")}, 200, "5 bytes"},
		{"the largest", strings.NewReader(strings.Repeat("x", limit)), 200, "2621440 bytes"},
		{"one byte more", strings.NewReader(strings.Repeat("x", limit+1)), 413, "Request Entity Too Large\n"},
		{"one byte more, in chunks", unknownLength{strings.NewReader(strings.Repeat("x", limit+1))}, 413, "Request Entity Too Large\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := new(journal)
				p := &page{
					handle: func(_ context.Context, c *consumers.HTTPConn, body []byte) error {
						return c.SendResponse(http.StatusOK, nil, fmt.Appendf(nil, "%d bytes", len(body)))
					},
					disconnect: func(context.Context, *consumers.HTTPConn) error { j.add("disconnect"); return nil },
				}
				w := serveHTTP(t, p.app(), nil)
				if status, got := w.whole("POST", tt.body); status != tt.wantStatus || got != tt.want {
					t.Errorf("got %d %q, want %d %q", status, got, tt.wantStatus, tt.want)
				}
				j.shows(t, "disconnect")
				w.wantReport(nil)
			})
		})
	}
}

func TestABodyThatIsTooLargeIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := serveHTTP(t, new(page).app(), nil)
		never, stop := io.Pipe()
		defer func() { _ = stop.Close() }() // so that the client's goroutine ends
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://site/", never)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = 1 << 40
		began := time.Now()
		response, err := w.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		if got := time.Since(began); response.StatusCode != 413 || got > 10*time.Second {
			t.Errorf("got %d after %v, want 413 at once", response.StatusCode, got)
		}
	})
}

func TestABodyThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &page{handle: func(context.Context, *consumers.HTTPConn, []byte) error { t.Error("Handle was called"); return nil }}
		w := serveHTTP(t, p.app(), nil)
		slow, stop := io.Pipe()
		defer func() { _ = stop.Close() }() // so that the client's goroutine ends
		began := time.Now()
		go func() { _, _ = stop.Write([]byte("the beginning")) }() // ends with stop
		status, _ := w.whole("POST", slow)
		if got := time.Since(began); status != http.StatusRequestTimeout || got != 30*time.Second {
			t.Errorf("got status %d after %v, want 408 after 30s", status, got)
		}
	})
}

// answers are what an HTTP consumer can do, and what its client gets.
var answers = []struct {
	name       string
	handle     func(ctx context.Context, c *consumers.HTTPConn, body []byte) error
	wantStatus int
	want       string
	wantReport error
}{
	{"H5: SendResponse is a whole response", func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
		return c.SendResponse(http.StatusTeapot, http.Header{"X-A": {"b"}}, []byte("tea"))
	}, 418, "tea", nil},
	{"SendJSON is JSON", func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
		return c.SendJSON(http.StatusOK, map[string]string{"a": "<é>"})
	}, 200, `{"a":"<é>"}`, nil},
	{"H3: headers, H4: a body in parts", func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
		c.SendHeaders(http.StatusAccepted, nil)
		return errors.Join(c.SendBody([]byte("a")), c.SendBody([]byte("b")), c.Finish([]byte("c")))
	}, 202, "abc", nil},
	{"H4: what is sent later is ignored", func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
		err := c.Finish([]byte("end"))
		c.SendHeaders(http.StatusAccepted, nil)
		return errors.Join(err, c.SendBody([]byte("more")), c.Finish([]byte("more")), c.SendEvent(consumers.ServerSentEvent{Data: "more"}))
	}, 200, "end", nil},
	{"a consumer that sends nothing has sent 200", func(context.Context, *consumers.HTTPConn, []byte) error { return nil }, 200, "", nil},
	{"headers alone are a response", func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
		c.SendHeaders(http.StatusNotFound, nil)
		return nil
	}, 404, "", nil},
	{"H7: an error is a 500 without its text", func(context.Context, *consumers.HTTPConn, []byte) error { return errSite }, 500, "Internal Server Error\n", errSite},
	{"a panic is one, too", func(context.Context, *consumers.HTTPConn, []byte) error { panic(errSite) }, 500, "Internal Server Error\n", nil},
	{"ErrDenied is a 403", func(context.Context, *consumers.HTTPConn, []byte) error { return consumers.ErrDenied }, 403, "Forbidden\n", nil},
	{"ErrNoRoute is a 404", func(context.Context, *consumers.HTTPConn, []byte) error { return consumers.ErrNoRoute }, 404, "Not Found\n", nil},
	{"a Denial answers for itself", func(context.Context, *consumers.HTTPConn, []byte) error {
		return &consumers.Denial{Status: 429, Header: http.Header{"X-A": {"b"}}, Body: []byte("later")}
	}, 429, "later", nil},
	{"headers of a response that failed are not sent", func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
		c.SendHeaders(http.StatusOK, http.Header{"X-Secret": {"x"}})
		return errSite
	}, 500, "Internal Server Error\n", errSite},
	{"C6: ErrStop ends without a failure", func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
		return errors.Join(c.Finish([]byte("enough")), consumers.ErrStop)
	}, 200, "enough", nil},
	{"a body that the status forbids is the consumer's mistake", func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
		if err := c.SendResponse(http.StatusNoContent, nil, []byte("x")); !errors.Is(err, http.ErrBodyNotAllowed) {
			return fmt.Errorf("got error %w, want ErrBodyNotAllowed", err)
		}
		return nil
	}, 204, "", nil},
}

func TestHTTPConsumerAnswers(t *testing.T) {
	for _, tt := range answers {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := new(journal)
				p := &page{handle: tt.handle, disconnect: func(context.Context, *consumers.HTTPConn) error { j.add("disconnect"); return nil }}
				w := serveHTTP(t, p.app(), nil)
				response := w.do(t.Context(), "GET", nil, nil)
				got, err := io.ReadAll(response.Body)
				if status := response.StatusCode; status != tt.wantStatus || string(got) != tt.want || err != nil {
					t.Errorf("got %d %q, error %v; want %d %q", status, got, err, tt.wantStatus, tt.want)
				}
				if err := response.Body.Close(); err != nil || response.Header.Get("X-Secret") != "" {
					t.Errorf("got header %v, error %v", response.Header, err)
				}
				j.shows(t, "disconnect")
				if len(w.reports()) == 1 && strings.Contains(tt.name, "panic") {
					if _, ok := errors.AsType[*consumers.PanicError](w.reports()[0]); !ok {
						t.Errorf("reported %v, want a PanicError", w.reports())
					}
					return
				}
				w.wantReport(tt.wantReport)
			})
		})
	}
}

func TestAResponseThatFailsHalfWayIsBrokenOff(t *testing.T) {
	for name, fault := range map[string]func() error{
		"an error":              func() error { return errSite },
		"a panic":               func() error { panic(errSite) },
		"net/http's own signal": func() error { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := new(journal)
				p := &page{
					handle: func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
						return errors.Join(c.SendBody([]byte("half")), fault())
					},
					disconnect: func(context.Context, *consumers.HTTPConn) error { j.add("disconnect"); return nil },
				}
				w := serveHTTP(t, p.app(), nil)
				response := w.do(t.Context(), "GET", nil, nil)
				got, err := io.ReadAll(response.Body)
				if string(got) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("got %q, error %v; want half of it and ErrUnexpectedEOF", got, err)
				}
				if err := response.Body.Close(); err != nil {
					t.Error(err)
				}
				j.shows(t, "disconnect")
				if got := len(w.reports()); got != 1 {
					t.Errorf("%d reports, want 1", got)
				}
			})
		})
	}
}

func TestH3HeadersLeaveWithTheFirstPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p := &page{handle: func(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
			c.SendHeaders(http.StatusOK, http.Header{"x-one": {"1"}})
			c.SendHeaders(http.StatusCreated, http.Header{"X-Two": {"2"}})
			<-gate
			return c.SendBody(nil)
		}}
		w := serveHTTP(t, p.app(), nil)
		answered := make(chan *http.Response, 1)
		go func() { answered <- w.do(t.Context(), "GET", nil, nil) }()
		synctest.Wait()
		select {
		case <-answered:
			t.Error("headers were sent before the body")
		default:
		}
		close(gate)
		response := <-answered
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != 201 || response.Header.Get("X-One") != "1" || response.Header.Get("X-Two") != "2" {
			t.Errorf("got %d %v, want what was said last, and all fields", response.StatusCode, response.Header)
		}
	})
}

func TestAnHTTPHandlerIsAnApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := consumers.ScopeFrom(r.Context())
			_, _ = fmt.Fprintf(w, "%s, authenticated: %v", s.Path, s.User.IsAuthenticated())
		})
		w := serveHTTP(t, consumers.Handler(h), nil)
		if status, got := w.whole("GET", nil); status != 200 || got != "/, authenticated: false" {
			t.Errorf("got %d %q", status, got)
		}
	})
}

func TestAnHTTPConsumerKnowsItsRequestAndScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &page{handle: func(ctx context.Context, c *consumers.HTTPConn, _ []byte) error {
			same := consumers.ScopeFrom(ctx) == c.Scope()
			return c.SendResponse(200, nil, fmt.Appendf(nil, "%s %s %v", c.Request().Method, c.Scope().Path, same))
		}}
		w := serveHTTP(t, p.app(), nil)
		if _, got := w.whole("PUT", strings.NewReader("x")); got != "PUT / true" {
			t.Errorf("got %q", got)
		}
	})
}

func TestAFaultInAnHTTPDisconnectIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &page{disconnect: func(context.Context, *consumers.HTTPConn) error { return errSite }}
		w := serveHTTP(t, p.app(), nil)
		if status, _ := w.whole("GET", nil); status != 200 {
			t.Errorf("got status %d, want 200", status)
		}
		w.wantReport(errSite)
	})
}
