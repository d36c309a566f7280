package main

import (
	"context"
	"fmt"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/config"
)

// layerTail shows what is sent to a group.
type layerTail struct {
	configFlag
	Group string `arg:"" help:"The group."`
	Count int    `short:"n" help:"End after so many events. Default: never."`
}

// Help is shown by --help.
func (*layerTail) Help() string {
	return `Joins the group until Ctrl-C, and prints each event that comes as a line of JSON; bytes are in base64. It is one more member for senders to write to.

Example:

  belleville layer tail chat_lobby
  belleville layer tail -n 1 chat_lobby | jq .type`
}

// Run implements the command.
func (c *layerTail) Run(ctx context.Context, p *program) error {
	return c.onLayer(ctx, p, func(l config.Layer) error {
		q := channellayer.NewQueue()
		name, err := l.NewChannel(ctx, q)
		if err != nil {
			return err
		}
		if err := l.GroupAdd(ctx, c.Group, name); err != nil {
			return err
		}
		fmt.Fprintln(p.err, "belleville: listening to the group; Ctrl-C ends")
		for n := 0; c.Count == 0 || n < c.Count; n++ {
			e, err := q.Next(ctx)
			if err != nil {
				return nil // Ctrl-C
			}
			if _, err := fmt.Fprintf(p.out, "%s\n", channellayer.AppendJSON(nil, map[string]any(e))); err != nil {
				return err
			}
		}
		return nil
	})
}

// layerCanary sends events through the layer and back.
type layerCanary struct {
	layerFlags
	Count   int           `short:"n" default:"5" help:"How many. Default: 5."`
	Timeout time.Duration `default:"10s" help:"How long to wait for one. Default: 10s."`
}

// Help is shown by --help.
func (*layerCanary) Help() string {
	return `Joins the layer as two processes. One sends to a channel and to a group of the other's, and the times are what the events took. It fails if one does not arrive.

Example:

  belleville layer canary
  belleville layer canary -n 100 --json`
}

// canaryReport is how long the events of one kind took, in milliseconds.
type canaryReport struct {
	To      string  `json:"to"` // "channel" or "group"
	Sent    int     `json:"sent"`
	Fastest float64 `json:"fastest_ms"`
	Median  float64 `json:"median_ms"`
	Slowest float64 `json:"slowest_ms"`
}

// Run implements the command.
func (c *layerCanary) Run(ctx context.Context, p *program) error {
	if c.Count < 1 || c.Count > 100_000 {
		return &usageError{"--count is not between 1 and 100000"}
	}
	return c.onLayer(ctx, p, func(sender config.Layer) error {
		return c.onLayer(ctx, p, func(receiver config.Layer) error {
			reports, err := c.measure(ctx, sender, receiver)
			if err != nil {
				return err
			}
			return c.print(p, reports)
		})
	})
}

func (c *layerCanary) print(p *program, reports []canaryReport) error {
	if c.JSON {
		return printJSON(p.out, reports)
	}
	for _, r := range reports {
		if _, err := fmt.Fprintf(p.out, "%d to a %s: fastest %.2f ms, median %.2f ms, slowest %.2f ms\n",
			r.Sent, r.To, r.Fastest, r.Median, r.Slowest); err != nil {
			return err
		}
	}
	return nil
}
