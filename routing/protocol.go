package routing

import (
	"context"
	"fmt"

	"github.com/belleville/belleville/consumers"
)

// A ProtocolTypeRouter opens the Application for the Scope's Type, such as consumers.TypeWebSocket. A type that
// it does not have is answered like a path without a route.
//
// Python: channels.routing.ProtocolTypeRouter.
type ProtocolTypeRouter map[string]consumers.Application

// Open implements consumers.Application.
func (r ProtocolTypeRouter) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	app := r[s.Type]
	if app == nil {
		return nil, fmt.Errorf("routing: no application for protocol type %q: %w", s.Type, consumers.ErrNoRoute)
	}
	return app.Open(ctx, s)
}

// TypeChannel is the Type of a Scope for the events of one named channel, as a worker serves it. Its Path is
// the channel's name.
const TypeChannel = "channel"

// A ChannelNameRouter opens the Application for the channel that a Scope of TypeChannel names in its Path.
//
// Python: channels.routing.ChannelNameRouter.
type ChannelNameRouter map[string]consumers.Application

// Open implements consumers.Application.
func (r ChannelNameRouter) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	if s.Type != TypeChannel {
		return nil, fmt.Errorf("routing: a scope of type %q names no channel: %w", s.Type, consumers.ErrNoRoute)
	}
	app := r[s.Path]
	if app == nil {
		return nil, fmt.Errorf("routing: no application for channel %q: %w", s.Path, consumers.ErrNoRoute)
	}
	return app.Open(ctx, s)
}
