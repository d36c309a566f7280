package consumers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/wstest"
)

// wantClosed fails the test unless the next thing that comes is that the consumer closes.
func wantClosed(t *testing.T, c *wstest.Communicator, code consumers.CloseCode, reason string) {
	t.Helper()
	_, err := c.Receive(t.Context())
	closed, ok := errors.AsType[*wstest.CloseError](err)
	if !ok || closed.Code != code || closed.Reason != reason {
		t.Errorf("got error %#v, want a close with %d %q", err, code, reason)
	}
}

func TestW8CloseAfterAccept(t *testing.T) {
	long := strings.Repeat("é", 62) // 124 bytes
	tests := []struct {
		name       string
		code       consumers.CloseCode
		reason     string
		wantCode   consumers.CloseCode
		wantReason string
	}{
		{"a code of the application's", 4001, "kicked", 4001, "kicked"},
		{"1000", consumers.CloseNormal, "", 1000, ""},
		{"registered codes", consumers.CloseTryAgainLater, "", 1013, ""},
		{"0 is no code", 0, "", 1011, ""},
		{"1005 is never sent", consumers.CloseNoStatus, "", 1011, ""},
		{"1006 is never sent", consumers.CloseAbnormal, "", 1011, ""},
		{"1004 is reserved", 1004, "", 1011, ""},
		{"1015 is never sent", 1015, "", 1011, ""},
		{"2999 belongs to nobody", 2999, "", 1011, ""},
		{"5000 is no code", 5000, "", 1011, ""},
		{"a reason of 123 bytes is whole", 4001, long[1:], 4001, "\uFFFD" + long[2:122]},
		{"a longer reason is cut between characters", 4001, long, 4001, long[:122]},
		{"what is no UTF-8 in a reason is replaced", 4001, "a\xffb", 4001, "a\uFFFDb"},
		{"a cut does not split what was replaced", 4001, strings.Repeat("a\xff", 60), 4001, strings.Repeat("a\uFFFD", 30) + "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := new(journal)
				s := &site{
					receive: func(_ context.Context, c *consumers.Conn, _ consumers.Message) error {
						return c.Close(tt.code, tt.reason)
					},
					disconnect: func(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
						j.add("disconnect %d", code)
						return nil
					},
				}
				c := dial(t, s.app(), nil)
				says(t, c, "close")
				wantClosed(t, c, tt.wantCode, tt.wantReason)
				if len(tt.wantReason) > 123 {
					t.Fatalf("the row wants a reason of %d bytes", len(tt.wantReason))
				}
				if err := c.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				j.shows(t, fmt.Sprint("disconnect ", tt.wantCode))
			})
		})
	}
}

func TestNothingIsDispatchedAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer, j, gate := newLayer(), new(journal), make(chan struct{})
		s := &site{
			connect: inRoom,
			receive: func(_ context.Context, c *consumers.Conn, m consumers.Message) error {
				j.add("receive %s", m.Text())
				<-gate
				return c.Close(consumers.ClosePolicyViolation, "")
			},
			event: func(context.Context, *consumers.Conn, channellayer.Event) error { j.add("event"); return nil },
			disconnect: func(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
				j.add("disconnect %d", code)
				return nil
			},
		}
		socket, p := start(t, s.app(), layer)
		socket.Message(consumers.TextMessage("0"))
		synctest.Wait()
		more := true
		for range 16 {
			more = socket.Message(consumers.TextMessage("next"))
		}
		if more {
			t.Error("16 messages that wait do not fill the mailbox")
		}
		groupSend(t, layer, "room", "x", "")
		close(gate)
		synctest.Wait()
		if !socket.Message(consumers.TextMessage("late")) {
			t.Error("a message after Close stopped the server from reading for the answer to the close frame")
		}
		groupSend(t, layer, "room", "x", "")
		j.shows(t, "receive 0")
		socket.Disconnect(consumers.ClosePolicyViolation)
		<-p.ended
		j.shows(t, "receive 0", "disconnect 1008")
		p.journal.shows(t, "answer 101", "close 1008 ", "resume", "ended")
	})
}

