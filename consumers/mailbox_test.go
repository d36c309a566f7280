package consumers_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"

	"github.com/belleville/belleville/consumers"
)

// blocked is a consumer whose Receive waits for a turn each time.
func blocked() (s *site, turns chan struct{}) {
	turns = make(chan struct{})
	return &site{receive: func(context.Context, *consumers.Conn, consumers.Message) error { <-turns; return nil }}, turns
}

func TestBackPressure(t *testing.T) {
	small := consumers.TextMessage("x")
	large := func(size int) consumers.Message { return consumers.BinaryMessage(bytes.Repeat([]byte("x"), size)) }
	repeat := func(m consumers.Message, n int) (list []consumers.Message) {
		for range n {
			list = append(list, m)
		}
		return list
	}
	tests := []struct {
		name    string
		waiting []consumers.Message // behind one that is being handled
		wantAll bool                // what Message reports for the last of them; for the others it is true
		turns   int                 // how many are handled before Resume is called
	}{
		{"15 messages may wait", repeat(small, 15), true, 0},
		{"the 16th stops the server, which goes on when 8 are left", repeat(small, 16), false, 8},
		{"64 KiB may wait", repeat(large(16<<10), 4), true, 0},
		{"one byte more stops the server, which goes on at the half", append(repeat(large(16<<10), 4), small), false, 3},
		{"one large message alone stops it until its turn", []consumers.Message{large(1 << 20)}, false, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, turns := blocked()
				socket, p := start(t, s.app(), nil)
				socket.Message(small)
				synctest.Wait()
				for i, m := range tt.waiting {
					want := i < len(tt.waiting)-1 || tt.wantAll
					if got := socket.Message(m); got != want {
						t.Errorf("message %d: got %v, want %v", i, got, want)
					}
				}
				for i := range tt.turns {
					p.journal.shows(t, "answer 101")
					turns <- struct{}{}
					synctest.Wait()
					if i < tt.turns-1 {
						continue
					}
					p.journal.shows(t, "answer 101", "resume")
				}
				close(turns)
				synctest.Wait()
				socket.Disconnect(consumers.CloseNormal)
				<-p.ended
				want := []string{"answer 101", "resume", "ended"}
				if tt.wantAll {
					want = []string{"answer 101", "ended"}
				}
				p.journal.shows(t, want...)
			})
		})
	}
}

// Mailboxes are used again, also those whose messages were dropped.
func TestAMailboxStartsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 20 {
			gate := make(chan struct{})
			s := &site{receive: func(context.Context, *consumers.Conn, consumers.Message) error { <-gate; return errSite }}
			app := s.app()
			socket, p := start(t, app, nil)
			for range 4 {
				socket.Message(consumers.BinaryMessage(make([]byte, 16<<10)))
				synctest.Wait()
			}
			close(gate)
			<-p.ended
			s.receive = nil
			socket, p = start(t, app, nil)
			if !socket.Message(consumers.BinaryMessage(make([]byte, 32<<10))) {
				t.Error("a new mailbox counts what another one held")
			}
			socket.Disconnect(consumers.CloseNormal)
			<-p.ended
		}
	})
}

func TestResumeIsNotForgottenWhenTheConsumerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := make(chan struct{})
		s := &site{receive: func(context.Context, *consumers.Conn, consumers.Message) error { <-turn; return errSite }}
		socket, p := start(t, s.app(), nil)
		for range 17 {
			socket.Message(consumers.TextMessage("x"))
			synctest.Wait()
		}
		close(turn)
		<-p.ended
		p.journal.shows(t, "answer 101", "report "+errSite.Error(), "close 1011 ", "resume", "ended")
	})
}

func TestMessagesAreHandledInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{receive: echo}
		socket, p := start(t, s.app(), nil)
		var want []string
		want = append(want, "answer 101")
		for i := range byte(200) {
			socket.Message(consumers.BinaryMessage([]byte{i}))
			want = append(want, "send "+string([]byte{i}))
			if i%7 == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait() // what is said to a client that has gone is not sent
		socket.Disconnect(consumers.CloseNormal)
		<-p.ended
		var got []string
		for _, line := range p.journal.all() {
			if line != "resume" && line != "ended" {
				got = append(got, line)
			}
		}
		j := &journal{lines: got}
		j.shows(t, want...)
	})
}
