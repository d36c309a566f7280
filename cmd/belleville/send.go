package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/config"
)

// eventArgument is an event as JSON.
type eventArgument struct {
	Event string `arg:"" optional:"" help:"The event, a JSON object with a type. Read from standard input where it is left out."`
}

// parse returns the event.
func (a *eventArgument) parse(p *program) (channellayer.Event, error) {
	text := []byte(a.Event)
	if len(text) == 0 {
		var err error
		if text, err = readItem(p.in); err != nil {
			return nil, err
		}
	}
	v, err := channellayer.ParseJSON(text)
	fields, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, &usageError{`the event is no JSON object, as in {"type": "chat.message", "text": "hi"}`}
	}
	e := channellayer.Event(fields)
	if e.Type() == "" {
		return nil, &usageError{`the event has no type, as in {"type": "chat.message", "text": "hi"}`}
	}
	return e, e.Check()
}

// sendCommand sends an event to a channel.
type sendCommand struct {
	configFlag
	Channel string `arg:"" help:"The channel: a worker's, or one connection's own."`
	eventArgument
}

// Help is shown by --help.
func (*sendCommand) Help() string {
	return `Does what channel_layer.send does in Django, on the configured layer.

Example:

  belleville send thumbnails '{"type": "generate", "id": 7}'`
}

// Run implements the command.
func (c *sendCommand) Run(ctx context.Context, p *program) error {
	e, err := c.parse(p)
	if err != nil {
		return err
	}
	return c.onLayer(ctx, p, func(l config.Layer) error {
		err := l.Send(ctx, c.Channel, e)
		if errors.Is(err, channellayer.ErrFull) {
			return fmt.Errorf("the channel is full: nobody takes what is sent to it, or not fast enough")
		}
		return err
	})
}

// groupSendCommand sends an event to a group.
type groupSendCommand struct {
	configFlag
	Group string `arg:"" help:"The group."`
	eventArgument
}

// Help is shown by --help.
func (*groupSendCommand) Help() string {
	return `Does what channel_layer.group_send does in Django, on the configured layer. Nobody can tell how many got it.

Example:

  belleville group-send chat_lobby '{"type": "chat.message", "message": "the site is updated at noon"}'
  echo '{"type": "websocket.close", "code": 1012}' | belleville group-send chat_lobby`
}

// Run implements the command.
func (c *groupSendCommand) Run(ctx context.Context, p *program) error {
	e, err := c.parse(p)
	if err != nil {
		return err
	}
	return c.onLayer(ctx, p, func(l config.Layer) error { return l.GroupSend(ctx, c.Group, e) })
}

// onLayer does something on the configured layer.
func (f *configFlag) onLayer(ctx context.Context, p *program, do func(l config.Layer) error) error {
	cfg, err := f.load(p)
	if err != nil {
		return err
	}
	l, err := openShared(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(do(l), l.Close())
}

// openShared opens the configured layer, if other processes can be on it.
func openShared(ctx context.Context, cfg *config.Config) (config.Layer, error) {
	if err := cfg.ChannelLayers.Default.Shared(); err != nil {
		return config.Layer{}, err
	}
	l, err := cfg.OpenLayer(ctx, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return config.Layer{}, fmt.Errorf("channel_layers.default: %w", err)
	}
	return l, nil
}
