package builtin_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/consumers/builtin"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/wstest"
)

// python is the worker at the other end of a bridge.
type python struct {
	*testing.T
	layer  *memlayer.Layer
	events *channellayer.Queue
}

// newPython listens to the channel "site" until the test ends.
func newPython(t *testing.T, layer *memlayer.Layer) *python {
	p := &python{T: t, layer: layer, events: channellayer.NewQueue()}
	ctx, cancel := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	listening.Go(func() { _ = layer.Listen(ctx, "site", p.events) })
	t.Cleanup(func() { cancel(); listening.Wait() })
	return p
}

// gets waits for the next event, which must be of a type.
func (p *python) gets(eventType string) channellayer.Event {
	p.Helper()
	e, err := p.events.Next(p.Context())
	if err != nil || e.Type() != eventType {
		p.Fatalf("Python got %v, %v, want %s", e, err, eventType)
	}
	return e
}

// answers sends an event to the connection that e is about.
func (p *python) answers(e, answer channellayer.Event) {
	p.Helper()
	if err := p.layer.Send(p.Context(), e["reply_channel"].(string), answer); err != nil {
		p.Fatal(err)
	}
}

// bridged opens a connection on a bridge, and lets Python decide about the handshake.
func bridged(t *testing.T, p *python, app consumers.Application, cfg wstest.Config, answer channellayer.Event) (*wstest.Communicator, channellayer.Event, consumers.Response) {
	t.Helper()
	cfg.Layer = p.layer
	c := wstest.New(app, "/ws/chat/lobby/?a=%C3%BC&b=%FF", cfg)
	c.Scope().Kwargs, c.Scope().Args = consumers.Kwargs{"room": "lobby"}, []string{"x"}
	c.Scope().Client = netip.MustParseAddrPort("192.0.2.1:5678")
	var first channellayer.Event
	var deciding sync.WaitGroup
	deciding.Go(func() {
		first = p.gets("websocket.connect")
		p.answers(first, answer)
	})
	r, err := c.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	deciding.Wait()
	return c, first, r
}

var accepted = channellayer.Event{"type": "websocket.accept"}

func TestBridgeTellsPython(t *testing.T) {
	p := newPython(t, memlayer.New(memlayer.Config{}))
	app := builtin.Bridge("site", builtin.BridgeConfig{})
	key := "0123456789abcdefghijklmnopqrstuv"
	c, connect, r := bridged(t, p, app, wstest.Config{
		User: alice(), Session: djangocompat.NewSession(key, djangocompat.SessionData{}, nil), Subprotocols: []string{"v1", "v2"},
	}, channellayer.Event{
		"type": "websocket.accept", "subprotocol": "v2",
		"headers": []any{[]any{[]byte("X-One"), []byte("1")}, []any{"X-Two", "2"}},
	})
	if r.Status != 101 || r.Subprotocol != "v2" || r.Header.Get("X-One") != "1" || r.Header.Get("X-Two") != "2" {
		t.Errorf("answered %+v, want what Python said", r)
	}
	common := channellayer.Event{
		"reply_channel": connect["reply_channel"], "path": "/ws/chat/lobby/", "query": "a=%C3%BC&b=%FF",
		"kwargs": map[string]any{"room": "lobby"}, "args": []any{"x"}, "user": int64(7), "session": connect["session"],
	}
	if s, _ := connect["session"].(string); len(s) != 64 || s == key {
		t.Errorf("session %q, want a hash", s)
	}
	want := func(got, more channellayer.Event) {
		t.Helper()
		maps.Copy(more, common)
		if !reflect.DeepEqual(got, more) {
			t.Errorf("Python got %v, want %v", got, more)
		}
	}
	want(connect, channellayer.Event{
		"type": "websocket.connect", "order": int64(0), "client": []any{"192.0.2.1", int64(5678)}, "subprotocols": []any{"v1", "v2"},
	})
	if err := errors.Join(c.SendText("hi"), c.SendBinary([]byte{0, 255})); err != nil {
		t.Fatal(err)
	}
	want(p.gets("websocket.receive"), channellayer.Event{"type": "websocket.receive", "order": int64(1), "text": "hi"})
	want(p.gets("websocket.receive"), channellayer.Event{"type": "websocket.receive", "order": int64(2), "bytes": []byte{0, 255}})
	if err := c.Close(t.Context(), 4001); err != nil {
		t.Error(err)
	}
	want(p.gets("websocket.disconnect"), channellayer.Event{"type": "websocket.disconnect", "order": int64(3), "code": int64(4001)})
}

