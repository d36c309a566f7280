package wstest_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/wstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errSite = errors.New("the site made a mistake")

// talker does what its client says.
type talker struct {
	connect func(ctx context.Context, c *consumers.Conn) error
	code    consumers.CloseCode // what Disconnect was told
}

func (s *talker) Connect(ctx context.Context, c *consumers.Conn) error {
	if s.connect == nil {
		return c.Accept()
	}
	return s.connect(ctx, c)
}

func (s *talker) Receive(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
	switch m.Text() {
	case "fail":
		return errSite
	case "panic":
		panic("on purpose")
	case "close":
		return errors.Join(c.SendText("before"), c.Close(4000, "enough"))
	case "wait":
		<-ctx.Done()
		return ctx.Err()
	}
	return c.Send(m)
}

func (s *talker) Disconnect(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
	s.code = code
	return nil
}

func (s *talker) app() consumers.Application { return consumers.New(func() *talker { return s }) }

// connect opens a connection, and fails the test unless it was accepted.
func connect(t *testing.T, s *talker) *wstest.Communicator {
	t.Helper()
	c := wstest.New(s.app(), "/ws/", wstest.Config{})
	if r, err := c.Connect(t.Context()); err != nil || r.Status != http.StatusSwitchingProtocols {
		t.Fatalf("got status %d, error %v; want 101", r.Status, err)
	}
	return c
}

func TestX11ConnectTellsHowTheHandshakeWasAnswered(t *testing.T) {
	refuse := func(err error) consumers.Application {
		return consumers.ApplicationFunc(func(context.Context, *consumers.Scope) (consumers.Instance, error) { return nil, err })
	}
	accept := func(_ context.Context, c *consumers.Conn) error {
		return c.AcceptWith(consumers.Acceptance{Subprotocol: c.Scope().Subprotocols[1], Header: http.Header{"X-A": {"b"}}})
	}
	tests := []struct {
		name            string
		app             consumers.Application
		wantStatus      int
		wantSubprotocol string
		wantHeader      string
		wantFailed      error
	}{
		{"accepted, with subprotocol and headers", (&talker{connect: accept}).app(), 101, "v2", "b", nil},
		{"refused by the consumer", (&talker{connect: func(context.Context, *consumers.Conn) error { return consumers.ErrDenied }}).app(), 403, "", "", nil},
		{"refused before there is a consumer", refuse(consumers.ErrNoRoute), 404, "", "", nil},
		{"a Denial's own answer", refuse(&consumers.Denial{Status: 429, Header: http.Header{"X-A": {"c"}}}), 429, "", "c", nil},
		{"a Denial is never a success", refuse(&consumers.Denial{}), 403, "", "", nil},
		{"a failure before there is a consumer", refuse(errSite), 500, "", "", errSite},
		{"a failure of Connect", (&talker{connect: func(context.Context, *consumers.Conn) error { return errSite }}).app(), 500, "", "", errSite},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := wstest.New(tt.app, "/ws/", wstest.Config{Subprotocols: []string{"v1", "v2"}})
				r, err := c.Connect(t.Context())
				if err != nil || r.Status != tt.wantStatus || r.Subprotocol != tt.wantSubprotocol || r.Header.Get("X-A") != tt.wantHeader {
					t.Errorf("got %d %q %v, error %v; want %d %q", r.Status, r.Subprotocol, r.Header, err, tt.wantStatus, tt.wantSubprotocol)
				}
				if tt.wantStatus != 101 {
					if err := c.SendText("x"); !errors.Is(err, wstest.ErrNotAccepted) {
						t.Errorf("send: got error %v, want ErrNotAccepted", err)
					}
				}
				_ = c.Close(t.Context(), consumers.CloseNormal) // what it returns is looked at below
				if err := c.Wait(t.Context()); !errors.Is(err, tt.wantFailed) {
					t.Errorf("the consumer failed with %v, want %v", err, tt.wantFailed)
				}
			})
		})
	}
}

