package consumers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/wstest"
)

// inRoom is the Connect of a consumer in the group "room".
func inRoom(ctx context.Context, c *consumers.Conn) error {
	if err := c.GroupAdd(ctx, "room"); err != nil {
		return err
	}
	return c.Accept()
}

func TestC1TheConnectionGoesBeforeEventsEachToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer, j, gate := newLayer(), new(journal), make(chan struct{})
		s := &site{
			connect: inRoom,
			receive: func(_ context.Context, _ *consumers.Conn, m consumers.Message) error {
				j.add("begin %s", m.Text())
				if m.Text() == "first" {
					<-gate
				}
				j.add("end %s", m.Text())
				return nil
			},
			event: func(_ context.Context, _ *consumers.Conn, e channellayer.Event) error {
				j.add("event %s", e["text"])
				return nil
			},
		}
		c := dial(t, s.app(), layer)
		says(t, c, "first")
		synctest.Wait()
		groupSend(t, layer, "room", "x", "1")
		groupSend(t, layer, "room", "x", "2")
		says(t, c, "second")
		says(t, c, "third")
		close(gate)
		synctest.Wait()
		j.shows(t, "begin first", "end first", "begin second", "end second", "begin third", "end third", "event 1", "event 2")
	})
}

func TestC2WithoutALayerThereIsNoChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{receive: func(ctx context.Context, c *consumers.Conn, _ consumers.Message) error {
			for name, err := range map[string]error{
				"GroupAdd": c.GroupAdd(ctx, "g"), "GroupDiscard": c.GroupDiscard(ctx, "g"),
				"GroupSend": c.GroupSend(ctx, "g", said{}), "SendTo": c.SendTo(ctx, "ch", said{}),
			} {
				if !errors.Is(err, consumers.ErrNoLayer) {
					t.Errorf("%s: got error %v, want ErrNoLayer", name, err)
				}
			}
			return c.SendText("name:" + c.ChannelName())
		}}
		c := dial(t, s.app(), nil)
		says(t, c, "x")
		hears(t, c, "name:")
	})
}

func TestC3AChannelNameIsTheConnectionsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer()
		s := &site{
			receive: func(_ context.Context, c *consumers.Conn, _ consumers.Message) error {
				return c.SendText(c.ChannelName())
			},
			event: func(_ context.Context, c *consumers.Conn, e channellayer.Event) error {
				return c.SendText("event for " + c.ChannelName())
			},
		}
		var names []string
		for range 2 {
			c := dial(t, s.app(), layer)
			for range 2 {
				says(t, c, "name?")
				name, err := c.ReceiveText(t.Context())
				if err != nil || !channellayer.IsLocal(name) {
					t.Fatalf("got name %q, error %v", name, err)
				}
				names = append(names, name)
			}
			if err := layer.Send(t.Context(), names[len(names)-1], channellayer.Event{"type": "x"}); err != nil {
				t.Fatal(err)
			}
			hears(t, c, "event for "+names[len(names)-1])
		}
		if names[0] != names[1] || names[2] != names[3] || names[0] == names[2] {
			t.Errorf("got %q, want two names twice", names)
		}
	})
}

// underscored has the type of chat.said as a method of Python is named.
type underscored struct {
	Text string `json:"text"`
}

func (underscored) EventType() string { return "chat_said" }

