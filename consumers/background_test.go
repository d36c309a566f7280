package consumers_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/consumers"
)

func TestC11GoIsToldAndWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		s := &site{
			connect: func(_ context.Context, c *consumers.Conn) error {
				c.Go(func(ctx context.Context) error {
					<-ctx.Done()
					<-time.After(3 * time.Second)
					j.add("returned")
					return ctx.Err()
				})
				return c.Accept()
			},
			disconnect: func(context.Context, *consumers.Conn, consumers.CloseCode) error { j.add("disconnect"); return nil },
		}
		began := time.Now()
		socket, p := start(t, s.app(), nil)
		socket.Disconnect(consumers.CloseNormal)
		<-p.ended
		if got := time.Since(began); got != 3*time.Second {
			t.Errorf("the connection ended after %v, want 3s", got)
		}
		j.shows(t, "returned", "disconnect")
		p.journal.shows(t, "answer 101", "ended")
	})
}

func TestGoIsToldWhileAMessageIsHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		s := &site{
			connect: func(_ context.Context, c *consumers.Conn) error {
				c.Go(func(ctx context.Context) error { <-ctx.Done(); j.add("told"); return nil })
				return c.Accept()
			},
			receive: func(ctx context.Context, _ *consumers.Conn, _ consumers.Message) error {
				<-time.After(time.Second)
				j.add("received, context %v", ctx.Err())
				return nil
			},
		}
		socket, p := start(t, s.app(), nil)
		socket.Message(consumers.TextMessage("x"))
		socket.Disconnect(consumers.CloseNormal)
		<-p.ended
		j.shows(t, "told", "received, context <nil>")
		<-time.After(time.Minute)
		p.journal.shows(t, "answer 101", "ended") // it was in time
	})
}

func TestF38GoThatDoesNotReturnIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, release := new(journal), make(chan struct{})
		layer := journalLayer{newLayer(), j}
		s := &site{
			connect: func(ctx context.Context, c *consumers.Conn) error {
				c.Go(func(context.Context) error { <-release; return nil })
				return inRoom(ctx, c)
			},
			disconnect: func(context.Context, *consumers.Conn, consumers.CloseCode) error { j.add("disconnect"); return nil },
		}
		socket, p := start(t, s.app(), layer)
		socket.Disconnect(consumers.CloseNormal)
		<-time.After(11 * time.Second)
		j.shows(t, "add room", "disconnect", "leave")
		p.journal.shows(t, "answer 101", "report "+consumers.ErrStuck.Error())
		close(release)
		<-p.ended
		p.journal.shows(t, "answer 101", "report "+consumers.ErrStuck.Error(), "ended")
	})
}

func TestGoAndTheEnd(t *testing.T) {
	tests := []struct {
		name string
		f    func(ctx context.Context, c *consumers.Conn) error
		want []string
	}{
		{"an error closes with 1011", func(context.Context, *consumers.Conn) error { return errSite }, []string{"answer 101", "report " + errSite.Error(), "close 1011 ", "ended"}},
		{"nil means nothing", func(context.Context, *consumers.Conn) error { return nil }, []string{"answer 101", "ended"}},
		{"ErrClosed means nothing", func(context.Context, *consumers.Conn) error { return consumers.ErrClosed }, []string{"answer 101", "ended"}},
		{"Canceled is a failure while the connection is open", func(context.Context, *consumers.Conn) error { return context.Canceled }, []string{"answer 101", "report context canceled", "close 1011 ", "ended"}},
		{"a panic after the end is reported", func(ctx context.Context, _ *consumers.Conn) error { <-ctx.Done(); panic("x") }, []string{"answer 101", "report consumers: a consumer panicked", "ended"}},
		{"another error after the end is reported", func(ctx context.Context, _ *consumers.Conn) error { <-ctx.Done(); return errSite }, []string{"answer 101", "report " + errSite.Error(), "ended"}},
		{"it can close", func(_ context.Context, c *consumers.Conn) error { return c.Close(4000, "bye") }, []string{"answer 101", "close 4000 bye", "ended"}},
		{"it can start others", func(_ context.Context, c *consumers.Conn) error {
			c.Go(func(context.Context) error { return c.SendText("from within") })
			return nil
		}, []string{"answer 101", "send from within", "ended"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &site{receive: func(_ context.Context, c *consumers.Conn, _ consumers.Message) error {
					c.Go(func(ctx context.Context) error { return tt.f(ctx, c) })
					return nil
				}}
				socket, p := start(t, s.app(), nil)
				socket.Message(consumers.TextMessage("x"))
				synctest.Wait()
				socket.Disconnect(consumers.CloseNormal)
				<-p.ended
				p.journal.shows(t, tt.want...)
			})
		})
	}
}

