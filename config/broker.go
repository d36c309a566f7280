package config

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer/broker"
	"github.com/belleville/belleville/channellayer/wireformat"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/server"
)

// Broker makes this process the server of the channel layer, in place of a Redis.
type Broker struct {
	Listen    string              `toml:"listen"`
	Password  djangocompat.Secret `toml:"password"`
	MaxMemory int                 `toml:"max_memory"`
}

// servedBroker is a broker that others connect to.
type servedBroker struct {
	layer   *broker.Layer
	running sync.WaitGroup
}

// OpenServedLayer is OpenLayer for the process that serves: where the configuration says so, it is what others connect
// to, until the layer is closed.
func (c *Config) OpenServedLayer(ctx context.Context, reg prometheus.Registerer, logger *slog.Logger) (Layer, error) {
	b := c.ChannelLayers.Broker
	if b.Listen == "" {
		return c.OpenLayer(ctx, reg, logger)
	}
	d := c.ChannelLayers.Default
	cfg := broker.Config{
		Prefix: d.Prefix, SerializerFormat: wireformat.Serializer(d.SerializerFormat),
		Capacity: d.Capacity, ChannelCapacity: d.ChannelCapacity,
		Expiry: time.Duration(d.Expiry), GroupExpiry: time.Duration(d.GroupExpiry),
		Password: b.Password.Reveal(), MaxMemory: int64(b.MaxMemory),
		Registerer: reg, Logger: logger,
	}
	for _, k := range d.SymmetricEncryptionKeys {
		cfg.SymmetricEncryptionKeys = append(cfg.SymmetricEncryptionKeys, k.Reveal())
	}
	listener, err := server.Listen(b.Listen)
	if err != nil {
		return Layer{}, errors.New("the broker: " + err.Error())
	}
	l, err := broker.New(cfg)
	if err != nil {
		return Layer{}, errors.Join(err, listener.Close())
	}
	served := &servedBroker{layer: l}
	served.running.Go(func() { _ = l.Serve(context.WithoutCancel(ctx), listener) }) // it ends with Close, and has no error
	return Layer{l, l.Ready, served.close}, nil
}

// close ends the broker and waits until all its clients are gone.
func (b *servedBroker) close() error {
	defer b.running.Wait()
	return b.layer.Close()
}

// broker checks channel_layers.broker.
func (l *loader) broker() {
	b := &l.config.ChannelLayers.Broker
	d := &l.config.ChannelLayers.Default
	const path = "channel_layers.broker.listen"
	l.positive("channel_layers.broker.max_memory", int64(b.MaxMemory))
	if b.Listen == "" || l.mistakes.has(path) {
		return
	}
	problem, remedy := addressProblem(b.Listen)
	switch {
	case problem != "":
		l.mistakes.add(path, problem, remedy)
	case !loopback(b.Listen) && b.Password.IsZero():
		l.mistakes.add(path, "other machines reach it, and it asks for no password", `name channel_layers.broker.password, or listen on "127.0.0.1:6380"`)
	case d.Backend != redisBackend && d.Backend != pubSubBackend:
		l.mistakes.add(path, "the broker is for channels_redis", "name "+quote(redisBackend)+" or "+quote(pubSubBackend)+" in channel_layers.default.backend, as in settings.py")
	case len(d.Hosts) > 1:
		l.mistakes.add("channel_layers.default.hosts", "the broker is the only host", "take the others out, in settings.py too")
	case len(d.Hosts) == 0:
		d.Hosts = brokerHosts(b)
	}
}

// brokerHosts returns how another program of this machine reaches the broker; none where that cannot be said.
func brokerHosts(b *Broker) []djangocompat.Secret {
	u := url.URL{Scheme: "redis", Host: b.Listen}
	if path, ok := strings.CutPrefix(b.Listen, "unix:"); ok {
		u = url.URL{Scheme: "unix", Path: path}
	} else if strings.HasPrefix(b.Listen, "fd:") {
		return nil
	}
	if !b.Password.IsZero() {
		u.User = url.UserPassword("", b.Password.Reveal())
	}
	return []djangocompat.Secret{djangocompat.NewSecret(u.String())}
}
