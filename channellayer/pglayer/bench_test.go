package pglayer_test

import (
	"fmt"
	"testing"

	"github.com/belleville/belleville/channellayer"
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
	d := site(b)
	for _, size := range []int{50, 10_000} { // the second does not fit into a notification
		for _, members := range []int{1, 10_000} {
			b.Run(fmt.Sprint("bytes=", size, "/members=", members), func(b *testing.B) {
				ours, other := open(b, at(role(b, d))), open(b, at(role(b, d)))
				all := &counting{all: make(chan struct{}, 1)}
				for range members {
					name, err := ours.NewChannel(b.Context(), all)
					must(b, err)
					must(b, ours.GroupAdd(b.Context(), "room", name))
				}
				e := channellayer.Event{"type": "chat.message", "text": string(make([]byte, size))}
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

// BenchmarkFlood is from one process to another with as many events on their way as it takes: what batches are for.
func BenchmarkFlood(b *testing.B) {
	d := site(b)
	ours, other := open(b, at(role(b, d))), open(b, at(role(b, d)))
	name, err := ours.NewChannel(b.Context(), &counting{left: -1, all: make(chan struct{}, 1)})
	must(b, err)
	must(b, ours.GroupAdd(b.Context(), "room", name))
	b.ReportAllocs()
	b.SetParallelism(100)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := other.GroupSend(b.Context(), "room", said(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkJoin is one channel that joins a group of its own, and leaves.
func BenchmarkJoin(b *testing.B) {
	d := site(b)
	ours := open(b, at(role(b, d)))
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		name, err := ours.NewChannel(b.Context(), &counting{left: -1})
		must(b, err)
		must(b, ours.GroupAdd(b.Context(), fmt.Sprint("room.", n), name))
		ours.CloseChannel(name)
	}
}
