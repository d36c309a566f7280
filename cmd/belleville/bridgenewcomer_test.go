package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/coder/websocket"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/internal/redistest"
)

// TestBridgeNewcomer has a worker put each connection into its group by Django's own group_add, and speak to the group at
// once: the newcomer hears it, and nobody hears it twice.
func TestBridgeNewcomer(t *testing.T) {
	const core = "channels_redis.core.RedisChannelLayer"
	t.Run("Redis, core", func(t *testing.T) {
		address := fmt.Sprint("127.0.0.1:", redistest.Open(t).Port())
		newcomers(t, pgtest.Open(t).URL(), []string{
			"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=" + core, "BELLEVILLE_CHANNEL_LAYERS_DEFAULT_HOSTS=redis://" + address,
		}, "CHANNEL_LAYER_URL=redis://"+address+"/0", "CHANNEL_LAYER="+core)
	})
	t.Run("the broker, core", func(t *testing.T) {
		address := "127.0.0.1:" + freePort(t)
		newcomers(t, pgtest.Open(t).URL(), []string{
			"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=" + core, "BELLEVILLE_CHANNEL_LAYERS_BROKER_LISTEN=" + address,
		}, "CHANNEL_LAYER_URL=redis://"+address+"/0", "CHANNEL_LAYER="+core)
	})
	t.Run("Postgres", func(t *testing.T) {
		peer, err := filepath.Abs("../../channellayer/pglayer/testdata")
		if err != nil {
			t.Fatal(err)
		}
		newcomers(t, withLayerTables(t), []string{"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=channels_postgres.core.PostgresChannelLayer"},
			"POSTGRES_LAYER=bridgesite.postgreslayer.PostgresLayer", "PYTHONPATH="+peer)
	})
}

// newcomers has clients come into one room, one after the other.
func newcomers(t *testing.T, url string, env []string, django ...string) {
	t.Helper()
	djangotest.Start(t, url, djangotest.Config{SecretKey: siteKey})
	b := startBelleville(t, url, append(env, "BELLEVILLE_LIMITS_HANDSHAKE_TIMEOUT=20s",
		"BELLEVILLE_ROUTES_4_PATH=ws/rooms/<slug:room>/", "BELLEVILLE_ROUTES_4_CONSUMER=bridge", "BELLEVILLE_ROUTES_4_CHANNEL=rooms")...)
	runWorker(t, url, append(django, "BRIDGE_APPLICATION=bridgesite.named.application"), "rooms")
	for try := 0; b.status(t, "/ws/rooms/attic/", "") != http.StatusSwitchingProtocols; try++ {
		if try == 5 {
			t.Fatal("no worker answers")
		}
	}
	const clients = 20
	var all []*websocket.Conn
	for i := range clients {
		ws, _ := b.dial(t, fmt.Sprint("/ws/rooms/lobby/?", i), "")
		all = append(all, ws)
		for j, other := range all {
			want := fmt.Sprintf(`{"entered": "%d"}`, i)
			if _, got, err := other.Read(t.Context()); err != nil || string(got) != want {
				t.Fatalf("client %d hears %s, %v, want %s", j, got, err, want)
			}
		}
	}
}
