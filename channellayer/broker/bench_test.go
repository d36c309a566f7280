package broker_test

import (
	"fmt"
	"testing"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/broker"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/redistest"
)

// counter counts what it receives, and tells when it is as much as somebody waits for.
type counter struct {
	left chan struct{}
}

// Receive implements [channellayer.Receiver].
func (c counter) Receive(*channellayer.Delivery, int) bool {
	c.left <- struct{}{}
	return true
}

// crowd opens members of a group, and returns where each notes what it got.
func crowd(b *testing.B, l channellayer.Layer, members int) <-chan struct{} {
	b.Helper()
	c := counter{make(chan struct{}, members)}
	for range members {
		name, err := l.NewChannel(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		if err := l.GroupAdd(b.Context(), "crowd", name); err != nil {
			b.Fatal(err)
		}
	}
	return c.left
}

// BenchmarkGroupSend sends to a group whose members are in one process, from another one: by the broker in that process,
// and by a Redis between the two. What another Belleville sends is what Django's group_send puts on the wire.
func BenchmarkGroupSend(b *testing.B) {
	for _, members := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("broker/%d", members), func(b *testing.B) {
			ours, address := open(b, broker.Config{})
			other := connect(b, address, redislayer.Config{Hosts: []redislayer.Host{{}}})
			groupSend(b, other, crowd(b, ours, members), members)
		})
		b.Run(fmt.Sprintf("redis/%d", members), func(b *testing.B) {
			address := fmt.Sprintf("127.0.0.1:%d", redistest.Open(b).Port())
			ours := connect(b, address, redislayer.Config{Hosts: []redislayer.Host{{}}})
			other := connect(b, address, redislayer.Config{Hosts: []redislayer.Host{{}}})
			groupSend(b, other, crowd(b, ours, members), members)
		})
		b.Run(fmt.Sprintf("in the process/%d", members), func(b *testing.B) {
			ours, _ := open(b, broker.Config{})
			groupSend(b, ours, crowd(b, ours, members), members)
		})
	}
}

func groupSend(b *testing.B, from channellayer.Layer, got <-chan struct{}, members int) {
	b.Helper()
	b.ReportAllocs()
	e := channellayer.Event{"type": "chat.message", "text": "hello"}
	for b.Loop() {
		if err := from.GroupSend(b.Context(), "crowd", e); err != nil {
			b.Fatal(err)
		}
		for range members {
			<-got
		}
	}
	b.ReportMetric(float64(b.N*members)/b.Elapsed().Seconds(), "deliveries/s")
}
