package server_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
)

// ponderer decides when it is told to, and tells when its context ends before.
type ponderer struct {
	echo
	begun, over chan struct{}
}

func (th *ponderer) Connect(ctx context.Context, _ *consumers.Conn) error {
	close(th.begun)
	<-ctx.Done()
	close(th.over)
	return ctx.Err()
}

// Who ends his side before the handshake is answered has gone: the application is told to stop at once, and the place is
// free.
func TestAClientThatEndsItsSideBeforeTheAnswerHasGone(t *testing.T) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			begun, over := make(chan struct{}), make(chan struct{})
			l, err := server.Listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			reg := newRegistry()
			app := consumers.New(func() *ponderer { return &ponderer{begun: begun, over: over} })
			s := serveOn(t, tr.wrap(l), app, server.Config{Registerer: reg, HandshakeTimeout: time.Minute})
			p := s.raw(t)
			p.say(goodHead)
			<-begun
			if err := p.Conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-over:
			case <-time.After(patience):
				t.Fatal("the application goes on")
			}
			if got, err := io.ReadAll(p.r); err != nil || len(got) > 0 {
				t.Errorf("the answer is %q, %v, want none", got, err)
			}
			eventually(t, "its place is free", func() bool { return reg.value("server_connections") == 0 })
		})
	}
}

// rambler says a lot to each client, which does not read, and says when it has.
type rambler struct {
	echo
	said chan struct{}
}

const sayings, sayingSize = 400, 64 << 10

func (ch *rambler) Connect(_ context.Context, c *consumers.Conn) error {
	if err := c.Accept(); err != nil {
		return err
	}
	for i := range sayings {
		text := make([]byte, sayingSize)
		text[0], text[1] = byte(i>>8), byte(i)
		if err := c.SendBinary(text); err != nil {
			break // it was closed
		}
	}
	close(ch.said)
	return nil
}

// Over a real socket, whose buffers the kernel has: a client that reads too late has what its route's policy says.
func TestSlowClientsOverTheNetwork(t *testing.T) {
	for policy := consumers.CloseSlow; policy <= consumers.KeepLatest; policy++ {
		t.Run(policy.String(), func(t *testing.T) {
			said := make(chan struct{})
			app := consumers.Carried(consumers.New(func() *rambler { return &rambler{said: said} }), consumers.Wire{SlowClient: policy})
			s := serve(t, app, server.Config{QueueBytes: 256 << 10, MaxMessage: 64 << 10})
			p := s.raw(t)
			p.say(goodHead)
			p.answer()
			<-said
			got, closed, newest, inOrder := 0, false, -1, true
			for {
				_ = p.Conn.SetReadDeadline(time.Now().Add(time.Second))
				first, payload, err := p.tryRead()
				if err != nil {
					break
				}
				if first == fClose {
					closed = payload == closePayload(1013, "too slow")
					break
				}
				number := int(payload[0])<<8 | int(payload[1])
				inOrder = inOrder && number > newest
				newest = number
				got++
			}
			latest := newest == sayings-1
			wantClosed, wantLatest := policy == consumers.CloseSlow, policy == consumers.DropOldest || policy == consumers.KeepLatest
			if closed != wantClosed || latest != wantLatest || !inOrder || got == sayings || got == 0 && !wantClosed {
				t.Errorf("%d of %d messages, closed as too slow %v, the newest %d, in order %v; want closed %v, the newest there %v",
					got, sayings, closed, newest, inOrder, wantClosed, wantLatest)
			}
		})
	}
}