func TestC4HandlerNames(t *testing.T) {
	render := func(e underscored) (consumers.Message, error) { return consumers.TextMessage(e.Text), nil }
	dotted, plain := consumers.OnGroup(renderSaid), consumers.OnGroup(render)
	long := strings.Repeat("very.long.", 10)
	tests := []struct {
		name      string
		handler   *consumers.EventHandler
		eventType string
		want      string // "" where the consumer fails
	}{
		{"a type is found as it is", dotted, "chat.said", "x"},
		{"a handler of chat.said takes chat_said", dotted, "chat_said", "x"},
		{"a handler of chat_said takes chat.said", plain, "chat.said", "x"},
		{"case counts", dotted, "Chat.said", ""},
		{"a part of a type is no type", dotted, "chat", ""},
		{"a leading underscore is refused", consumers.OnAnyGroup(anyText), "_chat_said", ""},
		{"a leading dot is refused", consumers.OnAnyGroup(anyText), ".chat.said", ""},
		{"OnAnyGroup takes any other type", consumers.OnAnyGroup(anyText), "x.y", "x"},
		{"a long type is found by its name, too", consumers.OnType(strings.ReplaceAll(long, ".", "_"), (*site).handle), long, "handled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				layer := newLayer()
				s := &site{connect: inRoom}
				app := s.app(tt.handler)
				s.event = func(_ context.Context, c *consumers.Conn, _ channellayer.Event) error { return c.SendText("handled") }
				c := dial(t, app, layer)
				groupSend(t, layer, "room", tt.eventType, "x")
				got, err := c.ReceiveText(t.Context())
				if got != tt.want || (err != nil) != (tt.want == "") {
					t.Errorf("got %q, error %v; want %q", got, err, tt.want)
				}
			})
		})
	}
}

func anyText(e channellayer.Event) (consumers.Message, error) {
	return consumers.TextMessage(e["text"].(string)), nil
}

// reserved is an event that Channels would refuse to dispatch.
type reserved struct{}

func (reserved) EventType() string { return "_private" }

// webhook is an HTTP consumer with a handler.
type webhook struct{}

func (*webhook) Handle(context.Context, *consumers.HTTPConn, []byte) error { return nil }
func (*webhook) Disconnect(context.Context, *consumers.HTTPConn) error     { return nil }
func (*site) said(_ context.Context, c *consumers.Conn, e said) error      { return c.SendText(e.Text) }

func (*site) note(_ context.Context, c *consumers.Conn, e note) error {
	return c.SendText("note " + e.Text)
}
func (*site) saidOverHTTP(context.Context, *consumers.HTTPConn, said) error { return nil }
func (*site) never(context.Context, *consumers.Conn, reserved) error        { return nil }

func TestHandlersThatCannotWorkPanicAtStart(t *testing.T) {
	newSite, newWebhook := func() *site { return new(site) }, func() *webhook { return new(webhook) }
	tests := []struct {
		name string
		make func()
	}{
		{"C4: a type that begins with an underscore", func() { consumers.On((*site).never) }},
		{"C4: a type that begins with a dot", func() {
			consumers.New(newSite, consumers.OnType(".x", (*site).handle))
		}},
		{"two handlers for one type", func() {
			consumers.New(newSite, consumers.On((*site).said), consumers.OnGroup(renderSaid))
		}},
		{"two handlers for one name", func() {
			consumers.New(newSite, consumers.On((*site).said), consumers.OnType("chat_said", (*site).handle))
		}},
		{"two handlers for all other types", func() {
			consumers.New(newSite, consumers.OnAny((*site).handle), consumers.OnAnyGroup(anyText))
		}},
		{"a handler of another consumer", func() {
			consumers.NewJSON(func() *jsonSite { return new(jsonSite) }, consumers.On((*site).said))
		}},
		{"a handler of an HTTP connection in a WebSocket's consumer", func() {
			consumers.New(newSite, consumers.On((*site).saidOverHTTP))
		}},
		{"a handler of another HTTP consumer", func() { consumers.NewHTTP(newWebhook, consumers.On((*site).saidOverHTTP)) }},
		{"a handler for a whole group in an HTTP consumer", func() { consumers.NewHTTP(newWebhook, consumers.OnGroup(renderSaid)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it did not panic")
				}
			}()
			tt.make()
		})
	}
}

func TestC5AnUnknownTypeFailsThatConnectionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer, j := newLayer(), new(journal)
		s := &site{connect: inRoom, disconnect: func(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
			j.add("disconnect %d", code)
			return nil
		}}
		c := dial(t, s.app(), layer)
		other := dial(t, (&site{connect: inRoom}).app(consumers.OnAnyGroup(anyText)), layer)
		groupSend(t, layer, "room", "no.such.type", "hello")
		hears(t, other, "hello")
		if _, err := c.Receive(t.Context()); !errors.Is(err, consumers.ErrNoHandler) {
			t.Errorf("got error %v, want ErrNoHandler", err)
		}
		j.shows(t, "disconnect 1011")
		groupSend(t, layer, "room", "x", "still here")
		hears(t, other, "still here")
	})
}

