package consumers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/wstest"
)

// W4, W8 and what the handshake is answered with.
func TestConnectAnswersTheHandshake(t *testing.T) {
	failure := errors.New("the database is away")
	tests := []struct {
		name       string
		connect    func(ctx context.Context, c *consumers.Conn) error
		wantStatus int
		wantFailed error // what Wait returns; nil where the consumer decided
	}{
		{"W4: Accept lets in", func(_ context.Context, c *consumers.Conn) error { return c.Accept() }, 101, nil},
		{"W4: ErrDenied refuses with 403", func(context.Context, *consumers.Conn) error { return consumers.ErrDenied }, 403, nil},
		{"W4: returning without a decision refuses with 403", func(context.Context, *consumers.Conn) error { return nil }, 403, nil},
		{"W8: Close before Accept refuses with 403 whatever the code", func(_ context.Context, c *consumers.Conn) error {
			return c.Close(4001, "no")
		}, 403, nil},
		{"Deny answers with its own status", func(_ context.Context, c *consumers.Conn) error {
			return c.Deny(&consumers.Denial{Status: 429})
		}, 429, nil},
		{"a Denial that is returned answers with its own status", func(context.Context, *consumers.Conn) error {
			return &consumers.Denial{Status: 503}
		}, 503, nil},
		{"a Denial of 500 is a decision, no failure", func(context.Context, *consumers.Conn) error {
			return &consumers.Denial{Status: 500}
		}, 500, nil},
		{"a Denial is never a success", func(context.Context, *consumers.Conn) error { return &consumers.Denial{Status: 200} }, 403, nil},
		{"ErrNoRoute refuses with 404", func(context.Context, *consumers.Conn) error { return consumers.ErrNoRoute }, 404, nil},
		{"C6: ErrStop before Accept refuses with 403", func(context.Context, *consumers.Conn) error { return consumers.ErrStop }, 403, nil},
		{"an error refuses with 500", func(context.Context, *consumers.Conn) error { return failure }, 500, failure},
		{"a nil Denial refuses with 403", func(context.Context, *consumers.Conn) error {
			var d *consumers.Denial
			return d
		}, 403, nil},
		{"sending before Accept is a failure", func(_ context.Context, c *consumers.Conn) error {
			return c.SendText("too early")
		}, 500, consumers.ErrClosed},
		{"what follows Accept does not take it back", func(_ context.Context, c *consumers.Conn) error {
			if err := c.Accept(); err != nil {
				return err
			}
			return c.Deny(&consumers.Denial{Status: 400})
		}, 101, consumers.ErrAnswered},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := wstest.New((&site{connect: tt.connect}).app(), "/ws/", wstest.Config{})
				r, err := c.Connect(t.Context())
				if err != nil || r.Status != tt.wantStatus {
					t.Errorf("got status %d, error %v; want %d", r.Status, err, tt.wantStatus)
				}
				if err := c.Close(t.Context(), consumers.CloseGoingAway); !errors.Is(err, tt.wantFailed) {
					t.Errorf("the consumer failed with %v, want %v", err, tt.wantFailed)
				}
			})
		})
	}
}

func TestAcceptWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{connect: func(_ context.Context, c *consumers.Conn) error {
			offered := c.Scope().Subprotocols
			return c.AcceptWith(consumers.Acceptance{
				Subprotocol: offered[len(offered)-1],
				Header:      http.Header{"Set-Cookie": {"seen=1"}},
			})
		}}
		c := wstest.New(s.app(), "/ws/", wstest.Config{Subprotocols: []string{"v1", "v2"}})
		r, err := c.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.Subprotocol != "v2" || r.Header.Get("Set-Cookie") != "seen=1" {
			t.Errorf("W5: got subprotocol %q, header %v", r.Subprotocol, r.Header)
		}
		if err := c.Close(t.Context(), consumers.CloseGoingAway); err != nil {
			t.Error(err)
		}
	})
}

func TestTheHandshakeIsAnsweredOnce(t *testing.T) {
	tests := []struct {
		name   string
		second func(c *consumers.Conn) error
		want   error
	}{
		{"Accept after Accept", (*consumers.Conn).Accept, consumers.ErrAnswered},
		{"Deny after Accept", func(c *consumers.Conn) error { return c.Deny(&consumers.Denial{}) }, consumers.ErrAnswered},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &site{connect: func(_ context.Context, c *consumers.Conn) error {
				if err := c.Accept(); err != nil {
					return err
				}
				if err := tt.second(c); !errors.Is(err, tt.want) {
					t.Errorf("got error %v, want %v", err, tt.want)
				}
				return nil
			}}
			socket, p := start(t, s.app(), nil)
			socket.Disconnect(consumers.CloseNormal)
			<-p.ended
			p.journal.shows(t, "answer 101", "ended")
		})
	}
}

func TestNothingCanBeSentUnlessConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		check := func(when string, c *consumers.Conn) {
			for _, err := range []error{c.SendText("x"), c.SendBinary(nil), c.SendJSON(1), c.Send(consumers.TextMessage("x"))} {
				if !errors.Is(err, consumers.ErrClosed) {
					t.Errorf("%s: got error %v, want ErrClosed", when, err)
				}
			}
		}
		s := &site{
			connect: func(_ context.Context, c *consumers.Conn) error {
				check("before Accept", c)
				return c.Accept()
			},
			receive: func(_ context.Context, c *consumers.Conn, _ consumers.Message) error {
				if err := c.Close(consumers.CloseNormal, ""); err != nil {
					t.Errorf("close: %v", err)
				}
				check("after Close", c)
				if err := c.Close(consumers.CloseNormal, ""); !errors.Is(err, consumers.ErrClosed) {
					t.Errorf("a second Close: got error %v, want ErrClosed", err)
				}
				return nil
			},
			disconnect: func(_ context.Context, c *consumers.Conn, _ consumers.CloseCode) error {
				check("in Disconnect", c)
				return nil
			},
		}
		c := dial(t, s.app(), nil)
		says(t, c, "go")
		if err := c.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAcceptLater(t *testing.T) {
	decide := func(_ context.Context, c *consumers.Conn, e channellayer.Event) error {
		switch e["text"] {
		case "yes":
			return c.Accept()
		case "no":
			return c.Deny(&consumers.Denial{Status: 402})
		}
		return errors.New("no decision")
	}
	tests := []struct {
		name, verdict string
		want          int
	}{
		{"a handler of an event accepts", "yes", 101},
		{"a handler of an event refuses", "no", 402},
		{"a handler that fails refuses with 500", "perhaps", 500},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				layer := newLayer()
				s := &site{event: decide, connect: func(ctx context.Context, c *consumers.Conn) error {
					c.AcceptLater()
					return c.GroupAdd(ctx, "verdicts")
				}}
				socket, p := start(t, s.app(consumers.OnGroup(renderSaid)), layer)
				groupSend(t, layer, "verdicts", "chat.said", "too early to be shown")
				groupSend(t, layer, "verdicts", "verdict", tt.verdict)
				socket.Disconnect(consumers.CloseAbnormal)
				<-p.ended
				lines := p.journal.all()
				if lines[0] != "report consumers: event dropped: not accepted" {
					t.Errorf("got %q first, want the report of an event that nobody could be shown", lines[0])
				}
				if want := fmt.Sprint("answer ", tt.want); !slices.Contains(lines, want) {
					t.Errorf("got %q, want %s in it", lines, want)
				}
			})
		})
	}
	t.Run("the server may lose its patience", func(t *testing.T) {
		s := &site{connect: func(_ context.Context, c *consumers.Conn) error { c.AcceptLater(); return nil }}
		socket, p := start(t, s.app(), nil)
		socket.Disconnect(consumers.CloseAbnormal)
		<-p.ended
		p.journal.shows(t, "ended")
	})
}

// What a client says may come before the transport has returned from Answer.
func TestAMessageMayComeBeforeAnswerReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, received := newPeer(), make(chan struct{})
		s := &site{
			connect: func(_ context.Context, c *consumers.Conn) error {
				c.AcceptLater()
				c.Go(func(context.Context) error { return c.Accept() })
				return nil
			},
			receive: func(_ context.Context, c *consumers.Conn, m consumers.Message) error {
				defer close(received)
				return c.Send(m)
			},
		}
		socket := open(t, s.app(), nil)
		p.onAnswer = func(consumers.Response) error {
			socket.Message(consumers.TextMessage("early"))
			<-received
			return nil
		}
		socket.Start(t.Context(), p)
		synctest.Wait()
		socket.Disconnect(consumers.CloseNormal)
		<-p.ended
		p.journal.shows(t, "answer 101", "send early", "ended")
	})
}

// A Close while another goroutine accepts must not be lost.
func TestCloseWhileTheHandshakeIsAnswered(t *testing.T) {
	var conn *consumers.Conn
	s := &site{connect: func(_ context.Context, c *consumers.Conn) error {
		conn = c
		return c.Accept()
	}}
	p := newPeer()
	p.onAnswer = func(consumers.Response) error {
		if err := conn.Close(4000, "reason"); err != nil {
			t.Errorf("close: %v", err)
		}
		return nil
	}
	socket := open(t, s.app(), nil)
	socket.Start(t.Context(), p)
	socket.Disconnect(4000)
	<-p.ended
	p.journal.shows(t, "answer 101", "close 4000 ", "ended")
}

