package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
)

// guest is a consumer that can be held up, and counts.
type guest struct {
	*house
	in bool
}

// house is where guests are.
type house struct {
	// What Connect and Receive wait for, unless it is nil.
	decide, goOn chan struct{}

	connected, disconnected atomic.Int64
	told                    atomic.Int64
}

func (h *house) app() consumers.Application {
	return consumers.New(func() *guest { return &guest{house: h} })
}

func (g *guest) Connect(_ context.Context, c *consumers.Conn) error {
	g.connected.Add(1)
	if g.decide != nil {
		<-g.decide
	}
	return c.Accept()
}

func (g *guest) Receive(_ context.Context, c *consumers.Conn, m consumers.Message) error {
	g.told.Add(1)
	if g.goOn != nil {
		<-g.goOn
	}
	switch m.Text() {
	case "close":
		return c.Close(4001, "as asked")
	case "flood":
		for {
			if err := c.SendBinary(make([]byte, 16<<10)); err != nil {
				return err
			}
		}
	}
	return c.Send(m)
}

func (g *guest) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error {
	if g.in {
		return errors.New("disconnected twice")
	}
	g.in = true
	g.disconnected.Add(1)
	return nil
}

// endWrite ends the client's side of the stream.
func (p *peer) endWrite() {
	p.t.Helper()
	if err := p.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		p.t.Fatal(err)
	}
}

// reset ends the connection with an RST.
func (p *peer) reset() {
	p.t.Helper()
	if err := p.Conn.(*net.TCPConn).SetLinger(0); err != nil {
		p.t.Fatal(err)
	}
	_ = p.Conn.Close() // the server may have closed it
}

func TestAHalfClosedClientIsAnswered(t *testing.T) {
	tests := []struct {
		name string
		say  string
		want func(*peer)
	}{
		{"a close frame", goodHead + frame(fClose, closePayload(4321, "bye")), func(p *peer) {
			p.answer()
			p.wantClosed(4321)
		}},
		{"a message", goodHead + frame(fText, "hi"), func(p *peer) {
			p.answer()
			if _, got := p.read(); got != "hi" {
				p.t.Errorf("message = %q, want hi", got)
			}
		}},
		{"many messages", goodHead + repeat(frame(fText, "hi"), 100), func(p *peer) {
			p.answer()
			for range 100 {
				if _, got := p.read(); got != "hi" {
					p.t.Fatalf("message = %q, want hi", got)
				}
			}
		}},
		{"a message and half of another", goodHead + frame(fText, "hi") + frame(fText, "ho")[:5], func(p *peer) {
			p.answer()
			if _, got := p.read(); got != "hi" {
				p.t.Errorf("message = %q, want hi", got)
			}
		}},
		{"a frame that breaks the protocol", goodHead + frame(0x83, "x"), func(p *peer) {
			p.answer()
			p.wantClosed(1002)
		}},
		{"a head that is refused", with("GET", "POST"), func(p *peer) {
			if r, _ := p.answer(); r.StatusCode != http.StatusMethodNotAllowed {
				p.t.Errorf("status = %d, want 405", r.StatusCode)
			}
		}},
		{"a plain request", "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", func(p *peer) {
			if r, _ := p.answer(); r.StatusCode != http.StatusUpgradeRequired {
				p.t.Errorf("status = %d, want 426", r.StatusCode)
			}
		}},
		{"half a head", goodHead[:30], func(*peer) {}},
		{"nothing", "", func(*peer) {}},
	}
	onBoth(t, echoes, server.Config{}, func(t *testing.T, s *site) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p := s.raw(t)
				p.t = t
				head, frames, _ := strings.Cut(tt.say, "\r\n\r\n")
				if frames == "" {
					p.say(tt.say)
				} else { // what follows a handshake comes when that is answered
					p.say(head + "\r\n\r\n")
					if _, err := p.r.Peek(1); err != nil {
						t.Fatal(err)
					}
					p.say(frames)
				}
				p.endWrite()
				tt.want(p)
				if rest, err := io.ReadAll(p.r); err != nil || len(rest) > 0 {
					t.Errorf("behind the answer came %d bytes, %v; want the end of the stream", len(rest), err)
				}
			})
		}
	})
}

