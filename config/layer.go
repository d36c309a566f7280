package config

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/channellayer/redislayer"
)

// A Layer is a channel layer that was opened from the configuration.
type Layer struct {
	channellayer.Layer
	// Ready returns an error while events may not arrive.
	Ready func(ctx context.Context) error
	// Close ends the layer.
	Close func() error
}

// OpenLayer opens the configured channel layer. A Redis that is away is waited for; one that refuses is an error.
func (c *Config) OpenLayer(ctx context.Context, reg prometheus.Registerer, logger *slog.Logger) (Layer, error) {
	d := c.ChannelLayers.Default
	if d.Backend == inMemoryBackend {
		l := memlayer.New(memlayer.Config{
			Capacity: d.Capacity, Capacities: d.ChannelCapacity,
			Expiry: time.Duration(d.Expiry), GroupExpiry: time.Duration(d.GroupExpiry),
			Registerer: reg,
		})
		return Layer{l, func(context.Context) error { return nil }, func() error { return nil }}, nil
	}
	if d.Backend == postgresBackend {
		return c.openPostgres(ctx, reg, logger)
	}
	redis, err := d.redis()
	if err != nil {
		return Layer{}, err
	}
	redis.Registerer, redis.Logger = reg, logger
	if d.Backend == pubSubBackend {
		l, err := redislayer.NewPubSub(ctx, redis)
		if err != nil {
			return Layer{}, err
		}
		return Layer{l, l.Ready, l.Close}, nil
	}
	l, err := redislayer.New(ctx, redis)
	if err != nil {
		return Layer{}, err
	}
	return Layer{l, l.Ready, l.Close}, nil
}

// redis returns the Config of either form of the layer of channels_redis.
func (d ChannelLayer) redis() (redislayer.Config, error) {
	cfg := redislayer.Config{
		Prefix: d.Prefix, SerializerFormat: redislayer.Serializer(d.SerializerFormat),
		Capacity: d.Capacity, ChannelCapacity: d.ChannelCapacity,
		Expiry: time.Duration(d.Expiry), GroupExpiry: time.Duration(d.GroupExpiry),
	}
	for _, h := range d.Hosts {
		host, err := redislayer.ParseHost(h.Reveal())
		if err != nil {
			return cfg, err
		}
		cfg.Hosts = append(cfg.Hosts, host)
	}
	for _, k := range d.SymmetricEncryptionKeys {
		cfg.SymmetricEncryptionKeys = append(cfg.SymmetricEncryptionKeys, k.Reveal())
	}
	return cfg, nil
}
