package consumers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/wstest"
)

var errSite = errors.New("the site made a mistake")

func TestC6ErrStopEndsWithoutAFailure(t *testing.T) {
	stop := func() error { return fmt.Errorf("enough: %w", consumers.ErrStop) }
	tests := []struct {
		name string
		site *site
	}{
		{"from Connect", &site{connect: func(_ context.Context, c *consumers.Conn) error {
			if err := c.Accept(); err != nil {
				return err
			}
			return stop()
		}}},
		{"from Receive", &site{receive: func(context.Context, *consumers.Conn, consumers.Message) error { return stop() }}},
		{"from a handler of an event", &site{
			receive: func(ctx context.Context, c *consumers.Conn, _ consumers.Message) error {
				return c.SendTo(ctx, c.ChannelName(), note{})
			},
			event: func(context.Context, *consumers.Conn, channellayer.Event) error { return stop() },
		}},
		{"from what Go has started", &site{receive: func(_ context.Context, c *consumers.Conn, _ consumers.Message) error {
			c.Go(func(context.Context) error { return stop() })
			return nil
		}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := new(journal)
				tt.site.disconnect = func(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
					j.add("disconnect %d", code)
					return consumers.ErrStop
				}
				c := dial(t, tt.site.app(), newLayer())
				_ = c.SendText("go") // in the first row it may be over already
				wantClosed(t, c, consumers.CloseNormal, "")
				if err := c.Wait(t.Context()); err != nil {
					t.Errorf("the consumer failed with %v", err)
				}
				j.shows(t, "disconnect 1000")
			})
		})
	}
}

// faults are all places in which a consumer can go wrong after it has accepted.
func faults(fault func() error) map[string]*site {
	return map[string]*site{
		"Connect": {connect: func(ctx context.Context, c *consumers.Conn) error {
			if err := inRoom(ctx, c); err != nil {
				return err
			}
			return fault()
		}},
		"Receive": {connect: inRoom, receive: func(context.Context, *consumers.Conn, consumers.Message) error { return fault() }},
		"a handler": {
			connect: inRoom,
			receive: func(ctx context.Context, c *consumers.Conn, _ consumers.Message) error {
				return c.SendTo(ctx, c.ChannelName(), note{})
			},
			event: func(context.Context, *consumers.Conn, channellayer.Event) error { return fault() },
		},
		"what Go has started": {connect: inRoom, receive: func(_ context.Context, c *consumers.Conn, _ consumers.Message) error {
			c.Go(func(context.Context) error { return fault() })
			return nil
		}},
	}
}

func TestC7AFaultEndsOneConnectionInOrder(t *testing.T) {
	kinds := map[string]func() error{
		"an error": func() error { return errSite },
		"a panic":  func() error { panic("what a client said") },
	}
	for kind, fault := range kinds {
		for place, s := range faults(fault) {
			t.Run(kind+" in "+place, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					j := new(journal)
					layer := journalLayer{newLayer(), j}
					other := dial(t, (&site{connect: inRoom, receive: echo}).app(consumers.OnAnyGroup(anyText)), layer.Layer)
					s.disconnect = func(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
						j.add("disconnect %d", code)
						return nil
					}
					c := dial(t, s.app(), layer)
					_ = c.SendText("go") // where Connect fails it is over already
					err := c.Wait(t.Context())
					panicked, isPanic := errors.AsType[*consumers.PanicError](err)
					if want := kind == "a panic"; isPanic != want || !want && !errors.Is(err, errSite) {
						t.Errorf("reported %v", err)
					}
					if isPanic && (strings.Contains(err.Error(), "client") || panicked.Value != "what a client said" || len(panicked.Stack) == 0) {
						t.Errorf("got %v with value %v and %d bytes of stack", err, panicked.Value, len(panicked.Stack))
					}
					j.shows(t, "add room", "disconnect 1011", "leave")
					groupSend(t, layer, "room", "x", "the others go on")
					hears(t, other, "the others go on")
					says(t, other, "unharmed")
					hears(t, other, "unharmed")
				})
			})
		}
	}
}