func TestAClientThatIsGoneLeavesNothing(t *testing.T) {
	opened := func(p *peer) {
		p.say(goodHead)
		p.answer()
	}
	free := func() *house { return new(house) }
	deciding := func() *house { return &house{decide: make(chan struct{})} }
	busy := func() *house { return &house{goOn: make(chan struct{})} }
	tests := []struct {
		name  string
		house func() *house
		say   func(*peer, *house)
	}{
		{"before a word", free, func(*peer, *house) {}},
		{"in its head", free, func(p *peer, _ *house) { p.say(goodHead[:50]) }},
		{"while the application decides", deciding, func(p *peer, h *house) {
			p.say(goodHead)
			eventually(p.t, "Connect", func() bool { return h.connected.Load() == 1 })
		}},
		{"while the application decides, having spoken", deciding, func(p *peer, h *house) {
			p.say(goodHead + frame(fText, "early"))
			eventually(p.t, "Connect", func() bool { return h.connected.Load() == 1 })
		}},
		{"open", free, func(p *peer, _ *house) { opened(p) }},
		{"in a frame's header", free, func(p *peer, _ *house) { opened(p); p.say("\x81") }},
		{"in a frame", free, func(p *peer, _ *house) { opened(p); p.say(frame(fText, "hello")[:8]) }},
		{"in a fragmented message", free, func(p *peer, _ *house) { opened(p); p.say(frame(fBegin, "hello")) }},
		{"while its consumer is busy", busy, func(p *peer, h *house) {
			opened(p)
			p.say(frame(fText, "hello"))
			eventually(p.t, "Receive", func() bool { return h.told.Load() == 1 })
		}},
		{"while its consumer has more than enough", busy, func(p *peer, h *house) {
			opened(p)
			p.say(repeat(frame(fText, "hello"), 100))
			eventually(p.t, "Receive", func() bool { return h.told.Load() == 1 })
		}},
		{"while much waits for it", free, func(p *peer, _ *house) {
			opened(p)
			p.say(frame(fText, "flood"))
			p.read()
		}},
		{"having said goodbye", free, func(p *peer, _ *house) { opened(p); p.say(frame(fClose, "")) }},
		{"having been said goodbye to", free, func(p *peer, _ *house) {
			opened(p)
			p.say(frame(fText, "close"))
			p.read()
		}},
		{"having been refused", free, func(p *peer, _ *house) { p.say(with("GET", "POST")) }},
	}
	ends := []struct {
		name string
		end  func(*peer)
	}{{"RST", (*peer).reset}, {"FIN", func(p *peer) { _ = p.Close() }}}
	for _, tt := range tests {
		for _, end := range ends {
			t.Run(tt.name+", "+end.name, func(t *testing.T) {
				h := tt.house()
				reg := newRegistry()
				cfg := server.Config{QueueBytes: 64 << 10, Registerer: reg, Logger: quiet()}
				s := serve(t, h.app(), cfg)
				p := s.raw(t)
				tt.say(p, h)
				end.end(p)
				if h.decide != nil {
					eventually(t, "the server has noticed", func() bool { return reg.value("server_connections") == 0 })
					close(h.decide)
				}
				if h.goOn != nil {
					close(h.goOn)
				}
				eventually(t, "no connection left", func() bool { return reg.value("server_connections") == 0 })
				eventually(t, "a Disconnect for each Connect", func() bool { return h.disconnected.Load() == h.connected.Load() })
				if n := reg.value("server_websockets"); n != 0 {
					t.Errorf("server_websockets = %v, want 0", n)
				}
			})
		}
	}
}
