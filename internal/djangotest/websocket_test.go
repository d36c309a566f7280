package djangotest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/belleville/belleville/internal/djangotest"
)

// newEcho is a server that refuses who has no cookie, says hello with the cookie and the origin, returns each
// message, and closes with 4001 when it is told "bye".
func newEcho(t *testing.T) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") == "" {
			http.Error(w, "who are you", http.StatusForbidden)
			return
		}
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
			InsecureSkipVerify: true, Subprotocols: []string{"second"},
		})
		if err != nil {
			return // the client sees it
		}
		defer c.CloseNow()
		hello := r.Header.Get("Cookie") + " from " + r.Header.Get("Origin")
		echo(r.Context(), c, hello)
	}))
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http")
}

func echo(ctx context.Context, c *websocket.Conn, hello string) {
	kind, message := websocket.MessageText, []byte(hello)
	for {
		if err := c.Write(ctx, kind, message); err != nil {
			return // the client sees it
		}
		var err error
		kind, message, err = c.Read(ctx)
		switch {
		case err != nil:
			return
		case string(message) == "bye":
			_ = c.Close(4001, "farewell") // the client says whether it came
			return
		case string(message) == "bytes":
			kind = websocket.MessageBinary
		}
	}
}

func TestConnect(t *testing.T) {
	url := newEcho(t)
	header := http.Header{
		"Cookie":                 {"sessionid=abc"},
		"Origin":                 {"http://example.com"},
		"Sec-Websocket-Protocol": {"first, second"},
	}
	t.Run("a conversation", func(t *testing.T) {
		s := djangotest.Connect(t, url, header)
		if s.Status != http.StatusSwitchingProtocols || s.Subprotocol != "second" {
			t.Fatalf("status %d, subprotocol %q, want 101 and second", s.Status, s.Subprotocol)
		}
		if got, want := s.Receive(t), "sessionid=abc from http://example.com"; got != want {
			t.Errorf("received %q, want %q", got, want)
		}
		for _, text := range []string{"héllo\n\"☃\"", "", "last"} {
			s.Send(t, text)
			if got := s.Receive(t); got != text {
				t.Errorf("received %q, want %q", got, text)
			}
		}
		s.Send(t, "bytes")
		if got := s.ReceiveBinary(t); string(got) != "bytes" {
			t.Errorf("received %q, want \"bytes\"", got)
		}
		s.Send(t, "bye")
		if code, reason := s.ReceiveClose(t); code != 4001 || reason != "farewell" {
			t.Errorf("closed with %d %q, want 4001 \"farewell\"", code, reason)
		}
	})
	t.Run("the client closes", func(t *testing.T) {
		s := djangotest.Connect(t, url, header)
		s.Receive(t)
		if got := s.Close(t, 1000, "done"); got != 1000 {
			t.Errorf("the server answered with %d, want 1000", got)
		}
	})
	t.Run("a refusal is a status", func(t *testing.T) {
		s := djangotest.Connect(t, url, nil)
		if s.Status != http.StatusForbidden {
			t.Errorf("status = %d, want 403", s.Status)
		}
	})
}
