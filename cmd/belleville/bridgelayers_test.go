package main

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/coder/websocket"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/internal/redistest"
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

func bridgeOver(t *testing.T, env []string, django ...string) {
	t.Helper()
	url := pgtest.Open(t).URL()
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
	hears := func(ws *websocket.Conn, want string) {
		t.Helper()
		if _, got, err := ws.Read(t.Context()); err != nil || string(got) != want {
			t.Errorf("read %s, %v, want %s", got, err, want)
		}
	}
	one, _ := b.dial(t, "/ws/rooms/lobby/", alice)
	hears(one, `{"entered": "alice"}`)
	two, _ := b.dial(t, "/ws/rooms/lobby/", bob)
	hears(one, `{"entered": "bob"}`)
	hears(two, `{"entered": "bob"}`)
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
