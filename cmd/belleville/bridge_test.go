package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/internal/redistest"
)

// runWorker runs "manage.py runworker" of testdata/bridge for some channels until the test ends.
func runWorker(t *testing.T, databaseURL string, env []string, channels ...string) {
	t.Helper()
	dir, err := filepath.Abs("testdata/bridge")
	if err != nil {
		t.Fatal(err)
	}
	path := dir
	for _, variable := range env {
		if folders, ok := strings.CutPrefix(variable, "PYTHONPATH="); ok {
			path = dir + ":" + folders
		}
	}
	project, err := djangotest.NewProject(t.Context(), databaseURL, djangotest.Config{
		SecretKey: siteKey, Env: append(slices.Clone(env), "DJANGO_SETTINGS_MODULE=bridgesite.settings", "PYTHONPATH="+path),
	})
	if err != nil {
		parts.Need(t, "Django", err)
	}
	log := new(syncBuffer)
	cmd := project.Command(context.Background(), append([]string{"manage.py", "runworker"}, channels...)...)
	cmd.Stdout, cmd.Stderr = log, log
	worker, err := parts.Start(parts.Account{}, cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = worker.Kill() // it may have ended
		if t.Failed() {
			t.Logf("the worker said:\n%s", log)
		}
	})
}

// TestBridge has Django's own runworker serve the sockets.
func TestBridge(t *testing.T) {
	redis := fmt.Sprintf("redis://127.0.0.1:%d/0", redistest.Open(t).Port())
	url := pgtest.Open(t).URL()
	site := djangotest.Start(t, url, djangotest.Config{SecretKey: siteKey})
	runWorker(t, url, []string{"CHANNEL_LAYER_URL=" + redis}, "rooms")
	b := startBelleville(t, url,
		"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=channels_redis.core.RedisChannelLayer",
		"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_HOSTS="+redis,
		"BELLEVILLE_LIMITS_HANDSHAKE_TIMEOUT=20s",
		"BELLEVILLE_ROUTES_4_PATH=ws/rooms/<slug:room>/", "BELLEVILLE_ROUTES_4_CONSUMER=bridge", "BELLEVILLE_ROUTES_4_CHANNEL=rooms",
		"BELLEVILLE_ROUTES_5_PATH=ws/nobody/", "BELLEVILLE_ROUTES_5_CONSUMER=bridge", "BELLEVILLE_ROUTES_5_CHANNEL=nobody.listens",
	)
	if status := b.status(t, "/ws/rooms/lobby/", ""); status != http.StatusForbidden {
		t.Errorf("a stranger is answered %d, want 403 from Django", status)
	}
	hears := func(ws *websocket.Conn, want ...string) {
		t.Helper()
		for _, w := range want {
			if _, got, err := ws.Read(t.Context()); err != nil || string(got) != w {
				t.Errorf("read %s, %v, want %s", got, err, w)
			}
		}
	}
	alice, bob := site.Login(t, djangotest.Alice, djangotest.Password), site.Login(t, djangotest.Bob, djangotest.Password)
	one, _ := b.dial(t, "/ws/rooms/lobby/", alice)
	hears(one, `{"entered": "alice"}`)
	two, _ := b.dial(t, "/ws/rooms/lobby/", bob)
	other, _ := b.dial(t, "/ws/rooms/attic/", bob)
	hears(one, `{"entered": "bob"}`)
	hears(two, `{"entered": "bob"}`)
	hears(other, `{"entered": "bob"}`)
	pk := func(cookie string) int64 { return site.WhoAmI(t, cookie).PK }
	const messages = 50
	for i := range messages {
		if err := one.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, "grüße %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range messages { // in order
		want := fmt.Sprintf(`{"user": %d, "said": "gr\u00fc\u00dfe %d"}`, pk(alice), i)
		hears(one, want)
		hears(two, want)
	}
	if err := two.Write(t.Context(), websocket.MessageBinary, []byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := two.Read(t.Context()); websocket.CloseStatus(err) != 4003 || !strings.Contains(err.Error(), "text, please") {
		t.Errorf("bytes: %v, want a close with 4003 and its reason", err)
	}
	hears(one, fmt.Sprintf(`{"user": %d, "left": 4003}`, pk(bob)))
	if status := b.status(t, "/ws/nobody/", alice); status != http.StatusGatewayTimeout {
		t.Errorf("without a worker the handshake is answered %d, want 504", status)
	}
}

// TestBridgeDocumentation compares the page with what TestBridge runs.
func TestBridgeDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/bridge.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"asgi.py", "consumers.py"} {
		code, err := os.ReadFile("testdata/bridge/bridgesite/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), string(code)) {
			t.Errorf("docs/bridge.md does not show %s as it is", name)
		}
	}
}
