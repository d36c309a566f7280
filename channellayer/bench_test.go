package channellayer_test

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"

	"github.com/belleville/belleville/channellayer"
)

// sink is a Receiver that does nothing.
type sink struct{}

func (sink) Receive(*channellayer.Delivery, int) bool { return true }

// names returns names of channels as layers make them.
func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = "specific.9f31c05b7d2e4a68!" + strconv.FormatInt(int64(i), 16)
	}
	return list
}

// filled returns a Local with channels in two groups each: one of members, and a small one of its own.
func filled(b *testing.B, channels []string, members int) *channellayer.Local {
	l := channellayer.NewLocal()
	for i, name := range channels {
		if err := l.Open(name, 100, sink{}); err != nil {
			b.Fatal(err)
		}
		for _, group := range []string{fmt.Sprint("room.", i/members), fmt.Sprint("user.", i/3)} {
			if _, err := l.Join(group, name); err != nil {
				b.Fatal(err)
			}
		}
	}
	return l
}

func BenchmarkLocalDeliverGroup(b *testing.B) {
	for _, members := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			l := filled(b, names(200_000), members)
			d := newDelivery("x")
			b.ReportAllocs()
			for b.Loop() {
				if delivered, _ := l.DeliverGroup("room.3", d); delivered != members {
					b.Fatalf("delivered to %d, want %d", delivered, members)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*members), "ns/member")
		})
	}
}

func BenchmarkLocalDeliver(b *testing.B) {
	channels := names(200_000)
	l := filled(b, channels, 10_000)
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
	channels := names(200_000)
	l := filled(b, channels, 10_000)
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
	channels := names(200_000)
	l := filled(b, channels, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Open("specific.9f31c05b7d2e4a68!new", 100, sink{}); err != nil {
			b.Fatal(err)
		}
		for _, group := range []string{"room.3", "user.3"} {
			if _, err := l.Join(group, "specific.9f31c05b7d2e4a68!new"); err != nil {
				b.Fatal(err)
			}
		}
		l.Close("specific.9f31c05b7d2e4a68!new")
	}
}

// BenchmarkLocalMemory measures what a channel in two groups costs, without its name, which its owner has too.
func BenchmarkLocalMemory(b *testing.B) {
	const channels = 1_000_000
	list := names(channels)
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		l := filled(b, list, 10_000)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/channels, "B/channel")
		runtime.KeepAlive(l)
	}
	runtime.KeepAlive(list)
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
