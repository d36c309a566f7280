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
	"testing"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
)

// secret is an event for one user's group.
type secret struct {
	For string `json:"for"`
}

// EventType implements consumers.Event.
func (secret) EventType() string { return "secret" }

// holder is a consumer that says whose it is with everything that it sends, also late.
type holder struct{ user string }

func (h *holder) Connect(ctx context.Context, c *consumers.Conn) error {
	h.user = strings.TrimPrefix(c.Scope().Path, "/")
	if err := c.GroupAdd(ctx, "of."+h.user); err != nil {
		return err
	}
	return c.Accept()
}

func (h *holder) Receive(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
	c.Go(func(context.Context) error { return c.SendText(h.user + " late") })
	if err := c.GroupSend(ctx, "of."+h.user, secret{h.user}); err != nil {
		return err
	}
	return c.SendText(h.user + " " + m.Text())
}

func (h *holder) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// TestT38DescriptorsAreReusedWithoutMixUp has two users come and go on the few descriptors that there are, each of
// whom must hear nothing but what is meant for them.
func TestT38DescriptorsAreReusedWithoutMixUp(t *testing.T) {
	const cycles, workers = 250, 4
	app := func() consumers.Application {
		return consumers.New(func() *holder { return new(holder) }, consumers.OnGroup(func(e secret) (consumers.Message, error) {
			return consumers.TextMessage(e.For + " group"), nil
		}))
	}
	onBoth(t, app, server.Config{Logger: quiet()}, func(t *testing.T, s *site) {
		var running sync.WaitGroup
		for i := range 2 * workers {
			user := [2]string{"alice", "bob"}[i%2]
			running.Go(func() {
				for range cycles {
					if err := s.visit(t, user); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		running.Wait()
	})
}

// visit connects as a user, listens for a while, and leaves in one way or another.
func (s *site) visit(t *testing.T, user string) error {
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	p := &peer{t, c, bufio.NewReader(c)}
	_, err = io.WriteString(c, strings.Replace(goodHead, "/ws/", "/"+user, 1)+frame(fText, "hello"))
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
		if !strings.HasPrefix(text, user+" ") {
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
