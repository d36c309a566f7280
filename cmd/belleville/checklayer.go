package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/belleville/belleville/channellayer/pglayer"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/config"
)

// layerKey is where the configuration has the layer.
const layerKey = "channel_layers.default"

// checkLayer checks the channel layer.
func checkLayer(ctx context.Context, cfg *config.Config) findings {
	var found findings
	layer := cfg.ChannelLayers.Default
	if layer.Shared() != nil {
		found.ok(layerKey, "it is the layer of one process, which Django and other processes cannot speak through")
		return found
	}
	if address := cfg.ChannelLayers.Broker.Listen; address != "" {
		switch state, problem := addressState(address); {
		case problem != "":
			found.fail("channel_layers.broker.listen", problem, "name another address, in settings.py too")
			return found
		case state == addressFree:
			found.ok("channel_layers.broker.listen", "the address is free; the layer is there as soon as belleville serve runs")
			return found
		}
	}
	if layer.IsRedis() && !found.redis(ctx, cfg) {
		return found
	}
	found.canary(ctx, cfg)
	return found
}

// tolerableSkew is how far the clocks of two machines may differ.
const tolerableSkew = 5 * time.Second

// redis looks at each Redis, and reports whether they are there.
func (fs *findings) redis(ctx context.Context, cfg *config.Config) bool {
	i, err := cfg.InspectRedis(ctx)
	if err != nil {
		fs.noLayer(err)
		return false
	}
	defer i.Close()
	servers, err := i.Servers(ctx)
	if err != nil {
		fs.noLayer(err)
		return false
	}
	for _, s := range servers {
		what := fmt.Sprintf("%s.hosts[%d]", layerKey, s.Host)
		text := "it answers"
		if s.Belleville {
			text = "it answers: the broker of a Belleville that runs"
		} else if s.Version != "" {
			text = fmt.Sprintf("Redis %q answers", s.Version)
		}
		fs.ok(what, text)
		if s.Ahead > tolerableSkew || s.Ahead < -tolerableSkew {
			fs.warn(what, fmt.Sprintf("this machine's clock differs by %d s from its", int(s.Ahead.Seconds())), "set both by NTP: messages would expire too early, and encrypted ones be refused")
		}
		if s.Evicts {
			fs.warn(what, "when its memory is full it throws keys away, groups and messages too", "give the layer a Redis of its own with maxmemory-policy noeviction")
		}
	}
	fs.waiting(ctx, i)
	return true
}

// waiting notes whether what waits in the layer can be read.
func (fs *findings) waiting(ctx context.Context, i *redislayer.Inspector) {
	w, err := i.Waiting(ctx)
	bad := w.Foreign + w.Unread
	switch {
	case err != nil || w.Messages == 0: // of the layer in itself the canary tells
	case bad == 0:
		fs.ok(layerKey, "what waits in it can be read")
	case w.Foreign > 0 && bad == w.Messages:
		fs.fail(layerKey+".symmetric_encryption_keys", "none of the messages that wait is encrypted with one of them", "copy them from CONFIG in the site's CHANNEL_LAYERS")
	case w.Foreign > 0:
		fs.warn(layerKey+".symmetric_encryption_keys", fmt.Sprintf("%d of %d messages that wait are encrypted with none of them, or too old", w.Foreign, w.Messages), "compare them with CONFIG in the site's CHANNEL_LAYERS")
	default:
		fs.warn(layerKey, fmt.Sprintf("%d of %d messages that wait cannot be read", w.Unread, w.Messages), "compare symmetric_encryption_keys and serializer_format with CONFIG in the site's CHANNEL_LAYERS")
	}
}

// noLayer notes why the layer cannot be used.
func (fs *findings) noLayer(err error) {
	remedy := "see that it runs, and compare hosts with CONFIG in the site's CHANNEL_LAYERS"
	if _, ok := errors.AsType[*pglayer.MissingError](err); ok {
		remedy = ""
	}
	if _, ok := errors.AsType[*pglayer.DeafError](err); ok {
		remedy = ""
	}
	fs.fail(layerKey, told(err), remedy)
}

// canaryPatience is how long a canary may take.
const canaryPatience = 5 * time.Second

// canary sends a message through the layer, from one end to another.
func (fs *findings) canary(ctx context.Context, cfg *config.Config) {
	ctx, cancel := context.WithTimeout(ctx, 2*canaryPatience)
	defer cancel()
	var ends [2]config.Layer
	for i := range ends {
		end, err := cfg.OpenLayer(ctx, nil, slog.New(slog.DiscardHandler))
		if err != nil {
			fs.noLayer(err)
			return
		}
		defer func() { _ = end.Close() }()
		ends[i] = end
	}
	reports, err := (&layerCanary{Count: 1, Timeout: canaryPatience}).measure(ctx, ends[0], ends[1])
	if err != nil {
		fs.noLayer(err)
		return
	}
	for _, r := range reports {
		fs.ok(layerKey, fmt.Sprintf("a message to a %s came through in %.1f ms", r.To, r.Median))
	}
}
