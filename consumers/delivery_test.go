package consumers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/wstest"
)

func TestOnGroupRendersOnceForAllMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const members = 50
		layer := newLayer()
		var renders atomic.Int32
		app := (&site{connect: inRoom}).app(consumers.OnGroup(func(e said) (consumers.Message, error) {
			renders.Add(1)
			return consumers.TextMessage(e.Text), nil
		}))
		var all []*wstest.Communicator
		for range members {
			all = append(all, dial(t, app, layer))
		}
		for i := range 3 {
			groupSend(t, layer, "room", "chat.said", fmt.Sprint("message ", i))
		}
		for _, c := range all {
			for i := range 3 {
				hears(t, c, fmt.Sprint("message ", i))
			}
		}
		if got := renders.Load(); got != 3 {
			t.Errorf("rendered %d times for 3 events and %d members, want 3", got, members)
		}
	})
}

// A frame for the whole group overtakes nothing that waits for a consumer.
func TestOnGroupKeepsOrderWithHandlersOfAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer, gate := newLayer(), make(chan struct{})
		s := &site{connect: inRoom, receive: func(_ context.Context, c *consumers.Conn, _ consumers.Message) error {
			<-gate
			return c.SendText("received")
		}}
		c := dial(t, s.app(consumers.On((*site).note), consumers.OnGroup(renderSaid)), layer)
		says(t, c, "wait")
		synctest.Wait()
		want := []string{"received"}
		for i := range 20 {
			text := fmt.Sprint(i)
			if i%2 == 0 {
				groupSend(t, layer, "room", "chat.note", text)
				want = append(want, "note "+text)
			} else {
				groupSend(t, layer, "room", "chat.said", text)
				want = append(want, text)
			}
		}
		if got := c.Pending(); got != 0 {
			t.Errorf("%d messages overtook the one that waits", got)
		}
		close(gate)
		for _, text := range want {
			hears(t, c, text)
		}
	})
}

// While a frame for the whole group is sent, on the layer's goroutine, other things may happen.
func TestOnGroupForgetsNothingThatComesMeanwhile(t *testing.T) {
	tests := []struct {
		name      string
		meanwhile func(s *consumers.Socket)
		want      []string
	}{
		{"a message is handled", func(s *consumers.Socket) { s.Message(consumers.TextMessage("meanwhile")) }, []string{"answer 101", "send x", "send meanwhile"}},
		{"the end is", func(s *consumers.Socket) { s.Disconnect(consumers.CloseNormal) }, []string{"answer 101", "send x", "ended"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				layer := newLayer()
				socket, p := start(t, (&site{connect: inRoom, receive: echo}).app(consumers.OnGroup(renderSaid)), layer)
				p.onSend = func() {
					p.onSend = nil
					tt.meanwhile(socket)
				}
				groupSend(t, layer, "room", "chat.said", "x")
				p.journal.shows(t, tt.want...)
				socket.Disconnect(consumers.CloseNormal)
				<-p.ended
			})
		})
	}
}

func TestARenderedMessageWithoutKindSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer()
		app := (&site{connect: inRoom}).app(consumers.OnGroup(func(e said) (consumers.Message, error) {
			if e.Text == "secret" {
				return consumers.Message{}, nil
			}
			return consumers.TextMessage(e.Text), nil
		}))
		c := dial(t, app, layer)
		groupSend(t, layer, "room", "chat.said", "secret")
		groupSend(t, layer, "room", "chat.said", "told")
		hears(t, c, "told")
		if got := c.Reported(); len(got) != 0 {
			t.Errorf("reported %v, want nothing", got)
		}
	})
}

func TestAMalformedEventIsDroppedAndReported(t *testing.T) {
	refuse := consumers.OnGroup(func(e said) (consumers.Message, error) {
		if e.Text == "bad" {
			return consumers.Message{}, errors.New("it cannot be shown")
		}
		return consumers.TextMessage(e.Text), nil
	})
	tests := []struct {
		name    string
		handler *consumers.EventHandler
		text    any
	}{
		{"On: what does not fit the struct", consumers.On((*site).said), []any{}},
		{"OnGroup: what does not fit the struct", consumers.OnGroup(renderSaid), int64(1)},
		{"OnGroup: what the function refuses", refuse, "bad"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				layer := newLayer()
				c := dial(t, (&site{connect: inRoom}).app(tt.handler), layer)
				if err := layer.GroupSend(t.Context(), "room", channellayer.Event{"type": "chat.said", "text": tt.text}); err != nil {
					t.Fatal(err)
				}
				groupSend(t, layer, "room", "chat.said", "good")
				hears(t, c, "good")
				wantDropped(t, c, "malformed")
			})
		})
	}
}

// wantDropped fails the test unless exactly these events were dropped, and nothing else was reported.
func wantDropped(t *testing.T, c *wstest.Communicator, want ...string) {
	t.Helper()
	var got []string
	for _, err := range c.Reported() {
		if dropped, ok := errors.AsType[*consumers.EventError](err); ok {
			got = append(got, dropped.Reason)
		} else {
			t.Errorf("reported %v", err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("dropped %q, want %q", got, want)
	}
}

func TestAnExpiredEventIsDroppedAndReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := memlayer.New(memlayer.Config{Expiry: 5 * time.Second})
		s := &site{connect: inRoom, receive: func(context.Context, *consumers.Conn, consumers.Message) error {
			<-time.After(10 * time.Second)
			return nil
		}}
		c := dial(t, s.app(consumers.On((*site).note), consumers.OnGroup(renderSaid)), layer)
		says(t, c, "be slow")
		synctest.Wait()
		groupSend(t, layer, "room", "chat.note", "stale")
		groupSend(t, layer, "room", "chat.said", "stale")
		<-time.After(6 * time.Second)
		groupSend(t, layer, "room", "chat.said", "fresh")
		hears(t, c, "fresh")
		wantDropped(t, c, "expired", "expired")
	})
}

func TestEventsBeyondTheCapacityAreDroppedByTheLayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer, gate := memlayer.New(memlayer.Config{Capacity: 3}), make(chan struct{})
		var name string
		s := &site{
			connect: func(ctx context.Context, c *consumers.Conn) error {
				name = c.ChannelName()
				return inRoom(ctx, c)
			},
			receive: func(context.Context, *consumers.Conn, consumers.Message) error { <-gate; return nil },
		}
		c := dial(t, s.app(consumers.OnGroup(renderSaid)), layer)
		other := dial(t, (&site{connect: inRoom}).app(consumers.OnGroup(renderSaid)), layer)
		says(t, c, "wait")
		synctest.Wait()
		for i := range 5 {
			groupSend(t, layer, "room", "chat.said", fmt.Sprint(i))
		}
		if err := layer.Send(t.Context(), name, channellayer.Event{"type": "chat.said"}); !errors.Is(err, channellayer.ErrFull) {
			t.Errorf("send to a full consumer: got error %v, want ErrFull", err)
		}
		close(gate)
		synctest.Wait()
		if got := c.Pending(); got != 3 {
			t.Errorf("got %d messages, want the 3 that there was room for", got)
		}
		if got := other.Pending(); got != 5 {
			t.Errorf("the other member got %d messages, want 5", got)
		}
	})
}
