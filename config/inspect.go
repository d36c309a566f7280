package config

import (
	"context"
	"errors"
	"fmt"

	"github.com/belleville/belleville/channellayer/redislayer"
)

// ErrOneProcess means that the configured layer is that of a single process, on which no other process can be.
var ErrOneProcess = errors.New("channel_layers.default: the layer of a single process cannot be reached from another one; name the site's backend")

// Shared returns ErrOneProcess unless other processes can be on the configured layer.
func (l ChannelLayer) Shared() error {
	if l.Backend == inMemoryBackend {
		return ErrOneProcess
	}
	return nil
}

// InspectLayer returns what looks into the configured layer.
func (c *Config) InspectLayer(ctx context.Context) (*redislayer.Inspector, error) {
	d := c.ChannelLayers.Default
	if err := d.Shared(); err != nil {
		return nil, err
	}
	if d.Backend != redisBackend {
		return nil, fmt.Errorf("channel_layers.default: looking into %s is not supported, only into %s; tail and canary work on any", quote(d.Backend), quote(redisBackend))
	}
	redis, err := d.redis()
	if err != nil {
		return nil, err
	}
	return redislayer.NewInspector(ctx, redis)
}
