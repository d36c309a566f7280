package layertest

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"sync"

	"github.com/belleville/belleville/channellayer"
)

func eventPromises() []promise {
	return []promise{
		{name: "an event reaches the channel it is sent to from every node", keeps: sendReaches},
		{name: "events of one sender reach a channel in order", keeps: sendsInOrder, setup: Setup{Capacity: 1000}},
		{name: "concurrent senders keep each their order", keeps: concurrentSenders, setup: Setup{Capacity: 1000}},
		{name: "a message that holds no event harms nobody", keeps: poisonedChannel},
		{name: "a message that holds no event keeps no listener from the next", keeps: poisonedListener},
		{name: "every type of value arrives as it was", keeps: valuesSurvive},
		{name: "an event of a megabyte arrives", keeps: largeEvent},
		{name: "an event arrives whatever its type", keeps: anyType},
		{name: "an event that cannot be carried is refused", keeps: invalidEvents},
		{name: "who sends an event may change it afterwards", keeps: changedEvent},
		{name: "a context that is done stops every call", keeps: doneContext},
		{name: "an event to a channel that was closed is lost without an error", keeps: closedChannel},
	}
}

func sendReaches(b *bench) {
	name, q := b.channel(0)
	_, other := b.channel(0)
	for node := range b.nodes {
		b.send(node, name, event("greeting", node))
		b.expect(q, event("greeting", node))
	}
	if n := other.Len(); n != 0 {
		b.Errorf("another channel got %d events, want 0", n)
	}
}

func sendsInOrder(b *bench) {
	name, q := b.channel(0)
	for node := range b.nodes {
		want := events("numbered", 200)
		for _, e := range want {
			b.send(node, name, e)
		}
		b.expect(q, want...)
	}
}

func concurrentSenders(b *bench) {
	const senders, each = 8, 50
	name, q := b.channel(0)
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			for n := range each {
				e := channellayer.Event{"type": "numbered", "sender": int64(s), "n": int64(n)}
				if err := b.nodes[s%len(b.nodes)].Send(b.Context(), name, e); err != nil {
					b.Errorf("Send: %v", err)
				}
			}
		})
	}
	sending.Wait()
	var came [senders]int64
	for range senders * each {
		e := b.next(q)
		s, _ := e["sender"].(int64)
		if e["n"] != came[s] {
			b.Fatalf("from sender %d came event %v, want %d", s, e["n"], came[s])
		}
		came[s]++
	}
}

// poisons returns messages that hold no event, in any layer's format.
func poisons() [][]byte {
	return [][]byte{
		nil,
		{0},
		[]byte("\xc1"), []byte("{"), []byte(`{"type":`), []byte("[1, 2]"), []byte("null"),
		[]byte("\xdf\xff\xff\xff\xff"),          // a map of 4,294,967,295 entries
		[]byte("\x81\xa4type\x01"),              // a type that is a number
		[]byte("\x80"),                          // no type
		bytes.Repeat([]byte("\x91"), 100_000),   // lists in lists
		bytes.Repeat([]byte("[[[["), 100_000/4), // the same as JSON
		make([]byte, 1<<20),
	}
}

// needPoison skips a subtest whose layer nobody can poison.
func (b *bench) needPoison() {
	b.Helper()
	if b.poison == nil {
		b.Skip("nothing but events comes to this layer")
	}
}

func poisonedChannel(b *bench) {
	b.needPoison()
	name, q := b.member(0, "room")
	for i, message := range poisons() {
		b.poison(b.T, name, message)
		b.groupSend(1, "room", event("said", i))
		b.expect(q, event("said", i))
	}
	b.expectNoMore(1, name, q)
}

func poisonedListener(b *bench) {
	b.needPoison()
	stop, q := b.listen(0, "jobs")
	for i, message := range poisons() {
		b.poison(b.T, "jobs", message)
		b.send(1, "jobs", event("job", i))
		b.expect(q, event("job", i))
	}
	stop()
}

