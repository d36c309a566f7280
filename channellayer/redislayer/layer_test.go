package redislayer_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/layertest"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/redistest"
)

// hosts names servers as hosts of a layer.
func hosts(t testing.TB, servers ...*redistest.Server) []redislayer.Host {
	t.Helper()
	var list []redislayer.Host
	for _, s := range servers {
		h, err := redislayer.ParseHost(s.URL())
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, h)
	}
	return list
}

// open opens a layer, which ends with the test.
func open(t testing.TB, c redislayer.Config) *redislayer.Layer {
	t.Helper()
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

// advance lets real time pass, which Redis's clock needs.
func advance(d time.Duration) { <-time.After(d) }

// suite opens the layer of the suite's subtests, each with a prefix of its own on the same servers.
func suite(servers []*redistest.Server, adjust func(*redislayer.Config)) layertest.Open {
	prefixes := 0
	return func(t *testing.T, s layertest.Setup) layertest.Bus {
		prefixes++
		bus := layertest.Bus{Advance: advance}
		prefix := fmt.Sprint("suite", prefixes)
		if len(servers) == 1 {
			bus.Poison = func(t *testing.T, channel string, message []byte) { poison(t, servers[0], prefix, channel, message) }
		}
		for range s.Nodes {
			c := redislayer.Config{
				Hosts: hosts(t, servers...), Prefix: prefix,
				Capacity: s.Capacity, ChannelCapacity: s.Capacities, Expiry: s.Expiry, GroupExpiry: s.GroupExpiry,
				Heartbeat: time.Second,
			}
			if adjust != nil {
				adjust(&c)
			}
			bus.Nodes = append(bus.Nodes, open(t, c))
		}
		return bus
	}
}

// poison puts a message into the inbox of a channel, as Django would, once with what each message begins with and once without.
func poison(t *testing.T, server *redistest.Server, prefix, channel string, message []byte) {
	t.Helper()
	key, now := prefix+channellayer.NonLocalName(channel), fmt.Sprint(time.Now().Unix())
	for _, m := range []string{string(message), "twelve bytes" + string(message)} {
		server.DoRaw(t, "ZADD", key, now, m)
	}
}

func TestLayer(t *testing.T) {
	t.Parallel() // it waits most of the time
	layertest.Run(t, suite([]*redistest.Server{redistest.Open(t)}, nil))
}

func TestLayerEncrypted(t *testing.T) {
	t.Parallel() // it waits most of the time
	layertest.Run(t, suite([]*redistest.Server{redistest.Open(t)}, func(c *redislayer.Config) {
		c.SymmetricEncryptionKeys = []string{"new", "old"}
	}))
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
