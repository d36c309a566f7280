package layerbench_test

import (
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/broker"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/channellayer/pglayer"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/layerbench"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/internal/redistest"
	"github.com/belleville/belleville/migrations"
)

// scale is how much is measured.
type scale struct {
	burst, single int // messages to one socket: as fast as they are sent, and one after the other
	many, rounds  int // sockets, and messages to them
	crowd, made   int // sockets, and members made in the process, that are compared with one
	costs         int // messages to each of these
}

var (
	small = scale{burst: 50, single: 5, many: 20, rounds: 3, crowd: 30, made: 100, costs: 3}
	full  = scale{burst: 3_000, single: 500, many: 10_000, rounds: 20, crowd: 15_000, made: 50_000, costs: 100}
)

// subject is a layer with who sends to it.
type subject struct {
	name, sender string
	layer        channellayer.Layer
	send         sender

	// through starts another sender, by way of a meter; nil where nothing is sent to another process.
	through func(t *testing.T) (sender, *meter)
}

// TestLayers is the benchmark of docs/layers.md where BELLEVILLE_BENCH_LAYERS names that file, and otherwise proves that
// it runs.
func TestLayers(t *testing.T) {
	document, s := os.Getenv("BELLEVILLE_BENCH_LAYERS"), small
	if document != "" {
		s = full
	}
	results := layerbench.Results{Machine: machine(t), Parts: versions(t), Date: time.Now().UTC().Format(time.DateOnly), Load: loadAverage(t)}
	for _, l := range []struct {
		name string
		open func(*testing.T) subject
	}{{"memory", openMemory}, {"redis core", openRedisCore}, {"redis pubsub", openRedisPubSub}, {"postgres", openPostgres}, {"broker", openBroker}} {
		t.Run(l.name, func(t *testing.T) {
			f := measure(t, l.open(t), s)
			results.Layers = append(results.Layers, f)
			for _, problem := range f.Problems() {
				if document != "" || f.Lost > 0 { // a few messages prove nothing about costs
					t.Error(problem)
				}
			}
		})
	}
	if document == "" {
		return
	}
	fmt.Println(results.Markdown())
	fmt.Println(results.JSON())
	text, err := os.ReadFile(document)
	must(t, err)
	changed, err := layerbench.Insert(string(text), results.Markdown())
	must(t, err)
	must(t, os.WriteFile(document, []byte(changed), 0o644))
}

func openMemory(t *testing.T) subject {
	layer := memlayer.New(memlayer.Config{})
	return subject{name: "memory", sender: "Go, the same process", layer: layer, send: fromGo(t, layer)}
}

// fromDjango makes a subject of a layer that Django reaches at a URL.
func fromDjango(t *testing.T, s subject, backend, target string, config func(string) map[string]any) subject {
	s.send = startDjango(t, backend, config(target))
	s.through = func(t *testing.T) (sender, *meter) {
		m, through := startMeter(t, target)
		return startDjango(t, backend, config(through)), m
	}
	return s
}

const (
	coreBackend   = "channels_redis.core.RedisChannelLayer"
	pubSubBackend = "channels_redis.pubsub.RedisPubSubChannelLayer"
)

func redisConfig(target string) map[string]any { return map[string]any{"hosts": []string{target}} }

func openRedisCore(t *testing.T) subject {
	server := redistest.Open(t)
	host, err := redislayer.ParseHost(server.URL())
	must(t, err)
	layer, err := redislayer.New(t.Context(), redislayer.Config{Hosts: []redislayer.Host{host}})
	must(t, err)
	t.Cleanup(func() { must(t, layer.Close()) })
	s := subject{name: "Redis, core", sender: "Django, channels_redis", layer: layer}
	return fromDjango(t, s, coreBackend, server.URL(), redisConfig)
}

func openRedisPubSub(t *testing.T) subject {
	server := redistest.Open(t)
	host, err := redislayer.ParseHost(server.URL())
	must(t, err)
	layer, err := redislayer.NewPubSub(t.Context(), redislayer.Config{Hosts: []redislayer.Host{host}})
	must(t, err)
	t.Cleanup(func() { must(t, layer.Close()) })
	s := subject{name: "Redis, pub/sub", sender: "Django, channels_redis", layer: layer}
	return fromDjango(t, s, pubSubBackend, server.URL(), redisConfig)
}

func openPostgres(t *testing.T) subject {
	d := pgtest.Open(t)
	conn, err := pgx.Connect(t.Context(), d.URL())
	must(t, err)
	for _, set := range migrations.Sets() {
		must(t, migrations.Up(t.Context(), conn, set))
	}
	must(t, conn.Close(t.Context()))
	layer, err := pglayer.New(t.Context(), pglayer.Config{Database: pglayer.Database{URL: djangocompat.NewSecret(pgtest.Restricted(t, d.URL()))}})
	must(t, err)
	t.Cleanup(func() { must(t, layer.Close()) })
	s := subject{name: "Postgres", sender: "Python, as channels_postgres", layer: layer}
	return fromDjango(t, s, "postgres", d.URL(), func(target string) map[string]any { return map[string]any{"url": target} })
}