func TestBridgeDoesWhatPythonSays(t *testing.T) {
	p := newPython(t, memlayer.New(memlayer.Config{}))
	app := builtin.Bridge("site", builtin.BridgeConfig{})
	one, first, _ := bridged(t, p, app, wstest.Config{}, accepted)
	two, second, _ := bridged(t, p, app, wstest.Config{}, accepted)
	if first["user"] != nil || first["session"] != nil || first["reply_channel"] == second["reply_channel"] {
		t.Errorf("strangers are %v and %v, want nobody, on channels of their own", first, second)
	}
	hears := func(c *wstest.Communicator, want string) {
		t.Helper()
		if got, err := c.ReceiveText(t.Context()); err != nil || got != want {
			t.Errorf("heard %q, %v, want %q", got, err, want)
		}
	}
	p.answers(first, channellayer.Event{"type": "websocket.send", "text": "to one"})
	hears(one, "to one")
	for _, e := range []channellayer.Event{first, second} {
		p.answers(e, channellayer.Event{"type": "belleville.group_add", "group": "room"})
		p.answers(e, channellayer.Event{"type": "belleville.group_add", "group": "not a name"}) // changes nothing
		p.answers(e, accepted)                                                                  // nor does this
		p.answers(e, channellayer.Event{"type": "chat.message", "secret": "not for clients"})
	}
	say := func(text string) {
		t.Helper()
		if err := p.layer.GroupSend(t.Context(), "room", channellayer.Event{"type": "websocket.send", "text": text}); err != nil {
			t.Fatal(err)
		}
	}
	joined := func(c *wstest.Communicator, e channellayer.Event) {
		p.answers(e, channellayer.Event{"type": "websocket.send", "text": "joined"})
		hears(c, "joined")
	}
	joined(one, first)
	joined(two, second)
	say("to both")
	hears(one, "to both")
	hears(two, "to both")
	p.answers(second, channellayer.Event{"type": "belleville.group_discard", "group": "room"})
	joined(two, second)
	say("to one alone")
	hears(one, "to one alone")
	p.answers(second, channellayer.Event{"type": "websocket.send", "bytes": []byte("last")})
	if m, err := two.Receive(t.Context()); err != nil || m.Kind != consumers.Binary || m.Text() != "last" {
		t.Errorf("heard %v %q, %v, want bytes", m.Kind, m.Data, err)
	}
	p.answers(first, channellayer.Event{"type": "websocket.close", "code": int64(4005), "reason": "enough"})
	if _, err := one.Receive(t.Context()); !reflect.DeepEqual(err, &wstest.CloseError{Code: 4005, Reason: "enough"}) {
		t.Errorf("the connection ended with %v, want 4005", err)
	}
	if e := p.gets("websocket.disconnect"); e["code"] != int64(4005) || e["order"] != int64(1) {
		t.Errorf("Python got %v, want the code 4005", e)
	}
}

func TestBridgeHandshakes(t *testing.T) {
	tests := []struct {
		name   string
		answer channellayer.Event // nil is none
		full   bool
		status int
		counts string
		tells  bool // that the connection is gone
	}{
		{"a close refuses with 403", channellayer.Event{"type": "websocket.close", "code": int64(4000)}, false, http.StatusForbidden, "refused", true},
		{"a worker that does not answer makes it 504", nil, false, http.StatusGatewayTimeout, "timeout", true},
		{"a channel that is full makes it 503", nil, true, http.StatusServiceUnavailable, "full", false},
		{"a subprotocol that nobody offers is left out", channellayer.Event{"type": "websocket.accept", "subprotocol": "v9"}, false, 101, "accepted", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				layer := memlayer.New(memlayer.Config{Capacity: 1})
				reg := prometheus.NewRegistry()
				app := builtin.Bridge("site", builtin.BridgeConfig{Registerer: reg})
				if tt.full {
					if err := layer.Send(t.Context(), "site", channellayer.Event{"type": "other"}); err != nil {
						t.Fatal(err)
					}
				}
				c := wstest.New(app, "/", wstest.Config{Layer: layer})
				if tt.answer != nil {
					go func() {
						p := newPython(t, layer)
						p.answers(p.gets("websocket.connect"), tt.answer)
					}()
				}
				began := time.Now()
				r, err := c.Connect(t.Context())
				if err != nil || r.Status != tt.status || r.Subprotocol != "" {
					t.Errorf("answered %+v, %v, want %d", r, err, tt.status)
				}
				if took := time.Since(began); tt.status == http.StatusGatewayTimeout && took != 4*time.Second {
					t.Errorf("answered after %v, want 4 s", took)
				}
				synctest.Wait()
				if n, err := testutil.GatherAndCount(reg, "bridge_handshakes_total"); n != 1 || err != nil {
					t.Errorf("%d results are counted, want 1", n)
				}
				_ = c.Close(t.Context(), consumers.CloseGoingAway) // it may be closed
			})
		})
	}
}

// TestBridgeWaitsForRoom fills the channel while a client speaks.
func TestBridgeWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := memlayer.New(memlayer.Config{Capacity: 2})
		p := newPython(t, layer)
		app := builtin.Bridge("site", builtin.BridgeConfig{})
		c, _, _ := bridged(t, p, app, wstest.Config{}, accepted)
		for _, text := range []string{"1", "2", "3", "4"} {
			if err := c.SendText(text); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for _, want := range []string{"1", "2", "3", "4"} {
			if e := p.gets("websocket.receive"); e["text"] != want {
				t.Errorf("Python got %v, want %s", e["text"], want)
			}
		}
		for range 8 {
			if err := c.SendText("too much"); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		_, err := c.Receive(t.Context())
		if closed, ok := errors.AsType[*wstest.CloseError](err); !ok || closed.Code != consumers.CloseTryAgainLater {
			t.Errorf("the connection ended with %v, want 1013", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it ended after %v, want 5 s at most", took)
		}
		if err := c.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestCheckBridge(t *testing.T) {
	for _, channel := range []string{"", "a b", "a!b", "ü"} {
		if _, ok := errors.AsType[*builtin.SyntaxError](builtin.CheckBridge(channel)); !ok {
			t.Errorf("CheckBridge(%q) returned no SyntaxError", channel)
		}
	}
	if err := builtin.CheckBridge("site.chat-1"); err != nil {
		t.Error(err)
	}
}
