package layertest

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// bench is one subtest with its layer. Its methods end the subtest where something fails.
type bench struct {
	*testing.T
	nodes   []channellayer.Layer
	advance func(time.Duration)
	poison  func(*testing.T, string, []byte)
	setup   Setup
}

// patience is how long an event may take.
const patience = 20 * time.Second

// channel opens a channel on a node.
func (b *bench) channel(node int) (string, *channellayer.Queue) {
	b.Helper()
	q := channellayer.NewQueue()
	name, err := b.nodes[node].NewChannel(b.Context(), q)
	if err != nil {
		b.Fatalf("NewChannel: %v", err)
	}
	return name, q
}

// member opens a channel on a node and adds it to a group.
func (b *bench) member(node int, group string) (string, *channellayer.Queue) {
	b.Helper()
	name, q := b.channel(node)
	b.add(node, group, name)
	return name, q
}

func (b *bench) add(node int, group, channel string) {
	b.Helper()
	if err := b.nodes[node].GroupAdd(b.Context(), group, channel); err != nil {
		b.Fatalf("GroupAdd: %v", err)
	}
}

func (b *bench) discard(node int, group, channel string) {
	b.Helper()
	if err := b.nodes[node].GroupDiscard(b.Context(), group, channel); err != nil {
		b.Fatalf("GroupDiscard: %v", err)
	}
}

func (b *bench) send(node int, channel string, e channellayer.Event) {
	b.Helper()
	if err := b.nodes[node].Send(b.Context(), channel, e); err != nil {
		b.Fatalf("Send: %v", err)
	}
}

func (b *bench) groupSend(node int, group string, e channellayer.Event) {
	b.Helper()
	if err := b.nodes[node].GroupSend(b.Context(), group, e); err != nil {
		b.Fatalf("GroupSend: %v", err)
	}
}

// next returns the next event of a channel.
func (b *bench) next(q *channellayer.Queue) channellayer.Event {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	e, err := q.Next(ctx)
	if err != nil {
		b.Fatalf("no event within %v: %v", patience, err)
	}
	return e
}

// expect waits for events, and wants just these in this order.
func (b *bench) expect(q *channellayer.Queue, want ...channellayer.Event) {
	b.Helper()
	for _, w := range want {
		if got := b.next(q); !equal(map[string]any(got), map[string]any(w)) {
			b.Fatalf("got event %.200s, want %.200s", fmt.Sprint(got), fmt.Sprint(w))
		}
	}
}

// expectNoMore wants that nothing more comes out of a channel: what is sent to it now comes next. Events of
// one sender to one channel keep their order, so node is where those that must not come were sent.
func (b *bench) expectNoMore(node int, channel string, q *channellayer.Queue) {
	b.Helper()
	last := event("last", 0)
	b.send(node, channel, last)
	b.expect(q, last)
}

// event returns an event with a number.
func event(typ string, n int) channellayer.Event {
	return channellayer.Event{"type": typ, "n": int64(n)}
}

// events returns events with the numbers from 0 to n-1.
func events(typ string, n int) []channellayer.Event {
	list := make([]channellayer.Event, n)
	for i := range list {
		list[i] = event(typ, i)
	}
	return list
}

// equal reports whether two values of an event are the same, of the same type. An empty []byte may be nil.
func equal(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && (a == b && math.Signbit(a) == math.Signbit(b) || math.IsNaN(a) && math.IsNaN(b))
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for key := range a {
			if x, ok := b[key]; !ok || !equal(a[key], x) {
				return false
			}
		}
		return true
	default:
		return a == b
	}
}