func TestX11ConnectOfWhatIsNoWebSocket(t *testing.T) {
	c := wstest.New(consumers.Handler(http.NotFoundHandler()), "/", wstest.Config{})
	if r, err := c.Connect(t.Context()); err == nil {
		t.Errorf("got %v, want an error", r)
	}
}

func TestX9ConnectWaitsForContextAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := wstest.New((&talker{connect: func(_ context.Context, c *consumers.Conn) error { c.AcceptLater(); return nil }}).app(), "/", wstest.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Connect(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v, want DeadlineExceeded", err)
		}
		if err := c.Close(t.Context(), consumers.CloseAbnormal); err != nil {
			t.Error(err)
		}
	})
}

func TestX11Messages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connect(t, new(talker))
		if err := errors.Join(c.SendText("text"), c.SendBinary([]byte{1}), c.SendJSON([]int{1, 2}), c.SendText("")); err != nil {
			t.Fatal(err)
		}
		if got, err := c.ReceiveText(t.Context()); got != "text" || err != nil {
			t.Errorf("got %q, error %v", got, err)
		}
		if got, err := c.Receive(t.Context()); got.Kind != consumers.Binary || string(got.Data) != "\x01" || err != nil {
			t.Errorf("got %v, error %v", got, err)
		}
		var list []int
		if err := c.ReceiveJSON(t.Context(), &list); err != nil || len(list) != 2 {
			t.Errorf("got %v, error %v", list, err)
		}
		if got, err := c.ReceiveText(t.Context()); got != "" || err != nil {
			t.Errorf("an empty message: got %q, error %v", got, err)
		}
		if err := c.SendJSON(func() {}); err == nil {
			t.Error("a function is no JSON")
		}
		if err := c.SendBinary([]byte("binary")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.ReceiveText(t.Context()); err == nil {
			t.Error("a binary message is no text")
		}
		if err := c.Close(t.Context(), consumers.CloseNormal); err != nil {
			t.Error(err)
		}
	})
}

func TestX9NothingIsReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connect(t, new(talker))
		synctest.Wait()
		if got := c.Pending(); got != 0 {
			t.Errorf("got %d messages, want none", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if m, err := c.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, error %v; want DeadlineExceeded", m, err)
		}
		if err := c.SendText("it goes on"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := c.Pending(); got != 1 {
			t.Errorf("got %d messages, want 1", got)
		}
		if err := c.Close(t.Context(), consumers.CloseNormal); err != nil {
			t.Error(err)
		}
	})
}

func TestX11TheConsumerCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(talker)
		c := connect(t, s)
		if err := c.SendText("close"); err != nil {
			t.Fatal(err)
		}
		if got, err := c.ReceiveText(t.Context()); got != "before" || err != nil {
			t.Errorf("what was sent before the close: got %q, error %v", got, err)
		}
		for range 2 {
			_, err := c.Receive(t.Context())
			closed, ok := errors.AsType[*wstest.CloseError](err)
			if !ok || closed.Code != 4000 || closed.Reason != "enough" {
				t.Errorf("got error %v, want a CloseError of 4000", err)
			}
		}
		if err := c.SendText("x"); err == nil {
			t.Error("a message was sent to a consumer that has closed")
		}
		if err := c.Wait(t.Context()); err != nil || s.code != 4000 {
			t.Errorf("got error %v, Disconnect with %d; want none, 4000", err, s.code)
		}
		if err := c.Close(t.Context(), consumers.CloseNormal); err != nil {
			t.Error(err)
		}
	})
}

func TestX11TheClientCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(talker)
		c := connect(t, s)
		if err := c.Close(t.Context(), consumers.CloseGoingAway); err != nil || s.code != consumers.CloseGoingAway {
			t.Errorf("got error %v, Disconnect with %d; want none, 1001", err, s.code)
		}
		if _, err := c.Receive(t.Context()); !errors.Is(err, consumers.ErrClosed) {
			t.Errorf("receive: got error %v, want ErrClosed", err)
		}
		if err := c.SendText("x"); !errors.Is(err, consumers.ErrClosed) {
			t.Errorf("send: got error %v, want ErrClosed", err)
		}
	})
}

