package server_test

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
	"github.com/coder/websocket"
)

func TestADrainIsSpreadOverItsWindow(t *testing.T) {
	const window = 400 * time.Millisecond
	onBoth(t, echoes, server.Config{DrainWindow: window}, func(t *testing.T, s *site) {
		var peers []*websocket.Conn
		for range 8 {
			peers = append(peers, s.dial(t, "/"))
		}
		closed := make(chan time.Time, len(peers))
		start := time.Now()
		s.cancel()
		for _, ws := range peers {
			go func() {
				_, _, _ = ws.Read(context.WithoutCancel(t.Context()))
				closed <- time.Now()
			}()
		}
		late := 0
		for range peers {
			if at := <-closed; at.Sub(start) >= window/2 {
				late++
			}
		}
		if late < 2 || late > 6 {
			t.Errorf("%d of 8 closed in the second half of the window, want about 4", late)
		}
	})
}

// slowpoke takes its time to go.
type slowpoke struct {
	echo
	goOn    chan struct{}
	through *atomic.Bool
}

func (s *slowpoke) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error {
	<-s.goOn
	s.through.Store(true)
	return nil
}

func TestADrainWaitsForConsumers(t *testing.T) {
	goOn, through := make(chan struct{}), new(atomic.Bool)
	app := consumers.New(func() *slowpoke { return &slowpoke{goOn: goOn, through: through} })
	s := serve(t, app, server.Config{})
	ws := s.dial(t, "/")
	s.cancel()
	_, _, _ = ws.Read(t.Context())
	close(goOn)
	err := <-s.done
	if err != nil || !through.Load() {
		t.Errorf("Serve: %v, after the consumer's Disconnect: %v; want nil, true", err, through.Load())
	}
	s.done <- nil // for the end of the test
}

// ticker is an event stream that never ends by itself.
type ticker struct{}

func (*ticker) Handle(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
	if err := c.StartEvents(); err != nil {
		return err
	}
	return c.SendEvent(consumers.ServerSentEvent{ID: "1", Type: "tick", Data: "a\nb", Retry: time.Second})
}

func (*ticker) Disconnect(context.Context, *consumers.HTTPConn) error { return nil }

func TestADrainEndsEventStreams(t *testing.T) {
	app := func() consumers.Application { return consumers.NewHTTP(func() *ticker { return new(ticker) }) }
	onBoth(t, app, server.Config{}, func(t *testing.T, s *site) {
		r, err := http.Get("http://" + s.addr + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		s.cancel()
		body, err := io.ReadAll(r.Body)
		if want := "id: 1\nevent: tick\nretry: 1000\ndata: a\ndata: b\n\n"; string(body) != want || err != nil {
			t.Errorf("body = %q, %v, want %q", body, err, want)
		}
	})
}
