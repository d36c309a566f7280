package server_test

import (
	"context"
	"strings"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
	"github.com/coder/websocket"
)

// squeezing carries an Application's connections compressed.
func squeezing(app consumers.Application) consumers.Application {
	return consumers.Carried(app, consumers.Wire{Compression: true, CompressionMinimum: 1})
}

func TestAnIndependentClientCompresses(t *testing.T) {
	app := func() consumers.Application { return squeezing(chatters()) }
	for _, mode := range []websocket.CompressionMode{websocket.CompressionNoContextTakeover, websocket.CompressionContextTakeover, websocket.CompressionDisabled} {
		onBoth(t, app, server.Config{}, func(t *testing.T, s *site) {
			var all []*websocket.Conn
			for range 3 {
				ws, r, err := websocket.Dial(t.Context(), "ws://"+s.addr+"/", &websocket.DialOptions{CompressionMode: mode, CompressionThreshold: 1})
				if err != nil {
					t.Fatal(err)
				}
				defer ws.CloseNow()
				agreed := strings.HasPrefix(r.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
				if want := mode != websocket.CompressionDisabled; agreed != want {
					t.Errorf("compression was agreed on: %v, want %v", agreed, want)
				}
				all = append(all, ws)
			}
			for _, text := range []string{"a", strings.Repeat("all work and no play ", 500), "äöü"} {
				speak(t, all[0], text)
				for _, ws := range all {
					hear(t, ws, text)
				}
			}
		})
	}
}

func TestCompressionIsOffByDefault(t *testing.T) {
	onBoth(t, echoes, server.Config{}, func(t *testing.T, s *site) {
		p := s.raw(t)
		p.say(with("", "Sec-WebSocket-Extensions: permessage-deflate\r\n"))
		if r, _ := p.answer(); r.StatusCode != 101 || r.Header.Get("Sec-WebSocket-Extensions") != "" {
			t.Fatalf("status %d, extensions %q, want 101 without any", r.StatusCode, r.Header.Get("Sec-WebSocket-Extensions"))
		}
		p.say(frame(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00"))
		p.wantClosed(1002)
	})
}

func TestAConsumerCannotChooseTheExtensions(t *testing.T) {
	app := func() consumers.Application {
		return squeezing(consumers.New(func() *decider {
			return &decider{ended: make(chan consumers.CloseCode, 1), connect: func(_ context.Context, c *consumers.Conn) error {
				return c.AcceptWith(consumers.Acceptance{Header: map[string][]string{"Sec-WebSocket-Extensions": {"x"}}})
			}}
		}))
	}
	onBoth(t, app, server.Config{}, func(t *testing.T, s *site) {
		p := s.raw(t)
		p.say(with("", "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n"))
		r, _ := p.answer()
		want := "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9"
		if got := r.Header.Values("Sec-WebSocket-Extensions"); len(got) != 1 || got[0] != want {
			t.Errorf("extensions = %q, want %q", got, want)
		}
	})
}
