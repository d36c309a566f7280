package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/config"
)

// layerCommands look into the channel layer.
type layerCommands struct {
	Groups  layerGroups  `cmd:"" help:"Show the groups and how many members they have."`
	Inboxes layerInboxes `cmd:"" help:"Show where messages wait, and how many."`
	Leaks   layerLeaks   `cmd:"" help:"Show members of groups whose inbox nobody reads."`
	Tail    layerTail    `cmd:"" help:"Show what is sent to a group."`
	Canary  layerCanary  `cmd:"" help:"Send events through the layer and back, and show how long they take."`
}

// Help is shown by --help.
func (*layerCommands) Help() string {
	return `These need no Belleville that runs: they look at the layer of the configuration, also where a site is still served by Daphne. All but tail and canary only read. With RedisPubSubChannelLayer groups shows how many processes are subscribed; nothing waits there and nothing leaks.

Example:

  belleville layer groups
  belleville layer tail chat_lobby`
}

// jsonFlag chooses the form of what is printed.
type jsonFlag struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// layerFlags are the flags of the commands that print what is found.
type layerFlags struct {
	configFlag
	jsonFlag
}

// inspect prints what is found in the layer, as JSON or as a table.
func inspect[T any](
	ctx context.Context, p *program, flags layerFlags, head string, find func(config.LayerInspector) ([]T, error), row func(T) string,
) error {
	cfg, err := flags.load(p)
	if err != nil {
		return err
	}
	i, err := cfg.InspectLayer(ctx)
	if err != nil {
		return err
	}
	defer i.Close()
	found, err := find(i)
	if err != nil {
		return err
	}
	if flags.JSON {
		if found == nil {
			found = []T{}
		}
		return printJSON(p.out, found)
	}
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, head)
	for _, f := range found {
		fmt.Fprintln(table, row(f))
	}
	return table.Flush()
}

// printJSON prints a value in a line.
func printJSON(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

// layerGroups shows groups.
type layerGroups struct {
	layerFlags
}

// Help is shown by --help.
func (*layerGroups) Help() string {
	return `A member is a channel. A Belleville has one in a group for all its connections, other processes have one for each. Expired ones were added longer ago than group_expiry, and get nothing more. With RedisPubSubChannelLayer processes are counted, Django's too: how many members each has, only it knows.

Example:

  belleville layer groups
  belleville layer groups --json | jq '.[] | select(.members > 1000)'`
}

// Run implements the command.
func (c *layerGroups) Run(ctx context.Context, p *program) error {
	return inspect(ctx, p, c.layerFlags, "GROUP\tHOST\tMEMBERS\tEXPIRED\tPROCESSES",
		func(i config.LayerInspector) ([]channellayer.GroupReport, error) { return i.Groups(ctx) },
		func(r channellayer.GroupReport) string {
			return fmt.Sprintf("%s\t%d\t%d\t%d\t%d", printable(r.Group), r.Host, r.Members, r.Expired, r.Processes)
		})
}

// layerInboxes shows inboxes.
type layerInboxes struct {
	layerFlags
}

// Help is shown by --help.
func (*layerInboxes) Help() string {
	return `An inbox is a channel of workers, or that of all the channels of a process. One in which nothing waits does not exist. At the capacity (100, unless it is configured) senders drop what is more. What is "in hand" was taken by a process of Django's and not finished; one that died leaves it there.

Example:

  belleville layer inboxes`
}

// Run implements the command.
func (c *layerInboxes) Run(ctx context.Context, p *program) error {
	return inspect(ctx, p, c.layerFlags, "INBOX\tHOST\tMESSAGES\tOLDEST\tSTATE",
		func(i config.LayerInspector) ([]channellayer.InboxReport, error) { return i.Inboxes(ctx) },
		func(r channellayer.InboxReport) string {
			state := "waiting"
			if r.Inflight {
				state = "in hand"
			}
			return fmt.Sprintf("%s\t%d\t%d\t%.1fs\t%s", printable(r.Inbox), r.Host, r.Messages, r.Age, state)
		})
}

// layerLeaks shows leaked memberships.
type layerLeaks struct {
	layerFlags
	Patience time.Duration `default:"6s" help:"How long to watch the inboxes of Django's processes. Default: 6s."`
}

// Help is shown by --help.
func (*layerLeaks) Help() string {
	return `Such a member costs each sender a write, and what is sent to it is lost. A Belleville that has ended is known to have; others sweep up after it. A process of Django's or Daphne's is found only while something waits in its inbox: send to the group and look again. Its memberships end after group_expiry. In Postgres every process that listens holds a lock, so there all are found at once.

Example:

  belleville layer leaks`
}

// Run implements the command.
func (c *layerLeaks) Run(ctx context.Context, p *program) error {
	return inspect(ctx, p, c.layerFlags, "PROCESS\tMEMBERS\tGROUPS\tREASON",
		func(i config.LayerInspector) ([]channellayer.LeakReport, error) { return i.Leaks(ctx, c.Patience) },
		func(r channellayer.LeakReport) string {
			return fmt.Sprintf("%s\t%d\t%s\t%s", printable(r.Process), r.Members, someOf(r.Groups), r.Reason)
		})
}

// someOf shows the first names of a list.
func someOf(names []string) string {
	const most = 3
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	return printable(strings.Join(names, ", ")) + more
}

// printable keeps what stands in Redis from doing something to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return '?'
		}
		return r
	}, s)
}
