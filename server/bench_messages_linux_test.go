package server_test

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// payload is the size of a benchmark's message in bytes.
const payload = 128

// BenchmarkEcho has clients say something and wait until it comes back through a consumer; one operation is one
// message in and out.
func BenchmarkEcho(b *testing.B) {
	const turns = 20 // messages of each client in a round
	for _, network := range networks {
		for _, clients := range []int{1, 1000} {
			b.Run(fmt.Sprintf("yardstick/%s/%d", network, clients), func(b *testing.B) {
				l := listen(b, network)
				startYardstick(b, l)
				echoRounds(b, l, clients, turns)
			})
			b.Run(fmt.Sprintf("consumer/%s/%d", network, clients), func(b *testing.B) {
				l := listen(b, network)
				startServer(b, l, echoes())
				echoRounds(b, l, clients, turns)
			})
		}
	}
}

// echoRounds is the loop of an echo benchmark.
func echoRounds(b *testing.B, l net.Listener, clients, turns int) {
	b.Helper()
	c := startCrowd(b, l, 0)
	c.do(b, "hold", crowdOrder{N: clients, Window: handshakeWindow}, nil)
	o := crowdOrder{N: turns, Size: payload}
	c.do(b, "echo", o, nil)
	before := used(b)
	for b.Loop() {
		c.do(b, "echo", o, nil)
	}
	report(b, before, clients*turns)
}

// sendSize says how large a group is, and how many sends to it go on at the same time.
type sendSize struct{ members, inFlight int }

// name is the size in a benchmark's name.
func (g sendSize) name(network string) string {
	if g.inFlight > 1 {
		return fmt.Sprintf("%s/%d/%d-in-flight", network, g.members, g.inFlight)
	}
	return fmt.Sprintf("%s/%d", network, g.members)
}

// BenchmarkGroupSend sends to a group and waits until all members have it, or sends some in a row before that;
// one operation is one send to all members. The yardstick writes each message alone; where there are some in a row,
// "merged" is one that writes them together.
func BenchmarkGroupSend(b *testing.B) {
	text := repeat("x", payload)
	one := append([]byte{fText, 126, 0, payload}, text...)
	for _, network := range networks {
		for _, g := range []sendSize{{1, 1}, {100, 1}, {1000, 1}, {1000, 4}, {10_000, 1}} {
			b.Run("yardstick/"+g.name(network), func(b *testing.B) {
				l := listen(b, network)
				y := startYardstick(b, l)
				groupSends(b, l, g, func() {
					for range g.inFlight {
						y.send(one)
					}
				})
			})
			if g.inFlight > 1 {
				b.Run("merged/"+g.name(network), func(b *testing.B) {
					l := listen(b, network)
					y, all := startYardstick(b, l), bytes.Repeat(one, g.inFlight)
					groupSends(b, l, g, func() { y.send(all) })
				})
			}
			b.Run("group/"+g.name(network), func(b *testing.B) {
				l := listen(b, network)
				layer := startServer(b, l, chatters())
				groupSends(b, l, g, func() {
					for range g.inFlight {
						sendTo(b, layer, "all", text)
					}
				})
			})
		}
	}
}

// sendTo sends a text to a group.
func sendTo(b *testing.B, layer channellayer.Layer, group, text string) {
	b.Helper()
	e, err := channellayer.NewEvent("said", said{text})
	if err != nil {
		b.Fatal(err)
	}
	if err := layer.GroupSend(b.Context(), group, e); err != nil {
		b.Fatal(err)
	}
}

// groupSends is the loop of a group's benchmark: a flight is what is sent in a row.
func groupSends(b *testing.B, l net.Listener, g sendSize, flight func()) {
	b.Helper()
	const sends = 4 // in a round, so that all rounds have whole flights
	c := startCrowd(b, l, 0)
	c.do(b, "hold", crowdOrder{N: g.members, Window: handshakeWindow}, nil)
	done := c.listenIn(b, g.inFlight*g.members*(4+payload))
	var times flightTimes
	before := used(b)
	for b.Loop() {
		for range sends / g.inFlight {
			times.take(func() { flight(); done() })
		}
	}
	report(b, before, sends)
	c.listenNoMore(b)
	b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N*sends*g.members), "us/delivery")
	times.report(b)
}

// flightTimes are how long flights took, each until the last member had the last message.
type flightTimes []time.Duration

// take does a flight.
func (ft *flightTimes) take(flight func()) {
	began := time.Now()
	flight()
	*ft = append(*ft, time.Since(began))
}

// report reports the time that 99 of 100 flights did not exceed; of fewer it is the longest.
func (ft flightTimes) report(b *testing.B) {
	b.Helper()
	slices.Sort(ft)
	b.ReportMetric(float64(ft[(len(ft)*99+99)/100-1].Nanoseconds()), "p99-ns")
}

// listenIn has a crowd listen. The function that it returns waits until all have heard so many bytes together.
func (c *child) listenIn(b *testing.B, bytes int) (heard func()) {
	b.Helper()
	if _, err := fmt.Fprintf(c.in, `{"Verb": "listen", "Args": {"Size": %d}}`+"\n", bytes); err != nil {
		b.Fatal(err)
	}
	heard = func() {
		if dot, err := c.out.ReadByte(); err != nil || dot != '.' {
			rest, _ := c.out.ReadString('\n')
			b.Fatalf("the crowd says %c%s, %v", dot, rest, err)
		}
	}
	heard() // it listens
	return heard
}

// listenNoMore ends listenIn.
func (c *child) listenNoMore(b *testing.B) {
	b.Helper()
	if _, err := c.in.Write([]byte("\n")); err != nil {
		b.Fatal(err)
	}
	if _, err := c.out.ReadBytes('\n'); err != nil {
		b.Fatal(err)
	}
}
