package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/broker"
	"github.com/belleville/belleville/channellayer/pglayer"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/consumers/worker"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/internal/redistest"
	"github.com/belleville/belleville/migrations"
)

// listens is a layer that workers can listen on.
type listens interface {
	channellayer.Layer
	channellayer.Listener
	Ready(ctx context.Context) error
	Close() error
}

// scene is where workers are: their layers, and how a site sends so many events to the channel "thumbnails".
type scene struct {
	layers []listens
	send   func(n int)
}

// TestDjangoSendsToWorkers has a site send to a channel that Workers listen to: each event reaches one of them.
func TestDjangoSendsToWorkers(t *testing.T) {
	tests := []struct {
		name string
		open func(t *testing.T) scene
	}{
		{"two on Redis, core", func(t *testing.T) scene { return onRedis(t, 2, coreBackend) }},
		{"one on Redis, pub/sub, where each would get a copy", func(t *testing.T) scene { return onRedis(t, 1, pubSubBackend) }},
		{"the broker's own process and another, core", func(t *testing.T) scene { return onBroker(t, 1, coreBackend) }},
		{"the broker's own process, pub/sub", func(t *testing.T) scene { return onBroker(t, 0, pubSubBackend) }},
		{"two on Postgres", onPostgres},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { work(t, tt.open(t)) })
	}
}

// work runs a Worker on each layer, and wants each event once.
func work(t *testing.T, s scene) {
	t.Helper()
	const sends = 40
	came := make(chan int64, 2*sends) // room for what comes twice
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	for _, layer := range s.layers {
		w := worker.New(layer, worker.ChannelNameRouter{
			"thumbnails": worker.Types(worker.On(func(_ context.Context, e Generate) error {
				if e.ID%10 == 0 {
					defer panic("a handler's own fault")
				}
				came <- e.ID
				return nil
			})),
		}, worker.Config{Concurrency: 4, Backlog: sends}) // pub/sub keeps nothing for busy hands
		working.Go(func() {
			if err := w.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	s.send(sends)
	seen := make(map[int64]bool)
	patience := time.After(30 * time.Second)
	for len(seen) < sends {
		select {
		case id := <-came:
			if seen[id] {
				t.Errorf("event %d came twice", id)
			}
			seen[id] = true
		case <-patience:
			t.Fatalf("%d of %d events came", len(seen), sends)
		}
	}
	cancel()
	working.Wait()
}

const (
	coreBackend   = "channels_redis.core.RedisChannelLayer"
	pubSubBackend = "channels_redis.pubsub.RedisPubSubChannelLayer"
)

// fromDjango returns a sender that is a shell of the example site.
func fromDjango(t *testing.T, url, backend string) func(int) {
	t.Helper()
	project, err := djangotest.NewProject(t.Context(), "sqlite:///"+filepath.Join(t.TempDir(), "db.sqlite3"),
		djangotest.Config{Env: []string{"CHANNEL_LAYER_URL=" + url, "CHANNEL_LAYER=" + backend}})
	if err != nil {
		parts.Need(t, "Django", err)
	}
	return func(n int) {
		_, err := project.Shell(t.Context(), fmt.Sprintf(`
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
async def main():
    for n in range(%d):
        await get_channel_layer().send("thumbnails", {"type": "generate", "id": n})
async_to_sync(main)()
`, n))
		must(t, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// connect opens layers of a form on a Redis, or on what speaks like one.
func connect(t *testing.T, url string, n int, backend string) (layers []listens) {
	t.Helper()
	host, err := redislayer.ParseHost(url)
	must(t, err)
	for range n {
		var layer listens
		if c := (redislayer.Config{Hosts: []redislayer.Host{host}}); backend == pubSubBackend {
			layer, err = redislayer.NewPubSub(t.Context(), c)
		} else {
			layer, err = redislayer.New(t.Context(), c)
		}
		must(t, err)
		t.Cleanup(func() { _ = layer.Close() })
		layers = append(layers, layer)
	}
	return layers
}

func onRedis(t *testing.T, n int, backend string) scene {
	server := redistest.Open(t)
	s := scene{connect(t, server.URL(), n, backend), fromDjango(t, server.URL(), backend)}
	if backend == pubSubBackend {
		s.send = afterSubscribing(t, server, s.send)
	}
	return s
}

// afterSubscribing sends once somebody listens: pub/sub loses what comes before.
func afterSubscribing(t *testing.T, server *redistest.Server, send func(int)) func(int) {
	return func(n int) {
		for server.Do(t, "PUBSUB", "NUMSUB", "thumbnails") != "thumbnails\n1" {
			if t.Context().Err() != nil {
				return
			}
		}
		send(n)
	}
}

// onBroker has workers in the broker's process, and n elsewhere.
func onBroker(t *testing.T, n int, backend string) scene {
	layer, err := broker.New(broker.Config{})
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	served := make(chan error, 1)
	go func() { served <- layer.Serve(context.Background(), listener) }()
	t.Cleanup(func() {
		must(t, layer.Close())
		must(t, <-served)
	})
	url := "redis://" + listener.Addr().String()
	return scene{append([]listens{layer}, connect(t, url, n, backend)...), fromDjango(t, url, backend)}
}

// onPostgres has a Python process send as channels_postgres does, which Debian has not.
func onPostgres(t *testing.T) scene {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import psycopg2, msgpack").Run(); err != nil {
		parts.Need(t, "psycopg2", fmt.Errorf("%w: psycopg2 and msgpack for %s (Debian's packages python3-psycopg2, python3-msgpack)", parts.ErrMissing, python))
	}
	d := pgtest.Open(t)
	conn, err := pgx.Connect(t.Context(), d.URL())
	must(t, err)
	for _, set := range migrations.Sets() {
		must(t, migrations.Up(t.Context(), conn, set))
	}
	must(t, conn.Close(t.Context()))
	var s scene
	for range 2 {
		layer, err := pglayer.New(t.Context(), pglayer.Config{Database: pglayer.Database{URL: djangocompat.NewSecret(pgtest.Restricted(t, d.URL()))}})
		must(t, err)
		t.Cleanup(func() { _ = layer.Close() })
		s.layers = append(s.layers, layer)
	}
	s.send = func(n int) {
		cmd := exec.CommandContext(t.Context(), python, "../../channellayer/pglayer/testdata/peer.py", d.URL(), "null")
		cmd.Stderr = os.Stderr
		stdin, err := cmd.StdinPipe()
		must(t, err)
		must(t, cmd.Start())
		orders := json.NewEncoder(stdin)
		for id := range n {
			must(t, orders.Encode(map[string]any{
				"call": "send", "args": []any{"thumbnails"}, "message": fmt.Sprintf("{'type': 'generate', 'id': %d}", id),
			}))
		}
		must(t, stdin.Close())
		must(t, cmd.Wait())
	}
	return s
}
