package builtin

import (
	"context"

	"github.com/belleville/belleville/consumers"
)

// Echo makes an Application that returns each message to its client.
func Echo() consumers.Application {
	return consumers.New(func() echo { return echo{} })
}

// echo is one visitor, of whom nothing is kept.
type echo struct{}

// Connect lets everybody in.
func (echo) Connect(_ context.Context, c *consumers.Conn) error { return c.Accept() }

// Receive returns the message.
func (echo) Receive(_ context.Context, c *consumers.Conn, m consumers.Message) error {
	return c.Send(m)
}

// Disconnect has nothing to do.
func (echo) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }
