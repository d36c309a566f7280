package server_test

import (
	"context"
	"errors"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
)

// thinker answers when it is let.
type thinker struct {
	goOn  <-chan struct{}
	ended chan<- consumers.CloseCode
}

func (th *thinker) Connect(_ context.Context, c *consumers.Conn) error { return c.Accept() }

func (th *thinker) Receive(_ context.Context, c *consumers.Conn, m consumers.Message) error {
	<-th.goOn
	return c.Send(m)
}

func (th *thinker) Disconnect(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
	th.ended <- code
	return nil
}

// Whatever a client's last word is, what it said before is answered, though its consumer takes its time.
func TestWhatWasSaidBeforeTheLastWordIsAnswered(t *testing.T) {
	words := []struct {
		name string
		say  func(*peer)
		sent uint16 // 0: no close frame
		told consumers.CloseCode
	}{
		{"the end of the stream", (*peer).endWrite, 0, 1006},
		{"a close frame", func(p *peer) { p.say(frame(fClose, closePayload(4000, ""))) }, 4000, 4000},
		{"a frame that breaks the protocol", func(p *peer) { p.say("\x83") }, 1002, 1002},
		{"a close frame and the end of the stream", func(p *peer) { p.say(frame(fClose, "")); p.endWrite() }, 1005, 1005},
	}
	for _, word := range words {
		t.Run(word.name, func(t *testing.T) {
			goOn, ended := make(chan struct{}), make(chan consumers.CloseCode, 1)
			app := func() consumers.Application {
				return consumers.New(func() *thinker { return &thinker{goOn, ended} })
			}
			onBoth(t, app, server.Config{}, func(t *testing.T, s *site) {
				p := s.open(t)
				p.say(frame(fText, "a") + frame(fText, "b"))
				word.say(p)
				for _, want := range []string{"a", "b"} {
					goOn <- struct{}{}
					if _, got := p.read(); got != want {
						t.Fatalf("message = %q, want %q", got, want)
					}
				}
				if word.sent != 0 {
					p.wantClosed(word.sent)
				} else if _, _, err := p.tryRead(); err == nil {
					t.Error("a frame came behind the answers, want the end of the stream")
				}
				if code := <-ended; code != word.told {
					t.Errorf("Disconnect got %d, want %d", code, word.told)
				}
			})
		})
	}
}

// orator answers with more than the kernel takes at once, and closes when it is asked to.
type orator struct{ echo }

const speech = 24 << 20

func (o *orator) Receive(_ context.Context, c *consumers.Conn, m consumers.Message) error {
	err := c.SendBinary(make([]byte, speech))
	if m.Text() == "close" {
		err = errors.Join(err, c.Close(4001, ""))
	}
	return err
}

// A client may read after it has ended its side: what was under way comes whole.
func TestWhatIsUnderWayReachesAClientThatHasEndedItsSide(t *testing.T) {
	tests := []struct {
		name string
		say  string
		sent uint16
	}{
		{"behind its close frame", frame(fText, "go on") + frame(fClose, closePayload(4000, "")), 4000},
		{"behind the server's close frame", frame(fText, "close"), 4001},
	}
	app := func() consumers.Application { return consumers.New(func() *orator { return new(orator) }) }
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, app, server.Config{}, func(t *testing.T, s *site) {
				p := s.open(t)
				p.say(tt.say)
				if _, err := p.r.Peek(1); err != nil {
					t.Fatal(err)
				}
				p.endWrite()
				if _, got := p.read(); len(got) != speech {
					t.Fatalf("%d bytes came, want %d", len(got), speech)
				}
				p.wantClosed(tt.sent)
			})
		})
	}
}
