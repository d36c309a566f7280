package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/coder/websocket"
	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/internal/redistest"
	"github.com/belleville/belleville/migrations"
)

// TestBridgeOverOtherLayers has Django's runworker serve sockets over what TestBridge does not use.
func TestBridgeOverOtherLayers(t *testing.T) {
	const core, pubSub = "channels_redis.core.RedisChannelLayer", "channels_redis.pubsub.RedisPubSubChannelLayer"
	tests := []struct {
		name, backend string
		broker        bool
	}{
		{"Redis pub/sub", pubSub, false},
		{"the broker, core", core, true},
		{"the broker, pub/sub", pubSub, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := []string{"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=" + tt.backend}
			var address string
			if tt.broker {
				address = "127.0.0.1:" + freePort(t)
				env = append(env, "BELLEVILLE_CHANNEL_LAYERS_BROKER_LISTEN="+address)
			} else {
				address = fmt.Sprint("127.0.0.1:", redistest.Open(t).Port())
				env = append(env, "BELLEVILLE_CHANNEL_LAYERS_DEFAULT_HOSTS=redis://"+address)
			}
			bridgeOver(t, env, "CHANNEL_LAYER_URL=redis://"+address+"/0", "CHANNEL_LAYER="+tt.backend)
		})
	}
}

// TestBridgeOverPostgres has Django's runworker serve sockets over the site's own database.
func TestBridgeOverPostgres(t *testing.T) {
	postgres := []string{"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=channels_postgres.core.PostgresChannelLayer"}
	t.Run("statements as channels_postgres does them", func(t *testing.T) {
		peer, err := filepath.Abs("../../channellayer/pglayer/testdata")
		if err != nil {
			t.Fatal(err)
		}
		bridgeOn(t, withLayerTables(t), postgres, "POSTGRES_LAYER=bridgesite.postgreslayer.PostgresLayer", "PYTHONPATH="+peer)
	})
	t.Run("channels_postgres itself", func(t *testing.T) {
		folders := os.Getenv("CHANNELS_POSTGRES_PATH")
		if folders == "" {
			t.Skip("CHANNELS_POSTGRES_PATH names no folders with channels_postgres, which Debian lacks: docs/layers.md")
		}
		bridgeOn(t, withLayerTables(t), postgres, "POSTGRES_LAYER=channels_postgres.core.PostgresChannelLayer", "PYTHONPATH="+folders)
	})
}

// withLayerTables returns the URL of a database with the tables of channels_postgres.
func withLayerTables(t *testing.T) string {
	t.Helper()
	url := pgtest.Open(t).URL()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }() // nothing is lost with it
	for _, set := range migrations.Sets() {
		if set.Name != "channels_postgres" {
			continue
		}
		if err := migrations.Up(t.Context(), conn, set); err != nil {
			t.Fatal(err)
		}
	}
	return url
}

func bridgeOver(t *testing.T, env []string, django ...string) {
	t.Helper()
	bridgeOn(t, pgtest.Open(t).URL(), env, django...)
}

// bridgeOn has a worker serve sockets, on the database of a URL.
func bridgeOn(t *testing.T, url string, env []string, django ...string) {
	t.Helper()
	site := djangotest.Start(t, url, djangotest.Config{SecretKey: siteKey})
	b := startBelleville(t, url, append(env, "BELLEVILLE_LIMITS_HANDSHAKE_TIMEOUT=3s",
		"BELLEVILLE_ROUTES_4_PATH=ws/rooms/<slug:room>/", "BELLEVILLE_ROUTES_4_CONSUMER=bridge", "BELLEVILLE_ROUTES_4_CHANNEL=rooms")...)
	runWorker(t, url, django, "rooms")
	// Pub/sub loses what comes before the worker listens, and the worker may come late.
	for try := 0; b.status(t, "/ws/rooms/lobby/", "") != http.StatusForbidden; try++ {
		if try == 20 {
			t.Fatal("no worker answers")
		}
	}
	alice, bob := site.Login(t, djangotest.Alice, djangotest.Password), site.Login(t, djangotest.Bob, djangotest.Password)
	own := make(map[*websocket.Conn]string) // what a newcomer hears only if it is in the group in time: docs/bridge.md
	hears := func(ws *websocket.Conn, want string) {
		t.Helper()
		_, got, err := ws.Read(t.Context())
		if string(got) == own[ws] && string(got) != want {
			delete(own, ws)
			_, got, err = ws.Read(t.Context())
		}
		if err != nil || string(got) != want {
			t.Errorf("read %s, %v, want %s", got, err, want)
		}
	}
	one, _ := b.dial(t, "/ws/rooms/lobby/", alice)
	own[one] = `{"entered": "alice"}`
	two, _ := b.dial(t, "/ws/rooms/lobby/", bob)
	own[two] = `{"entered": "bob"}`
	hears(one, `{"entered": "bob"}`)
	pk := site.WhoAmI(t, alice).PK
	const messages = 30
	for i := range messages {
		if err := one.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, "n %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range messages { // in order
		want := fmt.Sprintf(`{"user": %d, "said": "n %d"}`, pk, i)
		hears(one, want)
		hears(two, want)
	}
}