func openBroker(t *testing.T) subject {
	layer, err := broker.New(broker.Config{})
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	served := make(chan error, 1)
	go func() { served <- layer.Serve(t.Context(), listener) }()
	t.Cleanup(func() {
		must(t, layer.Close())
		must(t, <-served)
	})
	s := subject{name: "broker", sender: "Django, channels_redis core", layer: layer}
	return fromDjango(t, s, coreBackend, "redis://"+listener.Addr().String(), redisConfig)
}

// measure measures a layer.
func measure(t *testing.T, s subject, by scale) layerbench.Figures {
	t.Helper()
	c := startClients(t, serve(t, s.layer))
	f := layerbench.Figures{Layer: s.name, Sender: s.sender}
	c.open("one", 1)
	s.to(c, &f, "one", 1, 10, false) // which warms up all that is in between
	t0, r := s.to(c, &f, "one", 1, by.burst, false)
	f.PerSecond = float64(by.burst) / time.Duration(r.Last-t0.Began).Seconds()
	var latencies []time.Duration
	for range by.single {
		_, r := s.to(c, &f, "one", 1, 1, true)
		latencies = append(latencies, r.Latencies...)
	}
	slices.Sort(latencies)
	if n := len(latencies); n > 0 {
		f.P50, f.P99 = latencies[n/2], latencies[n*99/100]
	}

	c.open("many", by.many)
	s.to(c, &f, "many", by.many, 2, false)
	cpu := cpuOf(t)
	t0, r = s.to(c, &f, "many", by.many, by.rounds, false)
	deliveries := float64(by.many * by.rounds)
	f.Deliveries = deliveries / time.Duration(r.Last-t0.Began).Seconds()
	f.CPUPerMillion = (cpuOf(t) - cpu).Seconds() / deliveries * 1e6
	if s.through != nil {
		c.open("many", by.crowd-by.many)
		f.Costs = s.costs(t, c, &f, by)
	}
	return f
}

// to has messages sent to a group, and waits until the sockets in it have them.
func (s subject) to(c *clients, f *layerbench.Figures, group string, sockets, n int, latencies bool) (took, clientReply) {
	c.Helper()
	c.tell(clientOrder{N: sockets * n, Latencies: latencies})
	t := s.send(group, n)
	r := c.reply()
	f.Lost += sockets*n - r.Came
	return t, r
}

// crowd is a group whose costs are compared.
type crowd struct {
	name, group string
	sockets     int // 0 where its members are made in the process
}

// costs measures what one group_send costs Django, by turns for each group, and takes what a quarter of them is below.
func (s subject) costs(t *testing.T, c *clients, f *layerbench.Figures, by scale) []layerbench.Cost {
	t.Helper()
	made := s.makeMembers(t, by.made)
	crowds := []crowd{
		{"1 socket", "one", 1},
		{fmt.Sprintf("%d sockets", by.crowd), "many", by.crowd},
		{fmt.Sprintf("%d made in the process", by.made), "made", 0},
	}
	cpu, wall := make([][]int64, len(crowds)), make([][]int64, len(crowds))
	for range by.costs {
		for i, g := range crowds {
			for range 10 { // so that none comes just after a larger one, with cold caches
				s.toCrowd(c, f, crowds[0], made, s.send)
			}
			t := s.toCrowd(c, f, g, made, s.send)
			cpu[i], wall[i] = append(cpu[i], t.CPU), append(wall[i], t.Wall)
		}
	}
	metered, m := s.through(t)
	metered("one", 5) // which introduces the connection
	c.tell(clientOrder{N: 5})
	f.Lost += 5 - c.reply().Came
	var costs []layerbench.Cost
	for i, g := range crowds {
		there, back := m.there.Load(), m.back.Load()
		const sends = 10
		for range sends {
			s.toCrowd(c, f, g, made, metered)
		}
		costs = append(costs, layerbench.Cost{
			Members: g.name, CPU: time.Duration(quarter(cpu[i])), Wall: time.Duration(quarter(wall[i])),
			CPURatio: float64(quarter(cpu[i])) / float64(quarter(cpu[0])),
			Sent:     int(m.there.Load()-there) / sends, Received: int(m.back.Load()-back) / sends,
		})
	}
	return costs
}

// toCrowd has a message sent to a group, and waits until all members have it.
func (s subject) toCrowd(c *clients, f *layerbench.Figures, g crowd, made *counter, send sender) took {
	c.Helper()
	if g.sockets > 0 {
		c.tell(clientOrder{N: g.sockets})
	}
	t := send(g.group, 1)
	if g.sockets > 0 {
		f.Lost += g.sockets - c.reply().Came
		return t
	}
	select {
	case <-made.all:
	case <-time.After(silence):
		c.Fatalf("not all members in the process have got the message")
	}
	return t
}

// quarter returns the value that a quarter of a list is below: others use the machine too, and only add to it.
func quarter(list []int64) int64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/4]
}
