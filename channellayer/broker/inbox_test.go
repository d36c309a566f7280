package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/broker"
)

// gate is a Receiver that takes its time, which no other does: until it is opened.
type gate struct {
	open chan struct{}
	came chan channellayer.Event
}

func newGate(most int) gate { return gate{make(chan struct{}), make(chan channellayer.Event, most)} }

func (g gate) Receive(d *channellayer.Delivery, _ int) bool {
	<-g.open
	g.came <- d.Event
	return true
}

// numbers wants events with the numbers from 0 to n-1.
func (g gate) numbers(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		select {
		case e := <-g.came:
			if e["n"] != int64(i) {
				t.Fatalf("event %v came, want number %d", e, i)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("event %d did not come", i)
		}
	}
}

// published is a message as the pub/sub form publishes it.
func published(n int) string {
	return "\x82\xa4type\xa8numbered\xa1n\xcd" + string([]byte{byte(n >> 8), byte(n)})
}

// gated opens a broker with a gate in the group "room", and a client.
func gated(t *testing.T, most int, c broker.Config) (l *broker.Layer, g gate, w *wire) {
	t.Helper()
	l, address := open(t, c)
	g = newGate(most)
	name, err := l.NewChannel(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.GroupAdd(t.Context(), "room", name); err != nil {
		t.Fatal(err)
	}
	return l, g, dial(t, address)
}

func TestAClientHasItsAnswerBeforeItsMessageIsHandedOut(t *testing.T) {
	const sends = 50
	_, g, w := gated(t, sends, broker.Config{})
	for n := range sends {
		if got := w.do(t, "PUBLISH", "asgi__group__room", published(n)); got != ":1" {
			t.Fatalf("PUBLISH answered %s, want one subscriber", got)
		}
	}
	close(g.open)
	g.numbers(t, sends)
}

func TestAClientWaitsForRoom(t *testing.T) {
	const sends, room = 1_500, 1_000
	reg := prometheus.NewRegistry()
	_, g, w := gated(t, sends, broker.Config{Registerer: reg})
	for n := range sends {
		w.write(t, encode("PUBLISH", "asgi__group__room", published(n)))
	}
	for range room - 1 {
		w.read(t)
	}
	for metric(t, reg, "broker_inbox_messages", "") != room {
		advance(time.Millisecond)
	}
	advance(20 * time.Millisecond) // in which an answer that must not come would
	if n := w.in.Buffered(); n > 0 {
		t.Errorf("%d bytes of answers came while there was no room", n)
	}
	close(g.open)
	for range sends - room + 1 {
		w.read(t)
	}
	g.numbers(t, sends)
	if got := metric(t, reg, "broker_inbox_messages_max", ""); got != room {
		t.Errorf("broker_inbox_messages_max = %v, want %d", got, room)
	}
}

func TestAMembershipEndsAfterWhatWasSentBefore(t *testing.T) {
	const sends = 20
	l, g, w := gated(t, 2*sends, broker.Config{})
	name, q := channel(t, l, "room")
	for n := range sends {
		w.do(t, "PUBLISH", "asgi__group__room", published(n))
	}
	w.write(t, encode("ZREM", "asgi:group:room", name))
	close(g.open)
	if got := w.read(t); got != ":1" {
		t.Errorf("ZREM answered %s", got)
	}
	w.do(t, "PUBLISH", "asgi__group__room", published(sends))
	g.numbers(t, sends+1)
	for n := range sends {
		want(t, q, channellayer.Event{"type": "numbered", "n": int64(n)})
	}
	if n := q.Len(); n != 0 {
		t.Errorf("who had left got %d events", n)
	}
}

// TestLossFromDjango has Django send to a group as fast as it can, to sockets of the broker's own process.
func TestLossFromDjango(t *testing.T) {
	for _, tt := range []struct {
		form           string
		sockets, sends int
	}{{"core", 200, 10_000}, {"pubsub", 200, 10_000}, {"core", 10_000, 1_000}} {
		t.Run(fmt.Sprint(tt.form, " ", tt.sockets, " sockets"), func(t *testing.T) {
			if testing.Short() {
				tt.sends /= 10
			}
			reg := prometheus.NewRegistry()
			ours, address := open(t, broker.Config{Registerer: reg})
			ends := make([]*ordered, tt.sockets)
			for i := range ends {
				ends[i] = &ordered{all: make(chan struct{}), want: int64(tt.sends)}
				name, err := ours.NewChannel(t.Context(), ends[i])
				if err != nil {
					t.Fatal(err)
				}
				if err := ours.GroupAdd(t.Context(), "room", name); err != nil {
					t.Fatal(err)
				}
			}
			django := startPeer(t, tt.form, map[string]any{"hosts": []string{"redis://" + address}})
			t.Log(django.call(t, "burst", "", "room", tt.sends))
			late := time.After(30 * time.Second)
			for i, e := range ends {
				select {
				case <-e.all:
				case <-late:
					t.Fatalf("socket %d did not get all", i)
				}
				if e.wrong {
					t.Errorf("socket %d got events twice, or not in order", i)
				}
			}
			t.Logf("at most %v waited in the inbox", metric(t, reg, "broker_inbox_messages_max", ""))
		})
	}
}

// ordered is a Receiver that wants events with numbers, each once and in order. One goroutine hands them out.
type ordered struct {
	want, came int64
	wrong      bool
	all        chan struct{} // closed with the last one
}

func (o *ordered) Receive(d *channellayer.Delivery, _ int) bool {
	o.wrong = o.wrong || d.Event["n"] != o.came
	if o.came++; o.came == o.want {
		close(o.all)
	}
	return true
}