// Nothing but what was registered is ever called, whatever the type (security.md T49).
func FuzzEventType(f *testing.F) {
	for _, seed := range []string{"chat.said", "chat_said", "chat.note", "_x", ".x", "", "Connect", "disconnect", "websocket.receive", "__asgi_channel__", "é", "a.b\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, eventType string) {
		var calls atomic.Int32
		count := func(channellayer.Event) (consumers.Message, error) { calls.Add(1); return consumers.Message{}, nil }
		s := &site{
			receive: func(context.Context, *consumers.Conn, consumers.Message) error {
				t.Error("Receive was called")
				return nil
			},
		}
		layer := newLayer()
		var name string
		s.connect = func(_ context.Context, c *consumers.Conn) error {
			name = c.ChannelName()
			return c.Accept()
		}
		app := s.app(consumers.OnGroup(func(e said) (consumers.Message, error) { return count(nil) }))
		c := wstest.New(app, "/", wstest.Config{Layer: layer})
		if _, err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		sent := layer.Send(t.Context(), name, channellayer.Event{"type": eventType, "text": ""}) == nil
		err := c.Close(t.Context(), consumers.CloseNormal)
		registered := sent && strings.ReplaceAll(eventType, ".", "_") == "chat_said" && eventType[0] != '.' && eventType[0] != '_'
		if want := map[bool]int32{true: 1}[registered]; calls.Load() > want {
			t.Errorf("type %q: %d calls, want %d", eventType, calls.Load(), want)
		}
		if err != nil && !errors.Is(err, consumers.ErrNoHandler) {
			t.Errorf("type %q: %v", eventType, err)
		}
	})
}

func TestHandlersOfAllKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer()
		s := &site{connect: inRoom, event: func(_ context.Context, c *consumers.Conn, e channellayer.Event) error {
			return c.SendText(fmt.Sprintf("any %s %v", e.Type(), e["text"]))
		}}
		app := s.app(consumers.On((*site).note), consumers.OnGroup(renderSaid), consumers.OnType("odd.one",
			func(_ *site, _ context.Context, c *consumers.Conn, e channellayer.Event) error {
				return c.SendText("odd " + e["text"].(string))
			}))
		c := dial(t, app, layer)
		for _, tt := range []struct{ eventType, want string }{
			{"chat.note", "note x"}, {"chat.said", "x"}, {"odd.one", "odd x"}, {"else", "any else x"},
		} {
			groupSend(t, layer, "room", tt.eventType, "x")
			hears(t, c, tt.want)
		}
	})
}

func TestOnDecodesOnceForAllMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer()
		app := (&site{connect: inRoom}).app(consumers.On((*site).counted))
		var all []*wstest.Communicator
		for range 20 {
			all = append(all, dial(t, app, layer))
		}
		decodings.Store(0)
		groupSend(t, layer, "room", "counted", "x")
		for _, c := range all {
			hears(t, c, "x")
		}
		if got := decodings.Load(); got != 1 {
			t.Errorf("decoded %d times, want 1", got)
		}
	})
}

// countedText counts how often it is decoded.
type countedText string

var decodings atomic.Int32

func (c *countedText) UnmarshalText(text []byte) error {
	decodings.Add(1)
	*c = countedText(text)
	return nil
}

type counted struct {
	Text countedText `json:"text"`
}

func (counted) EventType() string { return "counted" }

func (*site) counted(_ context.Context, c *consumers.Conn, e counted) error {
	return c.SendText(string(e.Text))
}

func TestSendToAndGroupDiscard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer()
		s := &site{connect: inRoom, receive: func(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
			switch m.Text() {
			case "leave":
				return c.GroupDiscard(ctx, "room")
			case "room":
				return c.GroupSend(ctx, "room", said{"to the room"})
			}
			return c.SendTo(ctx, c.ChannelName(), said{"to myself"})
		}}
		c := dial(t, s.app(consumers.OnGroup(renderSaid)), layer)
		says(t, c, "room")
		hears(t, c, "to the room")
		says(t, c, "leave")
		says(t, c, "room")
		says(t, c, "me")
		hears(t, c, "to myself")
	})
}