func valuesSurvive(b *bench) {
	name, q := b.channel(0)
	want := channellayer.Event{
		"type": "all.values",
		"none": nil, "true": true, "false": false,
		"zero": int64(0), "minus": int64(-1), "byte": int64(255), "min": int64(math.MinInt64), "max": int64(math.MaxInt64),
		"half": 0.5, "thousand": 1000.0, "negative zero": math.Copysign(0, -1), "huge": math.MaxFloat64,
		"tiny": math.SmallestNonzeroFloat64, "infinity": math.Inf(-1), "nan": math.NaN(),
		"text": "héllo \U0001F3B8 \x00\n\"</script>", "empty": "", "a key — with ünïcode": "x",
		"bytes": []byte{0, 255, '\n'}, "no bytes": []byte{},
		"list": []any{nil, int64(1), "a", []any{}, []any{[]byte("b")}},
		"map":  map[string]any{"k": map[string]any{}, "": []any{map[string]any{"deep": 1.5}}},
	}
	for node := range b.nodes {
		b.send(node, name, want)
		b.expect(q, want)
	}
}

func largeEvent(b *bench) {
	name, q := b.member(0, "large")
	for _, size := range []int{7_990, 8_000, 70_000, 1 << 20} {
		want := channellayer.Event{"type": "large", "text": strings.Repeat("ä", size/2), "bytes": make([]byte, 100)}
		b.send(1, name, want)
		b.expect(q, want)
		b.groupSend(1, "large", want)
		b.expect(q, want)
	}
}

func anyType(b *bench) {
	name, q := b.channel(0)
	for _, typ := range []string{"nobody.knows.it", "_private", ".", "with space", "grüße", "websocket.close", strings.Repeat("x", 500)} {
		b.send(1, name, event(typ, 1))
		b.expect(q, event(typ, 1))
	}
}

func invalidEvents(b *bench) {
	var deep any = "bottom"
	for range channellayer.MaxDepth + 1 {
		deep = []any{deep}
	}
	invalid := map[string]channellayer.Event{
		"nil":                     nil,
		"no type":                 {"text": "hi"},
		"an empty type":           {"type": ""},
		"a type that is a number": {"type": int64(1)},
		"a reserved key":          {"type": "x", "__asgi_channel__": "specific.a!b"},
		"an int":                  {"type": "x", "n": 1},
		"a struct":                {"type": "x", "s": struct{}{}},
		"bytes in a string":       {"type": "x", "s": "\xff"},
		"bytes in a key":          {"type": "x", "\xff": "s"},
		"too deep":                {"type": "x", "deep": deep},
	}
	name, q := b.member(0, "group")
	for what, e := range invalid {
		if err := b.nodes[1].Send(b.Context(), name, e); !errors.Is(err, channellayer.ErrInvalidEvent) {
			b.Errorf("Send of an event with %s: got error %v, want ErrInvalidEvent", what, err)
		}
		if err := b.nodes[1].GroupSend(b.Context(), "group", e); !errors.Is(err, channellayer.ErrInvalidEvent) {
			b.Errorf("GroupSend of an event with %s: got error %v, want ErrInvalidEvent", what, err)
		}
	}
	b.expectNoMore(1, name, q)
}

func changedEvent(b *bench) {
	name, q := b.member(0, "group")
	want := channellayer.Event{"type": "x", "list": []any{int64(1)}, "map": map[string]any{"k": "v"}, "bytes": []byte("b")}
	e := want.Clone()
	b.send(1, name, e)
	b.groupSend(1, "group", e)
	e["type"] = "changed"
	e["list"].([]any)[0] = "changed"
	e["map"].(map[string]any)["k"] = "changed"
	e["bytes"].([]byte)[0] = '!'
	b.expect(q, want, want)
}

func doneContext(b *bench) {
	name, q := b.member(0, "group")
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	layer, e := b.nodes[0], event("late", 1)
	_, errNew := layer.NewChannel(ctx, q)
	for call, err := range map[string]error{
		"NewChannel":   errNew,
		"Send":         layer.Send(ctx, name, e),
		"GroupAdd":     layer.GroupAdd(ctx, "other", name),
		"GroupDiscard": layer.GroupDiscard(ctx, "group", name),
		"GroupSend":    layer.GroupSend(ctx, "group", e),
	} {
		if !errors.Is(err, context.Canceled) {
			b.Errorf("%s: got error %v, want context.Canceled", call, err)
		}
	}
	b.groupSend(0, "group", event("still here", 1))
	b.expect(q, event("still here", 1))
}

func closedChannel(b *bench) {
	name, q := b.channel(0)
	b.nodes[0].CloseChannel(name)
	b.nodes[0].CloseChannel(name)
	for node := range b.nodes {
		b.send(node, name, event("late", node))
	}
	alive, other := b.channel(0)
	for node := range b.nodes {
		b.expectNoMore(node, alive, other)
	}
	if n := q.Len(); n != 0 {
		b.Errorf("the closed channel got %d events, want 0", n)
	}
}
