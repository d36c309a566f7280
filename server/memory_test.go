package server_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
)

// gusher sends its client as much as goes, and takes nothing.
type gusher struct{ goOn <-chan struct{} }

func (g *gusher) Connect(_ context.Context, c *consumers.Conn) error {
	if err := c.Accept(); err != nil {
		return err
	}
	for i := range 400 {
		if err := c.SendBinary(bytes.Repeat([]byte{byte(i)}, 1<<10)); err != nil {
			break // it was closed as too slow
		}
	}
	return nil
}

func (g *gusher) Receive(ctx context.Context, _ *consumers.Conn, _ consumers.Message) error {
	select {
	case <-g.goOn:
	case <-ctx.Done():
	}
	return nil
}

func (g *gusher) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// Whatever clients do at once, what the formula says is enough. The policy lets a full queue stay, which is the worst.
func TestTheMemoryFormulaHolds(t *testing.T) {
	const clients = 50
	cfg := server.Config{MaxConnections: clients, MaxMessage: 64 << 10, QueueBytes: 64 << 10}
	goOn := make(chan struct{})
	defer close(goOn)
	app := consumers.Carried(consumers.New(func() *gusher { return &gusher{goOn} }), consumers.Wire{SlowClient: consumers.DropNewest})
	l, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	s := serveOn(t, l, app, cfg)
	for range clients {
		p := s.raw(t)
		p.say(goodHead)
		p.say(frame(fBinary, repeat("x", 32<<10)))
		p.say(frame(fBinary, repeat("y", 40<<10)))
		p.say(frame(fBinary, repeat("z", 64<<10))[:60<<10]) // never whole
	}
	eventually(t, "there is enough to measure", func() bool { return heap()-before > clients*(64<<10) })
	if got, most := heap()-before, cfg.Memory(); got > most {
		t.Errorf("%d bytes are in use, want at most the formula's %d", got, most)
	} else {
		t.Logf("%d KiB in use, the formula allows %d KiB", got>>10, most>>10)
	}
}
