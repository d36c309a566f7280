package memlayer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/layertest"
	"github.com/belleville/belleville/channellayer/memlayer"
)

func Example() {
	ctx := context.Background()
	layer := memlayer.New(memlayer.Config{})
	queue := channellayer.NewQueue()
	channel, err := layer.NewChannel(ctx, queue)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer layer.CloseChannel(channel)
	if err := layer.GroupAdd(ctx, "chat.lobby", channel); err != nil {
		fmt.Println(err)
		return
	}
	if err := layer.GroupSend(ctx, "chat.lobby", channellayer.Event{"type": "chat.message", "text": "hello"}); err != nil {
		fmt.Println(err)
		return
	}
	e, err := queue.Next(ctx)
	fmt.Println(e["text"], err)
	// Output: hello <nil>
}

func open(_ *testing.T, s layertest.Setup) layertest.Bus {
	l := memlayer.New(memlayer.Config{
		Capacity:    s.Capacity,
		Capacities:  s.Capacities,
		Expiry:      s.Expiry,
		GroupExpiry: s.GroupExpiry,
	})
	bus := layertest.Bus{}
	for range s.Nodes {
		bus.Nodes = append(bus.Nodes, l)
	}
	return bus
}

func TestLayer(t *testing.T) {
	layertest.RunInBubble(t, open)
}

// TestLayerInRealTime runs what needs no waiting as the suite runs for a layer that no bubble can hold.
func TestLayerInRealTime(t *testing.T) {
	const reason = "real seconds would have to pass; TestLayer shows it"
	layertest.Run(t, func(t *testing.T, s layertest.Setup) layertest.Bus {
		bus := open(t, s)
		bus.Unkept = map[string]string{
			"a stale event is not delivered":                              reason,
			"a stale event in a plain channel is not delivered":           reason,
			"stale events make room for others":                           reason,
			"an open channel stays in its groups beyond the group expiry": reason,
			"a plain channel leaves its groups after the group expiry":    reason,
		}
		return bus
	})
}

func TestNames(t *testing.T) {
	a, b := memlayer.New(memlayer.Config{}), memlayer.New(memlayer.Config{})
	first, err := a.NewChannel(t.Context(), channellayer.NewQueue())
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.NewChannel(t.Context(), channellayer.NewQueue())
	if err != nil {
		t.Fatal(err)
	}
	other, err := b.NewChannel(t.Context(), channellayer.NewQueue())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(first, "specific.") || !channellayer.IsLocal(first) {
		t.Errorf("a channel is called %s, want specific.…!…", first)
	}
	if channellayer.NonLocalName(first) != channellayer.NonLocalName(second) {
		t.Errorf("%s and %s are of one process", first, second)
	}
	if channellayer.NonLocalName(first) == channellayer.NonLocalName(other) {
		t.Errorf("%s and %s are of two layers", first, other)
	}
}

func TestSendToFullChannel(t *testing.T) {
	l := memlayer.New(memlayer.Config{Capacity: 2})
	name, err := l.NewChannel(t.Context(), channellayer.NewQueue())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{nil, nil, channellayer.ErrFull} {
		if err := l.Send(t.Context(), name, channellayer.Event{"type": "x"}); !errors.Is(err, want) {
			t.Errorf("send %d: got error %v, want %v", i, err, want)
		}
	}
}

func TestGroupAddOfNoChannel(t *testing.T) {
	l := memlayer.New(memlayer.Config{})
	if err := l.GroupAdd(t.Context(), "room", "specific.a!b"); !errors.Is(err, channellayer.ErrNoChannel) {
		t.Errorf("got error %v, want ErrNoChannel", err)
	}
}

func TestDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memlayer.New(memlayer.Config{})
		for i := range 101 {
			err := l.Send(t.Context(), "jobs", channellayer.Event{"type": "x"})
			if full := errors.Is(err, channellayer.ErrFull); full != (i == 100) {
				t.Fatalf("send %d to a channel of capacity 100: got error %v", i, err)
			}
		}
		<-time.After(time.Minute)
		if err := l.Send(t.Context(), "jobs", channellayer.Event{"type": "x"}); !errors.Is(err, channellayer.ErrFull) {
			t.Errorf("after a minute: got error %v, want ErrFull", err)
		}
		<-time.After(time.Millisecond)
		if err := l.Send(t.Context(), "jobs", channellayer.Event{"type": "x"}); err != nil {
			t.Errorf("after more than a minute: got error %v, want none", err)
		}
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		l := memlayer.New(memlayer.Config{Capacity: 2, Registerer: registry})
		ctx, e := t.Context(), channellayer.Event{"type": "x"}
		var names []string
		for range 3 {
			name, err := l.NewChannel(ctx, channellayer.NewQueue())
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
			if err := l.GroupAdd(ctx, "room", name); err != nil {
				t.Fatal(err)
			}
		}
		_ = l.Send(ctx, names[0], e)
		_ = l.GroupSend(ctx, "room", e) // fills the first channel
		_ = l.GroupSend(ctx, "room", e) // and fills the others
		_ = l.Send(ctx, names[1], e)
		_ = l.Send(ctx, "jobs", e)
		_ = l.Send(ctx, "jobs", e)
		_ = l.Send(ctx, "jobs", e)
		l.CloseChannel(names[2])
		_ = l.Send(ctx, names[2], e)
		<-time.After(2 * time.Minute)
		_ = l.Send(ctx, "jobs", e)
		listenBriefly(t, l, "jobs")
		_ = l.Send(ctx, "no name", e) // is not sent
		_ = l.Send(ctx, "jobs", nil)  // neither

		want := map[string]float64{
			"memlayer_events_sent_total to=channel":           7,
			"memlayer_events_sent_total to=group":             2,
			"memlayer_events_delivered_total":                 1 + 3 + 2 + 1,
			"memlayer_events_dropped_total reason=full":       1 + 1 + 1,
			"memlayer_events_dropped_total reason=no_channel": 1,
			"memlayer_events_dropped_total reason=expired":    2,
			"memlayer_channels":                               2,
			"memlayer_groups":                                 1,
		}
		if got := gather(t, registry); !maps.Equal(got, want) {
			t.Errorf("got metrics %v, want %v", got, want)
		}
		if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
			t.Errorf("lint finds %v, error %v", problems, err)
		}
	})
}

// listenBriefly listens until all is quiet.
func listenBriefly(t *testing.T, l *memlayer.Layer, channel string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- l.Listen(ctx, channel, channellayer.NewQueue()) }()
	synctest.Wait()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Listen: got error %v, want context.Canceled", err)
	}
}

// gather returns the values of all metrics, by name and labels.
func gather(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var name strings.Builder
			name.WriteString(family.GetName())
			for _, label := range m.GetLabel() {
				name.WriteString(" " + label.GetName() + "=" + label.GetValue())
			}
			values[name.String()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return values
}

func BenchmarkGroupSend(b *testing.B) {
	for _, members := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			l := memlayer.New(memlayer.Config{})
			for range members {
				name, err := l.NewChannel(b.Context(), sink{})
				if err != nil {
					b.Fatal(err)
				}
				if err := l.GroupAdd(b.Context(), "room", name); err != nil {
					b.Fatal(err)
				}
			}
			e := channellayer.Event{"type": "chat.message", "from": "alice", "text": "hello there"}
			b.ReportAllocs()
			for b.Loop() {
				if err := l.GroupSend(b.Context(), "room", e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// sink is a Receiver that does nothing.
type sink struct{}

func (sink) Receive(*channellayer.Delivery, int) bool { return true }