func TestGoAtOtherTimes(t *testing.T) {
	t.Run("once Disconnect was called it does nothing", func(t *testing.T) {
		s := &site{disconnect: func(_ context.Context, c *consumers.Conn, _ consumers.CloseCode) error {
			c.Go(func(context.Context) error { t.Error("it ran"); return nil })
			return nil
		}}
		socket, p := start(t, s.app(), nil)
		socket.Disconnect(consumers.CloseNormal)
		<-p.ended
	})
	t.Run("started when the client has gone, it is told at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &site{receive: func(_ context.Context, c *consumers.Conn, _ consumers.Message) error {
				<-time.After(time.Second)
				told := make(chan struct{})
				c.Go(func(ctx context.Context) error {
					defer close(told)
					<-ctx.Done()
					return nil
				})
				<-told // while the message is still being handled
				return nil
			}}
			socket, p := start(t, s.app(), nil)
			socket.Message(consumers.TextMessage("x"))
			socket.Disconnect(consumers.CloseNormal)
			<-p.ended
			p.journal.shows(t, "answer 101", "ended")
		})
	})
	t.Run("a failure before the answer refuses the handshake", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &site{connect: func(_ context.Context, c *consumers.Conn) error {
				c.AcceptLater()
				c.Go(func(context.Context) error { return errSite })
				return nil
			}}
			_, p := start(t, s.app(), nil)
			<-p.ended
			p.journal.shows(t, "report "+errSite.Error(), "answer 500", "ended")
		})
	})
}

// What is derived from a connection's context ends with it, and takes no goroutine meanwhile.
func TestDerivedContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		derived := make(map[string]context.Context)
		after := make(chan struct{})
		s := &site{connect: func(ctx context.Context, c *consumers.Conn) error {
			goroutines := runtime.NumGoroutine()
			withValue := context.WithValue(ctx, key{}, "v")
			var cancel context.CancelFunc
			derived["WithCancel"], cancel = context.WithCancel(ctx)
			t.Cleanup(cancel)
			derived["WithTimeout"], cancel = context.WithTimeout(withValue, time.Hour)
			t.Cleanup(cancel)
			derived["of a derived one"], cancel = context.WithCancel(derived["WithCancel"])
			t.Cleanup(cancel)
			derived["itself"] = ctx
			context.AfterFunc(ctx, func() { close(after) })
			if _, has := ctx.Deadline(); has {
				t.Error("a connection's context has a deadline")
			}
			if got := runtime.NumGoroutine(); got > goroutines {
				t.Errorf("%d goroutines watch the context, want none", got-goroutines)
			}
			return c.Accept()
		}}
		socket, p := start(t, s.app(), nil)
		synctest.Wait()
		for name, ctx := range derived {
			if ctx.Err() != nil {
				t.Errorf("%s: done before the end: %v", name, ctx.Err())
			}
		}
		if derived["WithTimeout"].Value(key{}) != "v" {
			t.Error("a derived context lost its value")
		}
		socket.Disconnect(consumers.CloseNormal)
		<-p.ended
		for name, ctx := range derived {
			<-ctx.Done()
			if !errors.Is(ctx.Err(), context.Canceled) || !errors.Is(context.Cause(ctx), context.Canceled) {
				t.Errorf("%s: got %v, cause %v; want Canceled", name, ctx.Err(), context.Cause(ctx))
			}
		}
		<-after
		late, cancel := context.WithCancel(derived["itself"])
		defer cancel()
		<-late.Done()
	})
}
