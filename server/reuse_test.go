package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/server"
)

// secret is an event for one user's group.
type secret struct {
	For string `json:"for"`
}

// EventType implements consumers.Event.
func (secret) EventType() string { return "secret" }

// holder is a consumer that says whose it is, and for which visit, with everything that it sends, also late.
type holder struct{ user, visit string }

func (h *holder) Connect(ctx context.Context, c *consumers.Conn) error {
	h.user, h.visit, _ = strings.Cut(strings.TrimPrefix(c.Scope().Path, "/"), "/")
	if err := c.GroupAdd(ctx, "of."+h.user); err != nil {
		return err
	}
	return c.Accept()
}

func (h *holder) Receive(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
	c.Go(func(context.Context) error { return c.SendText(h.user + " " + h.visit + " late") })
	if err := c.GroupSend(ctx, "of."+h.user, secret{h.user}); err != nil {
		return err
	}
	return c.SendText(h.user + " " + h.visit + " " + m.Text())
}

func (h *holder) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// TestT38DescriptorsAreReusedWithoutMixUp has two users come and go on the few descriptors that there are, each of
// whom must hear nothing but what is meant for them.
func TestT38DescriptorsAreReusedWithoutMixUp(t *testing.T) {
	const workers = 4
	cycles := chaos.Size(1_000_000/(2*workers), 250)
	app := func() consumers.Application {
		return consumers.New(func() *holder { return new(holder) }, consumers.OnGroup(func(e secret) (consumers.Message, error) {
			return consumers.TextMessage(e.For + " group"), nil
		}))
	}
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			l, err := server.Listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			reg := newRegistry()
			s := serveOn(t, tr.wrap(l), app(), server.Config{Logger: quiet(), Registerer: reg, MaxConnections: 1000, MaxConnectionsPerAddress: 1000})
			var running sync.WaitGroup
			var visits, wrong atomic.Int64
			for i := range 2 * workers {
				user := [2]string{"alice", "bob"}[i%2]
				running.Go(func() {
					for n := range cycles {
						if err := s.visit(t, user, fmt.Sprint(i, ".", n)); err != nil {
							wrong.Add(1)
							t.Error(err)
							return
						}
						visits.Add(1)
					}
				})
			}
			running.Wait()
			what := fmt.Sprintf("%d connections of two users come and go, %s", visits.Load(), tr.name)
			chaos.Row(t, wrong.Load() == 0, "T38", what, fmt.Sprintf("%d were told what was not for them, or nothing", wrong.Load()), "0")
			eventually(t, "all places are free", func() bool { return reg.value("server_connections") == 0 })
			chaos.Row(t, true, "T36", what, fmt.Sprintf("%.0f are counted at the end", reg.value("server_connections")), "0")
		})
	}
}

// visit connects as a user, with a token of its own, listens for a while, and leaves in one way or another.
func (s *site) visit(t *testing.T, user, token string) error {
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	p := &peer{t, c, bufio.NewReader(c)}
	_, err = io.WriteString(c, strings.Replace(goodHead, "/ws/", "/"+user+"/"+token, 1)+frame(fText, "hello"))
	if err != nil {
		return err
	}
	if err := p.skipHead(); err != nil {
		return err
	}
	for range 1 + rand.IntN(3) {
		_, text, err := p.tryRead()
		if err != nil {
			return err
		}
		if !strings.HasPrefix(text, user+" "+token+" ") && text != user+" group" {
			return fmt.Errorf("%s was told %q", user, text)
		}
	}
	switch rand.IntN(3) {
	case 0: // an RST, which also leaves no port waiting
		return c.(*net.TCPConn).SetLinger(0)
	case 1:
		_, err = io.WriteString(c, frame(fClose, closePayload(1000, ""))+frame(fText, "too late"))
	case 2:
		_, err = io.WriteString(c, frame(fText, "x")+frame(fText, "y")[:3])
	}
	if err != nil {
		return err
	}
	return c.(*net.TCPConn).SetLinger(0)
}

// skipHead reads an answer without looking at it.
func (p *peer) skipHead() error {
	for {
		line, err := p.r.ReadString('\n')
		if err != nil || line == "\r\n" {
			return err
		}
	}
}
