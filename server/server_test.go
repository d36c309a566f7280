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
	"github.com/coder/websocket"
	"go.uber.org/goleak"
)

// echo returns each message and tells how it ended.
type echo struct{ ended chan consumers.CloseCode }

func (e *echo) Connect(_ context.Context, c *consumers.Conn) error { return c.Accept() }

func (e *echo) Receive(_ context.Context, c *consumers.Conn, m consumers.Message) error {
	return c.Send(m)
}

func (e *echo) Disconnect(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
	if e.ended != nil {
		e.ended <- code
	}
	return nil
}

// site is a server under test.
type site struct {
	addr   string
	cancel context.CancelFunc
	done   chan error
}

// serve starts a server on a listener of its own, and sees at the end of the test that it drains and leaves
// nothing behind.
func serve(t *testing.T, app consumers.Application, cfg server.Config) *site {
	t.Helper()
	l, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, app, cfg)
}

// serveOn is serve on a given listener.
func serveOn(t *testing.T, l net.Listener, app consumers.Application, cfg server.Config) *site {
	t.Helper()
	leaks, open := goleak.IgnoreCurrent(), descriptors()-1 // the listener is the server's to close
	ctx, cancel := context.WithCancel(t.Context())
	s := &site{addr: l.Addr().String(), cancel: cancel, done: make(chan error, 1)}
	srv := server.New(app, memlayer.New(memlayer.Config{}), cfg)
	go func() { s.done <- srv.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-s.done:
			if err != nil && !errors.Is(err, server.ErrNotDrained) {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the server did not end")
		}
		http.DefaultClient.CloseIdleConnections()
		goleak.VerifyNone(t, leaks)
		wantDescriptors(t, open)
	})
	return s
}

// dial opens a WebSocket with an independent client.
func (s *site) dial(t *testing.T, path string) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.Dial(t.Context(), "ws://"+s.addr+path, nil)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	return ws
}

func TestEchoThroughTheNetwork(t *testing.T) {
	ended := make(chan consumers.CloseCode, 1)
	s := serve(t, consumers.New(func() *echo { return &echo{ended} }), server.Config{})
	ws := s.dial(t, "/")
	for _, text := range []string{"", "hello", "grüße"} {
		if err := ws.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
		kind, got, err := ws.Read(t.Context())
		if err != nil || kind != websocket.MessageText || string(got) != text {
			t.Errorf("Read = %v, %q, %v, want text %q", kind, got, err, text)
		}
	}
	if err := ws.Close(4321, "bye"); err != nil {
		t.Errorf("Close: %v", err)
	}
	if code := <-ended; code != 4321 {
		t.Errorf("Disconnect got %d, want 4321", code)
	}
}

func TestDrainClosesWith1012(t *testing.T) {
	s := serve(t, consumers.New(func() *echo { return new(echo) }), server.Config{})
	ws := s.dial(t, "/")
	s.cancel()
	_, _, err := ws.Read(t.Context())
	if code := websocket.CloseStatus(err); code != 1012 {
		t.Errorf("close code = %d (%v), want 1012", code, err)
	}
}
