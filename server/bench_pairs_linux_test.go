package server_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"github.com/belleville/belleville/consumers"
)

// How many groups of two there are, and to how many of them is sent at the same time.
const (
	pairs       = 512
	pairsFlight = 64
)

// paired is one of two in a group.
type paired struct{ count *atomic.Int64 }

// Connect implements consumers.Consumer: who comes first is with who comes second.
func (p *paired) Connect(ctx context.Context, c *consumers.Conn) error {
	if err := c.GroupAdd(ctx, pairName(int(p.count.Add(1)-1)/2)); err != nil {
		return err
	}
	return c.Accept()
}

// Receive implements consumers.Consumer.
func (*paired) Receive(context.Context, *consumers.Conn, consumers.Message) error { return nil }

// Disconnect implements consumers.Consumer.
func (*paired) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// pairName is the name of a group of two.
func pairName(number int) string { return fmt.Sprintf("pair_%d", number) }

// BenchmarkPairSend sends to each of 512 groups of two, to 64 of them before all of those have it; one operation is
// one send to one group.
func BenchmarkPairSend(b *testing.B) {
	text := repeat("x", payload)
	for _, network := range networks {
		inTurns(b, network, pairs,
			contender{"yardstick", func(b *testing.B) runner {
				l := listen(b, network)
				y := startYardstick(b, l)
				one := append([]byte{fText, 126, 0, payload}, text...)
				return pairSends(b, l, func(pair int) {
					for _, fd := range y.accepted[2*pair : 2*pair+2] {
						y.write(fd, one)
					}
				})
			}},
			contender{"group", func(b *testing.B) runner {
				l, count := listen(b, network), new(atomic.Int64)
				app := consumers.New(func() *paired { return &paired{count} }, consumers.OnGroup(shown))
				layer := startServer(b, l, app)
				return pairSends(b, l, func(pair int) { sendTo(b, layer, pairName(pair), text) })
			}})
	}
}

// pairSends sends to all pairs in a turn.
func pairSends(b *testing.B, l net.Listener, send func(pair int)) runner {
	b.Helper()
	c, next := startCrowd(b, l, 0), 0
	c.do(b, "hold", crowdOrder{N: 2 * pairs, Window: handshakeWindow}, nil)
	return flights(b, c, 2*pairsFlight, pairs/pairsFlight, func() {
		for range pairsFlight {
			send(next)
			next = (next + 1) % pairs
		}
	})
}
