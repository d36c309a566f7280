package consumers_test

import (
	"context"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/wstest"
)

// gapListener is in one group.
type gapListener struct{}

func (*gapListener) Connect(ctx context.Context, c *consumers.Conn) error {
	if err := c.GroupAdd(ctx, "g"); err != nil {
		return err
	}
	return c.Accept()
}

func (*gapListener) Receive(context.Context, *consumers.Conn, consumers.Message) error { return nil }

func (*gapListener) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error {
	return nil
}

func (*gapListener) gap(_ context.Context, c *consumers.Conn, _ channellayer.Event) error {
	return c.SendText("gap")
}

// shownToAll is what a relay does with any event.
func shownToAll(e channellayer.Event) (consumers.Message, error) {
	return consumers.TextMessage(e.Type()), nil
}

func TestAGapIsForConsumersThatHandleIt(t *testing.T) {
	tests := []struct {
		name     string
		handlers []*consumers.EventHandler
		want     string
	}{
		{"one that handles it is told", []*consumers.EventHandler{
			consumers.OnType(channellayer.GapType, (*gapListener).gap), consumers.OnAnyGroup(shownToAll),
		}, "gap"},
		{"one that shows every event does not show it", []*consumers.EventHandler{consumers.OnAnyGroup(shownToAll)}, "after"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			layer := memlayer.New(memlayer.Config{})
			app := consumers.New(func() *gapListener { return new(gapListener) }, tt.handlers...)
			c := wstest.New(app, "/", wstest.Config{Layer: layer})
			if r, err := c.Connect(ctx); err != nil || r.Status != 101 {
				t.Fatalf("Connect = %d, %v", r.Status, err)
			}
			for _, eventType := range []string{channellayer.GapType, "after"} {
				if err := layer.GroupSend(ctx, "g", channellayer.Event{"type": eventType}); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := c.ReceiveText(ctx); err != nil || got != tt.want {
				t.Errorf("first heard %q, %v, want %q", got, err, tt.want)
			}
			if err := c.Close(ctx, consumers.CloseNormal); err != nil {
				t.Error(err)
			}
		})
	}
}