func echo(_ context.Context, c *consumers.Conn, m consumers.Message) error { return c.Send(m) }

func TestAFaultIsClosedWith1011(t *testing.T) {
	s := &site{receive: func(context.Context, *consumers.Conn, consumers.Message) error { return errSite }}
	socket, p := start(t, s.app(), nil)
	socket.Message(consumers.TextMessage("x"))
	<-p.ended
	p.journal.shows(t, "answer 101", "report the site made a mistake", "close 1011 ", "ended")
}

func TestAFaultEndsTheContext(t *testing.T) {
	var connection context.Context
	s := &site{receive: func(ctx context.Context, _ *consumers.Conn, _ consumers.Message) error {
		connection = ctx
		return errSite
	}}
	socket, p := start(t, s.app(), nil)
	socket.Message(consumers.TextMessage("x"))
	<-p.ended
	<-connection.Done()
}

func TestC7APanicInDisconnectLeavesTheGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		s := &site{connect: inRoom, disconnect: func(context.Context, *consumers.Conn, consumers.CloseCode) error { panic("x") }}
		c := dial(t, s.app(), journalLayer{newLayer(), j})
		err := c.Close(t.Context(), consumers.CloseNormal)
		if _, ok := errors.AsType[*consumers.PanicError](err); !ok {
			t.Errorf("got error %v, want a PanicError", err)
		}
		j.shows(t, "add room", "leave")
	})
}

func TestC7APanicInOnGroupHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer()
		app := (&site{connect: inRoom}).app(consumers.OnGroup(func(e said) (consumers.Message, error) {
			if e.Text == "boom" {
				panic(e.Text)
			}
			return consumers.TextMessage(e.Text), nil
		}))
		a, b := dial(t, app, layer), dial(t, app, layer)
		groupSend(t, layer, "room", "chat.said", "boom")
		panics, dropped := 0, 0
		for _, err := range append(a.Reported(), b.Reported()...) {
			if _, ok := errors.AsType[*consumers.PanicError](err); ok {
				panics++
			}
			if _, ok := errors.AsType[*consumers.EventError](err); ok {
				dropped++
			}
		}
		if panics != 1 || dropped != 2 {
			t.Errorf("reported %d panics and %d dropped events, want 1 and 2", panics, dropped)
		}
		for _, c := range []*wstest.Communicator{a, b} {
			groupSend(t, layer, "room", "chat.said", "fine")
			hears(t, c, "fine")
		}
	})
}

func TestW2GroupsFromTheBeginning(t *testing.T) {
	tests := []struct {
		name   string
		groups func() []string
		site   site
		status int
		want   []string
	}{
		{
			"W2: joined before Connect, left before Disconnect", func() []string { return []string{"a", "b"} },
			site{},
			101,
			[]string{"add a", "add b", "connect", "discard a", "discard b", "disconnect 1001", "leave"},
		},
		{
			"W2: also where Connect refuses", func() []string { return []string{"a"} },
			site{connect: func(context.Context, *consumers.Conn) error { return consumers.ErrDenied }},
			403,
			[]string{"add a", "connect", "discard a", "disconnect 1006", "leave"},
		},
		{"W2: none is none", func() []string { return nil }, site{}, 101, []string{"connect", "disconnect 1001"}},
		{
			"a name that is none refuses before Connect", func() []string { return []string{"a", "not a name"} },
			site{},
			500,
			[]string{"add a", "add not a name", "discard a", "discard not a name", "leave"},
		},
		{"C7: a panic refuses before Connect", func() []string { panic("x") }, site{}, 500, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := new(journal)
				g := &grouped{tt.site, tt.groups}
				g.connect = func(ctx context.Context, c *consumers.Conn) error {
					j.add("connect")
					return tt.site.Connect(ctx, c)
				}
				g.disconnect = func(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
					j.add("disconnect %d", code)
					return nil
				}
				app := consumers.New(func() *grouped { return g })
				c := wstest.New(app, "/", wstest.Config{Layer: journalLayer{newLayer(), j}})
				r, err := c.Connect(t.Context())
				if err != nil || r.Status != tt.status {
					t.Errorf("got status %d, error %v; want %d", r.Status, err, tt.status)
				}
				if err := c.Close(t.Context(), consumers.CloseGoingAway); (err != nil) != (tt.status == 500) {
					t.Errorf("the consumer failed with %v", err)
				}
				j.shows(t, tt.want...)
			})
		})
	}
}

