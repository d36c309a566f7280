package redislayer_test

import (
	"fmt"
	"testing"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/redistest"
)

// counting is a Receiver that counts.
type counting struct {
	left int
	all  chan struct{}
}

func (c *counting) Receive(*channellayer.Delivery, int) bool {
	if c.left--; c.left == 0 {
		c.all <- struct{}{}
	}
	return true
}

// BenchmarkGroupSend is from one process to another, one event at a time: the time of an op is the latency from
// group_send to the last member.
func BenchmarkGroupSend(b *testing.B) {
	server := redistest.Open(b)
	for _, form := range []string{"core", "pubsub"} {
		for _, members := range []int{1, 10_000} {
			b.Run(fmt.Sprint(form, "/members=", members), func(b *testing.B) {
				c := redislayer.Config{Hosts: hosts(b, server), Prefix: fmt.Sprint(form, members)}
				var ours, other channellayer.Layer
				if form == "core" {
					ours, other = open(b, c), open(b, c)
				} else {
					ours, other = openPubSub(b, c), openPubSub(b, c)
				}
				all := &counting{all: make(chan struct{}, 1)}
				for range members {
					name, err := ours.NewChannel(b.Context(), all)
					must(b, err)
					must(b, ours.GroupAdd(b.Context(), "room", name))
				}
				e := channellayer.Event{"type": "chat.message", "text": "hello, this is a message of some length to a room"}
				b.ReportAllocs()
				for b.Loop() {
					all.left = members
					must(b, other.GroupSend(b.Context(), "room", e))
					<-all.all
				}
				b.ReportMetric(float64(b.N*members)/b.Elapsed().Seconds(), "deliveries/s")
			})
		}
	}
}

// BenchmarkGroupSendLocal is within one process.
func BenchmarkGroupSendLocal(b *testing.B) {
	server := redistest.Open(b)
	ours := open(b, redislayer.Config{Hosts: hosts(b, server)})
	name, err := ours.NewChannel(b.Context(), &counting{left: -1})
	must(b, err)
	must(b, ours.GroupAdd(b.Context(), "room", name))
	b.ReportAllocs()
	for b.Loop() {
		must(b, ours.GroupSend(b.Context(), "room", said(1)))
	}
}

// BenchmarkFlood is from one process to another with as many events on their way as it takes.
func BenchmarkFlood(b *testing.B) {
	server := redistest.Open(b)
	c := redislayer.Config{Hosts: hosts(b, server)}
	ours, other := open(b, c), open(b, c)
	all := &counting{left: -1, all: make(chan struct{}, 1)}
	name, err := ours.NewChannel(b.Context(), all)
	must(b, err)
	must(b, ours.GroupAdd(b.Context(), "room", name))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			must(b, other.GroupSend(b.Context(), "room", said(1)))
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
