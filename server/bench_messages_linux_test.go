package server_test

import (
	"fmt"
	"net"
	"testing"

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

// BenchmarkGroupSend sends to a group and waits until all members have it, or sends some in a row before that;
// one operation is one send to all members.
func BenchmarkGroupSend(b *testing.B) {
	for _, network := range networks {
		for _, g := range []struct{ members, inFlight int }{{1, 1}, {100, 1}, {1000, 1}, {1000, 4}, {10_000, 1}} {
			if network == "unix" && g.members != 1000 {
				continue
			}
			text := repeat("x", payload)
			name := fmt.Sprintf("%s/%d", network, g.members)
			if g.inFlight > 1 {
				name += fmt.Sprintf("/%d-in-flight", g.inFlight)
			}
			b.Run("yardstick/"+name, func(b *testing.B) {
				l := listen(b, network)
				y := startYardstick(b, l)
				f := append([]byte{fText, 126, 0, payload}, text...)
				groupSends(b, l, g.members, g.inFlight, func() { y.send(f) })
			})
			b.Run("group/"+name, func(b *testing.B) {
				l := listen(b, network)
				layer := startServer(b, l, chatters())
				groupSends(b, l, g.members, g.inFlight, func() {
					e, err := channellayer.NewEvent("said", said{text})
					if err != nil {
						b.Fatal(err)
					}
					if err := layer.GroupSend(b.Context(), "all", e); err != nil {
						b.Fatal(err)
					}
				})
			})
		}
	}
}

// groupSends is the loop of a group's benchmark.
func groupSends(b *testing.B, l net.Listener, members, inFlight int, send func()) {
	b.Helper()
	const sends = 4 // in a round, so that all rounds have whole flights
	c := startCrowd(b, l, 0)
	c.do(b, "hold", crowdOrder{N: members, Window: handshakeWindow}, nil)
	done := c.listenIn(b, inFlight*members*(4+payload))
	before := used(b)
	for b.Loop() {
		for range sends / inFlight {
			for range inFlight {
				send()
			}
			done()
		}
	}
	report(b, before, sends)
	c.listenNoMore(b)
	b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N*sends*members), "us/delivery")
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
