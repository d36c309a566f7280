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

// echoesInTurn is how many messages a turn of BenchmarkEcho has.
const echoesInTurn = 5000

// BenchmarkEcho has clients say something and wait until it comes back through a consumer; one operation is one
// message in and out.
func BenchmarkEcho(b *testing.B) {
	for _, network := range networks {
		for _, clients := range []int{1, 1000} {
			inTurns(b, fmt.Sprintf("%s/%d", network, clients), echoesInTurn,
				contender{"yardstick", func(b *testing.B) runner {
					l := listen(b, network)
					startYardstick(b, l)
					return echoRounds(b, l, clients)
				}},
				contender{"consumer", func(b *testing.B) runner {
					l := listen(b, network)
					startServer(b, l, echoes())
					return echoRounds(b, l, clients)
				}})
		}
	}
}

// echoRounds has clients say something.
func echoRounds(b *testing.B, l net.Listener, clients int) runner {
	b.Helper()
	c := startCrowd(b, l, 0)
	c.do(b, "hold", crowdOrder{N: clients, Window: handshakeWindow}, nil)
	turn := func() { c.do(b, "echo", crowdOrder{N: echoesInTurn / clients, Size: payload}, nil) }
	turn()
	return runner{turn: turn}
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

// deliveriesInTurn is how many deliveries a turn of BenchmarkGroupSend has, or those of a send.
const deliveriesInTurn = 4000

// sends is how many sends a turn has.
func (g sendSize) sends() int { return max(g.inFlight, deliveriesInTurn/g.members) }

// BenchmarkGroupSend sends to a group and waits until all members have it, or sends some in a row before that;
// one operation is one send to all members. The yardstick writes each message alone; where there are some in a row,
// "merged" is one that writes them together. The largest group is measured alone: two of them are more files than
// a process may have.
func BenchmarkGroupSend(b *testing.B) {
	for _, network := range networks {
		for _, g := range []sendSize{{1, 1}, {100, 1}, {1000, 1}} {
			inTurns(b, g.name(network), g.sends(), g.yardstick(network, "yardstick", 1), g.group(network))
		}
		four := sendSize{1000, 4}
		inTurns(b, four.name(network), four.sends(), four.yardstick(network, "merged", 4), four.group(network))
		inTurns(b, four.name(network), four.sends(), four.yardstick(network, "yardstick", 1))
		most := sendSize{10_000, 1}
		inTurns(b, most.name(network), most.sends(), most.yardstick(network, "yardstick", 1))
		inTurns(b, most.name(network), most.sends(), most.group(network))
	}
}

// BenchmarkNetworks sends to a group of 1,000, by TCP and by a unix socket in turns; one operation is one send to all
// members.
func BenchmarkNetworks(b *testing.B) {
	g := sendSize{1000, 1}
	inTurns(b, "yardstick", g.sends(), g.yardstick("tcp", "tcp", 1), g.yardstick("unix", "unix", 1))
	tcp, unix := g.group("tcp"), g.group("unix")
	tcp.name, unix.name = "tcp", "unix"
	inTurns(b, "group", g.sends(), tcp, unix)
}

// yardstick is the contender that writes so many messages together.
func (g sendSize) yardstick(network, name string, together int) contender {
	return contender{name, func(b *testing.B) runner {
		l := listen(b, network)
		y := startYardstick(b, l)
		frames := bytes.Repeat(append([]byte{fText, 126, 0, payload}, repeat("x", payload)...), together)
		return groupSends(b, l, g, func() {
			for range g.inFlight / together {
				y.send(frames)
			}
		})
	}}
}

// group is the contender that sends to a group.
func (g sendSize) group(network string) contender {
	return contender{"group", func(b *testing.B) runner {
		l, text := listen(b, network), repeat("x", payload)
		layer := startServer(b, l, chatters())
		return groupSends(b, l, g, func() {
			for range g.inFlight {
				sendTo(b, layer, "all", text)
			}
		})
	}}
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

// groupSends has a crowd listen to a group: a flight is what is sent in a row.
func groupSends(b *testing.B, l net.Listener, g sendSize, flight func()) runner {
	b.Helper()
	c := startCrowd(b, l, 0)
	c.do(b, "hold", crowdOrder{N: g.members, Window: handshakeWindow}, nil)
	return flights(b, c, g.inFlight*g.members, g.sends()/g.inFlight, flight)
}

// flights has a crowd listen to so many flights in a turn, each of which brings it so many messages.
func flights(b *testing.B, c *child, messages, inTurn int, flight func()) runner {
	b.Helper()
	heard := c.listenIn(b, messages*(4+payload))
	var times flightTimes
	return runner{
		turn: func() {
			for range inTurn {
				times.take(func() { flight(); heard() })
			}
		},
		finish: func() map[string]float64 {
			c.listenNoMore(b)
			return map[string]float64{"p99-ns": times.p99()}
		},
	}
}

// flightTimes are how long flights took, each until the last member had the last message.
type flightTimes []time.Duration

// take does a flight.
func (ft *flightTimes) take(flight func()) {
	began := time.Now()
	flight()
	*ft = append(*ft, time.Since(began))
}

// p99 returns the time that 99 of 100 flights did not exceed, in nanoseconds; of fewer it is the longest.
func (ft flightTimes) p99() float64 {
	slices.Sort(ft)
	return float64(ft[(len(ft)*99+99)/100-1].Nanoseconds())
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
