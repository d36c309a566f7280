package consumers_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
)

// teller notes what its clients say, and waits before that where it is told to.
type teller struct {
	said chan<- string
	wait <-chan struct{} // nil for those that need not wait
}

// Connect implements consumers.Consumer.
func (c *teller) Connect(_ context.Context, conn *consumers.Conn) error { return conn.Accept() }

// Receive implements consumers.Consumer.
func (c *teller) Receive(_ context.Context, _ *consumers.Conn, m consumers.Message) error {
	if c.wait != nil {
		<-c.wait
	}
	c.said <- m.Text()
	return nil
}

// Disconnect implements consumers.Consumer.
func (*teller) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// TestCrew runs the consumers of many Sockets on few goroutines.
func TestCrew(t *testing.T) {
	t.Run("all that was said is heard when Work returns", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			said := make(chan string, 100)
			sockets := crowd(t, 10, func(int) *teller { return &teller{said: said} })
			var crew consumers.Crew
			defer crew.Close()
			var want []string
			for i, s := range sockets {
				for range 3 {
					crew.Message(s, consumers.TextMessage(strconv.Itoa(i)))
					want = append(want, strconv.Itoa(i))
				}
			}
			if len(said) != 0 {
				t.Error("a consumer ran before Work")
			}
			crew.Work()
			synctest.Wait()
			close(said)
			if got := slices.Sorted(values(said)); !slices.Equal(got, want) {
				t.Errorf("heard %v, want %v", got, want)
			}
		})
	})
	t.Run("consumers that wait hold up nobody", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			said, wait := make(chan string, 100), make(chan struct{})
			sockets := crowd(t, 10, func(i int) *teller {
				if i%2 == 0 {
					return &teller{said: said, wait: wait}
				}
				return &teller{said: said}
			})
			var crew consumers.Crew
			defer crew.Close()
			for i, s := range sockets {
				crew.Message(s, consumers.TextMessage(strconv.Itoa(i)))
			}
			crew.Work()
			synctest.Wait()
			if len(said) != 5 {
				t.Errorf("%d consumers were through, want the 5 that need not wait", len(said))
			}
			close(wait)
			synctest.Wait()
			if len(said) != 10 {
				t.Errorf("%d consumers were through in the end, want all 10", len(said))
			}
		})
	})
	t.Run("what is said to a busy consumer waits for it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			said, wait := make(chan string, 100), make(chan struct{})
			s := crowd(t, 1, func(int) *teller { return &teller{said: said, wait: wait} })[0]
			var crew consumers.Crew
			defer crew.Close()
			crew.Message(s, consumers.TextMessage("first"))
			crew.Work()
			crew.Message(s, consumers.TextMessage("second"))
			crew.Work()
			close(wait)
			if first, second := <-said, <-said; first != "first" || second != "second" {
				t.Errorf("heard %q, then %q", first, second)
			}
		})
	})
}

// values yields what is in a closed channel.
func values(ch <-chan string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for s := range ch {
			if !yield(s) {
				return
			}
		}
	}
}

// crowd starts Sockets.
func crowd(t *testing.T, n int, make func(i int) *teller) (sockets []*consumers.Socket) {
	t.Helper()
	layer := memlayer.New(memlayer.Config{})
	for i := range n {
		s, _ := start(t, consumers.New(func() *teller { return make(i) }), layer)
		sockets = append(sockets, s)
	}
	return sockets
}
