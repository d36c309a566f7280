package server_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
)

// mixer is a member of a group that sends what its client says to the group, then to itself, in turns.
type mixer struct{ turn int }

func (*mixer) Connect(ctx context.Context, c *consumers.Conn) error {
	if err := c.GroupAdd(ctx, "all"); err != nil {
		return err
	}
	return c.Accept()
}

func (m *mixer) Receive(ctx context.Context, c *consumers.Conn, text consumers.Message) error {
	m.turn++
	if m.turn%2 == 0 {
		return c.SendTo(ctx, c.ChannelName(), said{text.Text()})
	}
	return c.GroupSend(ctx, "all", said{text.Text()})
}

func (*mixer) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// said shows an event to one client.
func (*mixer) said(_ context.Context, c *consumers.Conn, e said) error {
	return c.Send(consumers.TextMessage(e.Text))
}

func TestGroupsAndChannelsKeepOneOrder(t *testing.T) {
	tests := []struct {
		name    string
		handler *consumers.EventHandler
	}{
		{"one frame for all", consumers.OnGroup(shown)},
		{"a handler for each", consumers.On((*mixer).said)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app := func() consumers.Application { return consumers.New(func() *mixer { return new(mixer) }, tt.handler) }
			onBoth(t, app, server.Config{}, func(t *testing.T, s *site) {
				ws := s.dial(t, "/")
				for round := range 20 {
					for i := range 8 {
						speak(t, ws, fmt.Sprint(round, i))
					}
					for i := range 8 {
						_, got, err := ws.Read(t.Context())
						if err != nil || string(got) != fmt.Sprint(round, i) {
							t.Fatalf("message %d of round %d = %q, %v", i, round, got, err)
						}
					}
				}
			})
		})
	}
}