func TestW3GroupsNeedALayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &grouped{groups: func() []string { return []string{"a"} }}
		g.connect = func(context.Context, *consumers.Conn) error { t.Error("Connect was called"); return nil }
		g.disconnect = func(context.Context, *consumers.Conn, consumers.CloseCode) error {
			t.Error("Disconnect was called")
			return nil
		}
		c := wstest.New(consumers.New(func() *grouped { return g }), "/", wstest.Config{})
		r, err := c.Connect(t.Context())
		if err != nil || r.Status != 500 {
			t.Errorf("got status %d, error %v; want 500", r.Status, err)
		}
		if err := c.Close(t.Context(), consumers.CloseNormal); !errors.Is(err, consumers.ErrNoLayer) {
			t.Errorf("got error %v, want ErrNoLayer", err)
		}
	})
}

func TestF38AConsumerThatDoesNotEndIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, release := new(journal), make(chan struct{})
		s := &site{
			receive: func(ctx context.Context, _ *consumers.Conn, _ consumers.Message) error {
				<-ctx.Done()
				j.add("told")
				<-release // it does not listen
				return ctx.Err()
			},
			disconnect: func(context.Context, *consumers.Conn, consumers.CloseCode) error { j.add("disconnect"); return nil },
		}
		socket, p := start(t, s.app(), nil)
		socket.Message(consumers.TextMessage("x"))
		socket.Disconnect(consumers.CloseNormal)
		<-time.After(10*time.Second - 1)
		synctest.Wait()
		j.shows(t)
		<-time.After(1)
		synctest.Wait()
		j.shows(t, "told")
		close(release)
		<-p.ended
		j.shows(t, "told", "disconnect")
		p.journal.shows(t, "answer 101", "report "+consumers.ErrStuck.Error(), "ended")
	})
}

func TestDisconnectHasTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{disconnect: func(ctx context.Context, _ *consumers.Conn, _ consumers.CloseCode) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		began := time.Now()
		socket, p := start(t, s.app(), nil)
		socket.Disconnect(consumers.CloseNormal)
		<-p.ended
		if got := time.Since(began); got != 10*time.Second {
			t.Errorf("Disconnect had %v, want 10s", got)
		}
		p.journal.shows(t, "answer 101", "report "+context.DeadlineExceeded.Error(), "ended")
	})
}

func TestChannelsAreClosedWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer()
		var conn *consumers.Conn
		s := &site{
			connect: func(ctx context.Context, c *consumers.Conn) error {
				conn = c
				return inRoom(ctx, c)
			},
			disconnect: func(ctx context.Context, c *consumers.Conn, _ consumers.CloseCode) error {
				if c.ChannelName() == "" {
					t.Error("the channel's name is unknown in Disconnect")
				}
				return c.GroupDiscard(ctx, "room") // as Channels' consumers do
			},
		}
		c := dial(t, s.app(), layer)
		if err := c.Close(t.Context(), consumers.CloseNormal); err != nil {
			t.Error(err)
		}
		if got := conn.ChannelName(); got != "" {
			t.Errorf("got name %q after the end", got)
		}
		if err := conn.GroupAdd(t.Context(), "room"); !errors.Is(err, consumers.ErrClosed) {
			t.Errorf("GroupAdd after the end: got error %v, want ErrClosed", err)
		}
		if err := conn.GroupSend(t.Context(), "room", said{}); err != nil {
			t.Errorf("GroupSend after the end: %v", err)
		}
	})
}
