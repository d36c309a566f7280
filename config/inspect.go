package config

import (
	"context"
	"errors"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/pglayer"
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

// A LayerInspector looks into a layer and changes nothing. It is closed by whoever made it.
type LayerInspector interface {
	Groups(ctx context.Context) ([]channellayer.GroupReport, error)
	Inboxes(ctx context.Context) ([]channellayer.InboxReport, error)
	Leaks(ctx context.Context, patience time.Duration) ([]channellayer.LeakReport, error)
	Close()
}

// InspectLayer returns what looks into the configured layer.
func (c *Config) InspectLayer(ctx context.Context) (LayerInspector, error) {
	d := c.ChannelLayers.Default
	switch d.Backend {
	case inMemoryBackend:
		return nil, ErrOneProcess
	case postgresBackend:
		return pglayer.NewInspector(ctx, pglayer.Config{
			Database: c.LayerDatabase(), Prefix: d.Prefix, GroupExpiry: time.Duration(d.GroupExpiry), Expiry: time.Duration(d.Expiry),
		})
	}
	redis, err := d.redis()
	if err != nil {
		return nil, err
	}
	if d.Backend == redisBackend {
		return redislayer.NewInspector(ctx, redis)
	}
	return redislayer.NewTopicInspector(ctx, redis)
}