func TestX9AFailureIsReturnedByAll(t *testing.T) {
	for _, how := range []string{"fail", "panic"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(talker)
				c := connect(t, s)
				if err := errors.Join(c.SendText("hello"), c.SendText(how)); err != nil {
					t.Fatal(err)
				}
				if got, err := c.ReceiveText(t.Context()); got != "hello" || err != nil {
					t.Errorf("what was sent before: got %q, error %v", got, err)
				}
				_, received := c.Receive(t.Context())
				waited := c.Wait(t.Context())
				sent := c.SendText("x")
				closed := c.Close(t.Context(), consumers.CloseNormal)
				for name, err := range map[string]error{"Receive": received, "Wait": waited, "SendText": sent, "Close": closed} {
					_, panicked := errors.AsType[*consumers.PanicError](err)
					if how == "fail" && !errors.Is(err, errSite) || how == "panic" && !panicked {
						t.Errorf("%s: got error %v", name, err)
					}
				}
				if got := c.Reported(); len(got) != 1 || s.code != consumers.CloseInternalError {
					t.Errorf("reported %v, Disconnect with %d; want one error, 1011", got, s.code)
				}
			})
		})
	}
}

func TestX9WaitWaitsForContextAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connect(t, new(talker))
		if err := c.SendText("wait"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Close(ctx, consumers.CloseNormal); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v, want DeadlineExceeded", err)
		}
		if err := c.Wait(t.Context()); !errors.Is(err, consumers.ErrStuck) {
			t.Errorf("got error %v, want ErrStuck", err)
		}
	})
}

// dropping is in a group whose events do not fit.
type dropping struct{ talker }

func (*dropping) Groups() []string { return []string{"room"} }

// counted is an event.
type counted struct {
	N int `json:"n"`
}

func (counted) EventType() string { return "counted" }

func TestADroppedEventIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := consumers.New(func() *dropping { return new(dropping) }, consumers.OnGroup(func(e counted) (consumers.Message, error) {
			return consumers.JSONMessage(e)
		}))
		layer := memlayer.New(memlayer.Config{})
		c := wstest.New(app, "/", wstest.Config{Layer: layer})
		if _, err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, n := range []any{"one", int64(2)} {
			if err := layer.GroupSend(t.Context(), "room", channellayer.Event{"type": "counted", "n": n}); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := c.ReceiveText(t.Context()); got != `{"n":2}` || err != nil {
			t.Errorf("got %q, error %v", got, err)
		}
		if got := c.Reported(); len(got) != 1 {
			t.Errorf("reported %v, want one dropped event", got)
		}
		if err := c.Close(t.Context(), consumers.CloseNormal); err != nil {
			t.Error(err)
		}
	})
}

func TestTheScopeIsTheRequest(t *testing.T) {
	user := &djangocompat.User{Username: "alice"}
	c := wstest.New(new(talker).app(), "/a%2Fb/%C3%A9?x=1&y=%20", wstest.Config{
		Header: http.Header{"Origin": {"http://site"}, "Cookie": {"a=1", "b=2"}}, Subprotocols: []string{"v1"}, User: user,
	})
	s := c.Scope()
	for name, row := range map[string][2]string{
		"Type":    {s.Type, consumers.TypeWebSocket},
		"Method":  {s.Method, "GET"},
		"Scheme":  {s.Scheme, "ws"},
		"Path":    {s.Path, "/a/b/é"},
		"RawPath": {s.RawPath, "/a%2Fb/%C3%A9"},
		"Query":   {s.Query, "x=1&y=%20"},
		"origin":  {s.Header.Get("origin"), "http://site"},
		"header":  {s.Header[0].Name + s.Header[1].Value + s.Header[2].Name, "cookieb=2origin"},
		"user":    {s.User.Username, "alice"},
	} {
		if row[0] != row[1] {
			t.Errorf("%s: got %q, want %q", name, row[0], row[1])
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a target that is no path did not panic")
		}
	}()
	wstest.New(new(talker).app(), "no path", wstest.Config{})
}