func TestW10DisconnectIsToldTheCodeOnce(t *testing.T) {
	for _, code := range []consumers.CloseCode{
		consumers.CloseNormal, consumers.CloseGoingAway, consumers.CloseNoStatus, consumers.CloseAbnormal, 4321,
	} {
		t.Run(fmt.Sprint("W10: ", code), func(t *testing.T) {
			j := new(journal)
			s := &site{disconnect: func(ctx context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
				j.add("disconnect %d, context %v", code, ctx.Err())
				return nil
			}}
			socket, p := start(t, s.app(), nil)
			socket.Disconnect(code)
			socket.Disconnect(consumers.CloseInternalError)
			<-p.ended
			socket.Disconnect(consumers.CloseInternalError)
			j.shows(t, fmt.Sprintf("disconnect %d, context <nil>", code))
			p.journal.shows(t, "answer 101", "ended")
		})
	}
}

func TestNothingIsSentToAClientThatHasGone(t *testing.T) {
	s := &site{disconnect: func(_ context.Context, c *consumers.Conn, _ consumers.CloseCode) error {
		for _, err := range []error{c.SendText("x"), c.Close(consumers.CloseNormal, "")} {
			if !errors.Is(err, consumers.ErrClosed) {
				t.Errorf("got error %v, want ErrClosed", err)
			}
		}
		return nil
	}}
	socket, p := start(t, s.app(), nil)
	socket.Disconnect(consumers.CloseNormal)
	<-p.ended
	p.journal.shows(t, "answer 101", "ended")
}

func TestTheFirstReasonToCloseCounts(t *testing.T) {
	t.Run("an error after the client has gone does not change the code", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			j, gate := new(journal), make(chan struct{})
			s := &site{
				receive: func(context.Context, *consumers.Conn, consumers.Message) error { <-gate; return errSite },
				disconnect: func(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
					j.add("disconnect %d", code)
					return nil
				},
			}
			socket, p := start(t, s.app(), nil)
			socket.Message(consumers.TextMessage("x"))
			synctest.Wait()
			socket.Disconnect(consumers.CloseGoingAway)
			close(gate)
			<-p.ended
			j.shows(t, "disconnect 1001")
			p.journal.shows(t, "answer 101", "report "+errSite.Error(), "ended")
		})
	})
	t.Run("an error after Close does not change the code", func(t *testing.T) {
		j := new(journal)
		s := &site{
			receive: func(_ context.Context, c *consumers.Conn, _ consumers.Message) error {
				return errors.Join(c.Close(4000, ""), errSite)
			},
			disconnect: func(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
				j.add("disconnect %d", code)
				return nil
			},
		}
		socket, p := start(t, s.app(), nil)
		socket.Message(consumers.TextMessage("x"))
		<-p.ended
		j.shows(t, "disconnect 4000")
	})
}

func TestLastWordsAreHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer, gate := newLayer(), make(chan struct{})
		other := dial(t, (&site{connect: inRoom}).app(consumers.OnGroup(renderSaid)), layer)
		s := &site{
			receive: func(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
				<-gate
				return c.GroupSend(ctx, "room", said{m.Text()})
			},
			disconnect: func(ctx context.Context, c *consumers.Conn, _ consumers.CloseCode) error {
				return c.GroupSend(ctx, "room", said{"gone"})
			},
		}
		socket, p := start(t, s.app(), layer)
		socket.Message(consumers.TextMessage("one"))
		socket.Message(consumers.TextMessage("two"))
		socket.Disconnect(consumers.CloseNormal)
		synctest.Wait()
		close(gate)
		<-p.ended
		for _, want := range []string{"one", "two", "gone"} {
			hears(t, other, want)
		}
		p.journal.shows(t, "answer 101", "ended")
	})
}