func TestAClientThatGoesBeforeTheAnswer(t *testing.T) {
	t.Run("its Connect is told by the context, and that is no failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			j := new(journal)
			s := &site{
				connect: func(ctx context.Context, _ *consumers.Conn) error { <-ctx.Done(); return ctx.Err() },
				disconnect: func(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
					j.add("disconnect %d", code)
					return nil
				},
			}
			socket, p := open(t, s.app(), nil), newPeer()
			go socket.Start(t.Context(), p)
			synctest.Wait()
			socket.Disconnect(consumers.CloseAbnormal)
			<-p.ended
			p.journal.shows(t, "ended")
			j.shows(t, "disconnect 1006")
		})
	})
	t.Run("it is not answered any more", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &site{connect: func(ctx context.Context, c *consumers.Conn) error {
				<-ctx.Done()
				if err := c.Deny(&consumers.Denial{}); !errors.Is(err, consumers.ErrClosed) {
					t.Errorf("Deny: got error %v, want ErrClosed", err)
				}
				return c.Accept()
			}}
			socket, p := open(t, s.app(), nil), newPeer()
			go socket.Start(t.Context(), p)
			synctest.Wait()
			socket.Disconnect(consumers.CloseAbnormal)
			<-p.ended
			p.journal.shows(t, "ended")
		})
	})
	t.Run("Accept fails with ErrClosed, which is no failure", func(t *testing.T) {
		p := newPeer()
		p.onAnswer = func(consumers.Response) error { return consumers.ErrClosed }
		socket := open(t, (&site{}).app(), nil)
		socket.Start(t.Context(), p)
		<-p.ended
		p.journal.shows(t, "answer 101", "ended")
	})
	t.Run("before Start there is no Connect", func(t *testing.T) {
		s := &site{
			connect: func(context.Context, *consumers.Conn) error { t.Error("Connect was called"); return nil },
			disconnect: func(context.Context, *consumers.Conn, consumers.CloseCode) error {
				t.Error("Disconnect was called")
				return nil
			},
		}
		socket, p := open(t, s.app(), nil), newPeer()
		socket.Disconnect(consumers.CloseAbnormal)
		socket.Start(t.Context(), p)
		<-p.ended
		p.journal.shows(t, "ended")
	})
}

func TestWhatComesBeforeStartWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{receive: func(_ context.Context, c *consumers.Conn, m consumers.Message) error { return c.Send(m) }}
		socket, p := open(t, s.app(), nil), newPeer()
		socket.Message(consumers.TextMessage("early"))
		synctest.Wait()
		p.journal.shows(t)
		socket.Start(t.Context(), p)
		socket.Disconnect(consumers.CloseNormal)
		<-p.ended
		p.journal.shows(t, "answer 101", "send early", "ended")
	})
}

// The request's header is most of what a handshake takes, so nothing of it may be kept.
func TestTheRequestIsForgottenAfterConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		check := func(when string, c *consumers.Conn, want int) {
			if got := len(c.Scope().Header); got != want {
				t.Errorf("%s: got %d header fields, want %d", when, got, want)
			}
			if got := len(c.Scope().Cookies); got != want {
				t.Errorf("%s: got %d cookies, want %d", when, got, want)
			}
		}
		s := &site{
			connect: func(_ context.Context, c *consumers.Conn) error {
				check("in Connect", c, 1)
				return c.Accept()
			},
			receive: func(_ context.Context, c *consumers.Conn, _ consumers.Message) error {
				check("in Receive", c, 0)
				return c.SendText("checked")
			},
		}
		c := wstest.New(s.app(), "/ws/", wstest.Config{Header: http.Header{"Cookie": {"a=b"}}})
		c.Scope().Cookies = map[string]string{"a": "b"}
		if r, err := c.Connect(t.Context()); err != nil || r.Status != 101 {
			t.Fatalf("got status %d, error %v", r.Status, err)
		}
		says(t, c, "check")
		hears(t, c, "checked")
		if err := c.Close(t.Context(), consumers.CloseNormal); err != nil {
			t.Error(err)
		}
	})
}

func TestConnectSeesTheValuesOfTheServersContextAndNotItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		s := &site{receive: func(ctx context.Context, c *consumers.Conn, _ consumers.Message) error {
			select {
			case <-ctx.Done():
				t.Errorf("the context is done: %v", ctx.Err())
			default:
			}
			return c.SendText(ctx.Value(key{}).(string))
		}}
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), time.Second)
		socket, p := open(t, s.app(), nil), newPeer()
		socket.Start(ctx, p)
		cancel()
		socket.Message(consumers.TextMessage("x"))
		synctest.Wait()
		socket.Disconnect(consumers.CloseNormal)
		<-p.ended
		p.journal.shows(t, "answer 101", "send value", "ended")
	})
}
