package consumers_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
)

// strict is a consumer that notices when its methods are called concurrently, or after Disconnect.
type strict struct {
	t    *testing.T
	busy atomic.Int32
	over atomic.Int32
}

func (s *strict) enter() func() {
	if s.busy.Add(1) != 1 {
		s.t.Error("two methods of one consumer run at once")
	}
	if s.over.Load() != 0 {
		s.t.Error("a method was called after Disconnect")
	}
	return func() { s.busy.Add(-1) }
}

func (s *strict) Connect(ctx context.Context, c *consumers.Conn) error {
	defer s.enter()()
	if err := c.GroupAdd(ctx, "storm"); err != nil {
		return err
	}
	c.Go(func(ctx context.Context) error {
		<-ctx.Done()
		return c.SendText("never arrives")
	})
	return c.Accept()
}

func (s *strict) Receive(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
	defer s.enter()()
	switch m.Text() {
	case "close":
		return c.Close(consumers.CloseNormal, "")
	case "fail":
		return errSite
	case "panic":
		panic("on purpose")
	}
	return c.Send(m)
}

func (s *strict) note(_ context.Context, c *consumers.Conn, e note) error {
	defer s.enter()()
	return c.SendText(e.Text)
}

func (s *strict) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error {
	defer s.enter()()
	if s.over.Add(1) != 1 {
		s.t.Error("Disconnect was called twice")
	}
	return nil
}

// client plays one client: concurrently messages, a storm of events, and the end.
func (s *strict) client(t *testing.T, app consumers.Application, layer channellayer.Layer, seed uint64) {
	socket, p := open(t, app, layer), newPeer()
	p.journal = nil
	var all sync.WaitGroup
	random := rand.New(rand.NewPCG(seed, 0))
	last := []string{"close", "fail", "panic", "say"}[random.IntN(4)]
	stopAt := random.IntN(60)
	all.Go(func() { socket.Start(context.Background(), quietPeer{p}) })
	all.Go(func() {
		for i := range 50 {
			text := "say"
			if i == stopAt {
				text = last
			}
			socket.Message(consumers.TextMessage(text))
		}
	})
	all.Go(func() {
		for i := range 20 {
			eventType := []string{"chat.said", "chat.note"}[i%2]
			if err := layer.GroupSend(t.Context(), "storm", channellayer.Event{"type": eventType, "text": "x"}); err != nil {
				t.Error(err)
			}
		}
	})
	if random.IntN(2) == 0 {
		all.Go(func() { socket.Disconnect(consumers.CloseAbnormal) })
	}
	all.Wait()
	socket.Disconnect(consumers.CloseGoingAway)
	<-p.ended
	if got := s.busy.Load(); got != 0 {
		t.Errorf("%d methods still run after the end", got)
	}
}

// quietPeer takes everything and notes nothing but the end.
type quietPeer struct{ *peer }

func (quietPeer) Answer(consumers.Response) error                 { return nil }
func (quietPeer) Send(consumers.Message, *consumers.Frames) error { return nil }
func (quietPeer) Close(consumers.CloseCode, string) error         { return nil }
func (quietPeer) Resume()                                         {}
func (quietPeer) Report(error)                                    {}
func (q quietPeer) Ended()                                        { close(q.peer.ended) } // a second time panics

func TestAStormOfEverythingAtOnce(t *testing.T) {
	layer := memlayer.New(memlayer.Config{Capacity: 10})
	for round := range 5 {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) {
			var clients sync.WaitGroup
			for i := range 30 {
				clients.Go(func() {
					s := &strict{t: t}
					app := consumers.New(func() *strict { return s }, consumers.On((*strict).note), consumers.OnGroup(renderSaid))
					s.client(t, app, layer, uint64(round*100+i))
				})
			}
			clients.Wait()
		})
	}
}
