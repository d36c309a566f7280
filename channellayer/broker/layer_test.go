package broker_test

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/broker"
	"github.com/belleville/belleville/channellayer/layertest"
	"github.com/belleville/belleville/channellayer/redislayer"
)

// open opens a layer and lets others in on a free port, until the test ends. It returns the port's address.
func open(t testing.TB, c broker.Config) (l *broker.Layer, address string) {
	t.Helper()
	l, err := broker.New(c)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- l.Serve(context.Background(), listener) }()
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve = %v, want nil after Close", err)
		}
	})
	return l, listener.Addr().String()
}

// connect opens the layer of another process, which talks to a broker.
func connect(t testing.TB, address string, c redislayer.Config) *redislayer.Layer {
	t.Helper()
	c.Hosts = []redislayer.Host{{Network: "tcp", Address: address, Password: c.Hosts[0].Password}}
	c.Heartbeat = time.Second
	l, err := redislayer.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// advance lets real time pass, which the broker's other clients live in.
func advance(d time.Duration) { <-time.After(d) }

// suite opens a broker and gives the suite's processes ends of it: "b" is the broker's own process, "r" another one.
func suite(nodes string, keys ...string) layertest.Open {
	return func(t *testing.T, s layertest.Setup) layertest.Bus {
		l, address := open(t, broker.Config{
			Capacity: s.Capacity, ChannelCapacity: s.Capacities, Expiry: s.Expiry, GroupExpiry: s.GroupExpiry,
			SymmetricEncryptionKeys: keys, Password: "sesame",
		})
		bus := layertest.Bus{Advance: advance}
		w := dial(t, address)
		w.do(t, "AUTH", "sesame")
		bus.Poison = func(t *testing.T, channel string, message []byte) {
			key, now := "asgi"+channellayer.NonLocalName(channel), strconv.FormatInt(time.Now().Unix(), 10)
			for _, m := range []string{string(message), "twelve bytes" + string(message)} { // with and without what each begins with
				w.do(t, "ZADD", key, now, m)
			}
		}
		for _, node := range nodes {
			if node == 'b' {
				bus.Nodes = append(bus.Nodes, l)
				continue
			}
			bus.Nodes = append(bus.Nodes, connect(t, address, redislayer.Config{
				Hosts:    []redislayer.Host{{Password: "sesame"}},
				Capacity: s.Capacity, ChannelCapacity: s.Capacities, Expiry: s.Expiry, GroupExpiry: s.GroupExpiry,
				SymmetricEncryptionKeys: keys,
			}))
		}
		return bus
	}
}

func TestLayer(t *testing.T) {
	t.Parallel() // it waits most of the time
	layertest.Run(t, suite("bb"))
}

func TestLayerAndAnotherProcess(t *testing.T) {
	t.Parallel()
	layertest.Run(t, suite("br"))
}

func TestAnotherProcessAndLayer(t *testing.T) {
	t.Parallel()
	layertest.Run(t, suite("rb", "new", "old"))
}

func TestTwoOtherProcesses(t *testing.T) {
	t.Parallel()
	layertest.Run(t, suite("rr"))
}

// next returns the next event of a queue.
func next(t testing.TB, q *channellayer.Queue) channellayer.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	e, err := q.Next(ctx)
	if err != nil {
		t.Fatalf("no event: %v", err)
	}
	return e
}

func TestManyMembersAreOneToOthers(t *testing.T) {
	l, address := open(t, broker.Config{})
	w := dial(t, address)
	var names []string
	for range 15_000 {
		name, _ := channel(t, l, "room")
		names = append(names, name)
	}
	if got := w.do(t, "ZCARD", "asgi:group:room"); got != ":1" {
		t.Errorf("the group has %s members for Django, want 1", got)
	}
	for _, name := range names {
		l.CloseChannel(name)
	}
	if got := w.do(t, "DBSIZE"); got != ":0" {
		t.Errorf("%s keys are left after all channels were closed", got)
	}
}
