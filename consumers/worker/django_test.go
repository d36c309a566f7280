package worker_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/consumers/worker"
	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/redistest"
)

// TestDjangoSendsToWorkers has Django send to a channel that two Workers listen to: each event reaches one of them.
func TestDjangoSendsToWorkers(t *testing.T) {
	server := redistest.Open(t)
	host, err := redislayer.ParseHost(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	project, err := djangotest.NewProject(t.Context(), "sqlite:///"+filepath.Join(t.TempDir(), "db.sqlite3"),
		djangotest.Config{Env: []string{"CHANNEL_LAYER_URL=" + server.URL()}})
	if err != nil {
		parts.Need(t, "Django", err)
	}
	const sends = 40
	came := make(chan int64, 2*sends) // room for what comes twice
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	for range 2 {
		layer, err := redislayer.New(t.Context(), redislayer.Config{Hosts: []redislayer.Host{host}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = layer.Close() })
		w := worker.New(layer, worker.ChannelNameRouter{
			"thumbnails": worker.Types(worker.On(func(_ context.Context, e Generate) error {
				if e.ID%10 == 0 {
					defer panic("a handler's own fault")
				}
				came <- e.ID
				return nil
			})),
		}, worker.Config{Concurrency: 4})
		working.Go(func() {
			if err := w.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	_, err = project.Shell(t.Context(), fmt.Sprintf(`
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
async def main():
    for n in range(%d):
        await get_channel_layer().send("thumbnails", {"type": "generate", "id": n})
async_to_sync(main)()
`, sends))
	if err != nil {
		t.Fatal(err)
	}
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
