package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/config"
	"github.com/belleville/belleville/djangocompat"
)

// measure sends from one end of a layer to the other.
func (c *layerCanary) measure(ctx context.Context, sender, receiver config.Layer) ([]canaryReport, error) {
	q := channellayer.NewQueue()
	name, err := receiver.NewChannel(ctx, q)
	if err != nil {
		return nil, err
	}
	defer receiver.CloseChannel(name)
	group := "belleville.canary." + djangocompat.NewSessionKey() // nobody else's
	if err := receiver.GroupAdd(ctx, group, name); err != nil {
		return nil, err
	}
	var reports []canaryReport
	for _, way := range []struct {
		to   string
		send func(context.Context, channellayer.Event) error
	}{
		{"channel", func(ctx context.Context, e channellayer.Event) error { return sender.Send(ctx, name, e) }},
		{"group", func(ctx context.Context, e channellayer.Event) error { return sender.GroupSend(ctx, group, e) }},
	} {
		took := make([]time.Duration, c.Count)
		for i := range took {
			if took[i], err = c.fly(ctx, q, int64(i), way.send); err != nil {
				return nil, fmt.Errorf("event %d of %d to a %s: %w", i+1, c.Count, way.to, err)
			}
		}
		slices.Sort(took)
		ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		reports = append(reports, canaryReport{way.to, c.Count, ms(took[0]), ms(took[len(took)/2]), ms(took[len(took)-1])})
	}
	return reports, nil
}

// fly sends one event and waits until it has arrived.
func (c *layerCanary) fly(
	ctx context.Context, q *channellayer.Queue, n int64, send func(context.Context, channellayer.Event) error,
) (time.Duration, error) {
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	began := time.Now()
	if err := send(limited, channellayer.Event{"type": "belleville.canary", "n": n}); err != nil {
		return 0, err
	}
	for {
		e, err := q.Next(limited)
		switch {
		case err != nil:
			return 0, fmt.Errorf("it did not arrive within %v", c.Timeout)
		case e.Type() == "belleville.canary" && e["n"] == any(n):
			return time.Since(began), nil
		}
	}
}
