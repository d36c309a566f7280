package channellayer_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/belleville/belleville/channellayer"
)

// sink is a Receiver that does nothing.
type sink struct{}

func (sink) Receive(*channellayer.Delivery, int) bool { return true }

// filled returns a Local with channels in two groups each, one of members and a small one of its own, and their names.
func filled(b *testing.B, channels, members int) (l *channellayer.Local, names []string) {
	l, names = channellayer.NewLocal(nil), make([]string, channels)
	for i := range names {
		names[i] = l.Open("specific.9f31c05b7d2e4a68!", holding(100), sink{})
		for _, group := range []string{fmt.Sprint("room.", i/members), fmt.Sprint("user.", i/3)} {
			if _, err := l.Join(group, names[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
	return l, names
}

func BenchmarkLocalDeliverGroup(b *testing.B) {
	for _, members := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			l, _ := filled(b, 200_000, members)
			d := newDelivery("x")
			b.ReportAllocs()
			for b.Loop() {
				if got := l.DeliverGroup("room.3", d); got != members {
					b.Fatalf("delivered to %d, want %d", got, members)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*members), "ns/member")
		})
	}
}

func BenchmarkLocalDeliver(b *testing.B) {
	l, channels := filled(b, 200_000, 10_000)
	d := newDelivery("x")
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := l.Deliver(channels[i], d); err != nil {
			b.Fatal(err)
		}
		i = (i + 7919) % len(channels)
	}
}

func BenchmarkLocalJoinLeave(b *testing.B) {
	l, channels := filled(b, 200_000, 10_000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := l.Join("room.19", channels[i]); err != nil {
			b.Fatal(err)
		}
		l.Leave("room.19", channels[i])
		i = (i + 7919) % 190_000 // those that are not in it
	}
}

func BenchmarkLocalOpenClose(b *testing.B) {
	l, _ := filled(b, 200_000, 10_000)
	capacities := holding(100)
	b.ReportAllocs()
	for b.Loop() {
		name := l.Open("specific.9f31c05b7d2e4a68!", capacities, sink{})
		for _, group := range []string{"room.3", "user.3"} {
			if _, err := l.Join(group, name); err != nil {
				b.Fatal(err)
			}
		}
		l.Close(name)
	}
}

// BenchmarkLocalMemory measures what a channel in two groups costs, with its name, which only its owner has.
func BenchmarkLocalMemory(b *testing.B) {
	const channels = 1_000_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		l, names := filled(b, channels, 10_000)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/channels, "B/channel")
		runtime.KeepAlive(l)
		runtime.KeepAlive(names)
	}
}

type said struct {
	From string `json:"from"`
	Text string `json:"text"`
	Room int    `json:"room,omitempty"`
}

func BenchmarkNewEvent(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := channellayer.NewEvent("chat.message", said{"alice", "hello there", 7}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	e := channellayer.Event{"type": "chat.message", "from": "alice", "text": "hello there", "room": int64(7)}
	b.ReportAllocs()
	for b.Loop() {
		var into said
		if err := e.Decode(&into); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	e := channellayer.Event{"type": "chat.message", "from": "alice", "text": "hello there", "room": int64(7)}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = channellayer.AppendJSON(dst[:0], e)
	}
}

func BenchmarkParseJSON(b *testing.B) {
	text := []byte(`{"type": "chat.message", "from": "alice", "text": "hello there", "room": 7}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := channellayer.ParseJSON(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckAndClone(b *testing.B) {
	e := channellayer.Event{"type": "chat.message", "from": "alice", "text": "hello there", "room": int64(7)}
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Check(); err != nil {
			b.Fatal(err)
		}
		e.Clone()
	}
}
