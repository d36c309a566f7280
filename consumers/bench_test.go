package consumers_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// void is a Transport that does nothing with what it is given.
type void struct {
	sent  func() // called for each message
	ended func()
}

func (v *void) Answer(consumers.Response) error { return nil }

func (v *void) Send(consumers.Message, *consumers.Frames) error {
	if v.sent != nil {
		v.sent()
	}
	return nil
}

func (v *void) Close(consumers.CloseCode, string) error { return nil }
func (v *void) Resume()                                 {}
func (v *void) Report(error)                            {}

func (v *void) Ended() {
	if v.ended != nil {
		v.ended()
	}
}

// idle is a consumer in a group, as most are.
type idle struct{}

func (*idle) Connect(ctx context.Context, c *consumers.Conn) error {
	if err := c.GroupAdd(ctx, "room"); err != nil {
		return err
	}
	return c.Accept()
}

func (*idle) Receive(_ context.Context, c *consumers.Conn, m consumers.Message) error {
	return c.Send(m)
}

func (*idle) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

func (*idle) note(_ context.Context, c *consumers.Conn, e note) error { return c.SendText(e.Text) }

// connectAll starts n consumers on t, each of its own Scope.
func connectAll(b *testing.B, app consumers.Application, layer channellayer.Layer, n int, t *void) []*consumers.Socket {
	b.Helper()
	all := make([]*consumers.Socket, n)
	for i := range all {
		instance, err := app.Open(b.Context(), &consumers.Scope{Type: consumers.TypeWebSocket, Layer: layer})
		if err != nil {
			b.Fatal(err)
		}
		all[i] = instance.(*consumers.Socket)
		all[i].Start(context.Background(), t)
	}
	return all
}

// disconnectAll ends consumers, and waits for their end.
func disconnectAll(all []*consumers.Socket, t *void) {
	var ends sync.WaitGroup
	ends.Add(len(all))
	t.ended = ends.Done
	for _, s := range all {
		s.Disconnect(consumers.CloseNormal)
	}
	ends.Wait()
}

// BenchmarkReceive is an echo: one message to a consumer that has nothing to do, and its answer.
func BenchmarkReceive(b *testing.B) {
	answers := make(chan struct{}, 1)
	t := &void{sent: func() { answers <- struct{}{} }}
	all := connectAll(b, consumers.New(func() *idle { return new(idle) }), newLayer(), 1, t)
	m := consumers.BinaryMessage(make([]byte, 128))
	b.ReportAllocs()
	for b.Loop() {
		all[0].Message(m)
		<-answers
	}
	disconnectAll(all, t)
}

// BenchmarkReceiveManyAtOnce is an echo of ten messages that come together.
func BenchmarkReceiveManyAtOnce(b *testing.B) {
	answers := make(chan struct{}, 10)
	t := &void{sent: func() { answers <- struct{}{} }}
	all := connectAll(b, consumers.New(func() *idle { return new(idle) }), newLayer(), 1, t)
	m := consumers.BinaryMessage(make([]byte, 128))
	b.ReportAllocs()
	for b.Loop() {
		for range 10 {
			all[0].Message(m)
		}
		for range 10 {
			<-answers
		}
	}
	disconnectAll(all, t)
}

// BenchmarkGroupDelivery is an event for a group through memlayer, to a transport that does nothing.
func BenchmarkGroupDelivery(b *testing.B) {
	kinds := map[string]*consumers.EventHandler{
		"OnGroup":    consumers.OnGroup(renderSaid),
		"OnAnyGroup": consumers.OnAnyGroup(anyText),
		"On":         consumers.On((*idle).note),
	}
	for _, kind := range []string{"OnGroup", "OnAnyGroup", "On"} {
		for _, members := range []int{1, 100, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", kind, members), func(b *testing.B) {
				var deliveries sync.WaitGroup
				t, layer := &void{sent: deliveries.Done}, newLayer()
				all := connectAll(b, consumers.New(func() *idle { return new(idle) }, kinds[kind]), layer, members, t)
				e := channellayer.Event{"type": "chat.said", "text": "hello there"}
				if kind == "On" {
					e["type"] = "chat.note"
				}
				b.ReportAllocs()
				for b.Loop() {
					deliveries.Add(members)
					if err := layer.GroupSend(b.Context(), "room", e); err != nil {
						b.Fatal(err)
					}
					deliveries.Wait()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*members), "ns/member")
				disconnectAll(all, t)
			})
		}
	}
}

// BenchmarkConnect is a connection from Open to Disconnect, in one group.
func BenchmarkConnect(b *testing.B) {
	t, layer := new(void), newLayer()
	app := consumers.New(func() *idle { return new(idle) })
	others := connectAll(b, app, layer, 10, t) // a layer without channels would give its memory back
	b.ReportAllocs()
	for b.Loop() {
		disconnectAll(connectAll(b, app, layer, 1, t), t)
	}
	disconnectAll(others, t)
}

// BenchmarkIdleMemory measures what a connection holds that has nothing to do: its Socket, its Scope, and what
// a layer has for a member of a group. What the request held is gone.
func BenchmarkIdleMemory(b *testing.B) {
	const connections = 50_000
	measure := func(b *testing.B, unit string, connect func() any) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		held := connect()
		runtime.GC()
		runtime.GC() // pools are empty after the second
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/connections, unit)
		runtime.KeepAlive(held)
	}
	anonymous, session := new(djangocompat.User), new(djangocompat.Session)
	for b.Loop() {
		var scopes []*consumers.Scope
		measure(b, "B/scope", func() any {
			for range connections {
				scopes = append(scopes, &consumers.Scope{Type: consumers.TypeWebSocket})
			}
			return scopes
		})
		t := new(void)
		var all []*consumers.Socket
		measure(b, "B/socket", func() any {
			app := consumers.New(func() *ungrouped { return new(ungrouped) })
			for _, s := range scopes {
				s.User, s.Session = anonymous, session
				instance, err := app.Open(b.Context(), s)
				if err != nil {
					b.Fatal(err)
				}
				all = append(all, instance.(*consumers.Socket))
				all[len(all)-1].Start(context.Background(), t)
			}
			return all
		})
		layer := newLayer()
		var members []*consumers.Socket
		measure(b, "B/member", func() any {
			members = connectAll(b, consumers.New(func() *idle { return new(idle) }), layer, connections, t)
			return members
		})
		disconnectAll(all, t)
		disconnectAll(members, t)
	}
	b.ReportMetric(0, "ns/op")
}

// ungrouped is a consumer that never needs a channel.
type ungrouped struct{ idle }

func (*ungrouped) Connect(_ context.Context, c *consumers.Conn) error { return c.Accept() }
