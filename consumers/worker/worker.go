// Package worker handles events that are sent to a named channel, as background work is:
//
//	channel_layer.send("thumbnails", {"type": "generate", "id": 7})
//
// Start with [New]. Events wait on the layer until there is a hand free, so they may be many, and a worker that ends
// leaves none behind but those that it could not finish. Each is handled at most once, unless retries are asked for.
//
// Python: manage.py runworker, which handles one event of a channel at a time, and ends with the first error of its
// layer.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer"
)

// A Handler handles the events of a channel. It may be called concurrently. An error, or a panic, is logged and
// counted, and is the end of that event alone.
//
// Python: an ASGI application for scopes of the type "channel".
type Handler interface {
	Handle(ctx context.Context, e channellayer.Event) error
}

// HandlerFunc makes a Handler of a function.
type HandlerFunc func(ctx context.Context, e channellayer.Event) error

// Handle implements Handler.
func (f HandlerFunc) Handle(ctx context.Context, e channellayer.Event) error { return f(ctx, e) }

// ChannelNameRouter says which Handler the events of a channel are for.
// Python: channels.routing.ChannelNameRouter.
type ChannelNameRouter map[string]Handler

// Config says how a Worker works. The zero Config is a good one.
type Config struct {
	// Concurrency is how many events of a channel are handled at a time. With 1 they are in order. Default: 1.
	Concurrency int
	// ChannelConcurrency says otherwise for some channels.
	ChannelConcurrency map[string]int
	// Backlog is how many events of a channel may wait in this process; they are lost if it dies. Default: none, they
	// wait on the layer. The pub/sub form of Redis keeps nothing: there, events that come while all hands are
	// busy are missed, beyond the Backlog.
	Backlog int

	// Timeout is how long one try may take before its context ends. Default: no limit.
	Timeout time.Duration
	// Retries is how often an event is tried again whose handler returned an error or panicked; see [Final]. It keeps
	// its hand busy, so that later events do not overtake it. Default: never.
	Retries int
	// RetryWait is how long before it is tried again for the first time; each later time waits twice as long, at most
	// a minute. Default: 1 s.
	RetryWait time.Duration
	// DrainTimeout is how long what is in hand may take once Run's context is done; then its own context ends.
	// Default: 10 s.
	DrainTimeout time.Duration

	// Registerer is where the metrics are registered. Default: nowhere.
	Registerer prometheus.Registerer
	// Logger is told of handlers that fail. Default: nobody is.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Concurrency = max(1, c.Concurrency)
	if c.RetryWait <= 0 {
		c.RetryWait = time.Second
	}
	if c.DrainTimeout <= 0 {
		c.DrainTimeout = 10 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Worker listens to channels and hands their events to Handlers.
type Worker struct {
	layer    channellayer.Listener
	channels []*hands
	config   Config
}

// New makes a Worker for the channels of a router. It panics where a channel is none that can be listened to.
func New(layer channellayer.Listener, router ChannelNameRouter, c Config) *Worker {
	c = c.withDefaults()
	w := &Worker{layer: layer, config: c}
	m := newMetrics(c.Registerer)
	for channel, handler := range router {
		if err := channellayer.CheckChannelName(channel); err != nil || channellayer.IsLocal(channel) {
			panic(fmt.Sprintf("worker: nobody can listen to the channel %.99q", channel))
		}
		most := c.Concurrency
		if n := c.ChannelConcurrency[channel]; n > 0 {
			most = n
		}
		w.channels = append(w.channels, &hands{
			channel: channel, handler: handler, config: c, most: most, metrics: m.of(channel),
		})
	}
	return w
}

// Run works until ctx is done, finishes what is in hand, and returns nil; or until the layer ends, whose error it
// returns. It is called once.
func (w *Worker) Run(ctx context.Context) error {
	listening, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	working, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	var listeners sync.WaitGroup
	for _, h := range w.channels {
		h.working = working
		listeners.Go(func() {
			if err := w.layer.Listen(listening, h.channel, h); listening.Err() == nil {
				cancel(fmt.Errorf("listen to %s: %w", h.channel, err))
			}
		})
	}
	listeners.Wait()
	patience := time.AfterFunc(w.config.DrainTimeout, giveUp)
	defer patience.Stop()
	for _, h := range w.channels {
		h.finish()
	}
	if err := context.Cause(listening); ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
