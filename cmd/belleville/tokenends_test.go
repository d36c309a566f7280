package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// onSQLite has Python run statements on an SQLite file, as the site would.
func onSQLite(t *testing.T, file, script string) {
	t.Helper()
	code := "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=10)\nc.executescript(sys.argv[2])\nc.commit()\n"
	if out, err := exec.CommandContext(t.Context(), "python3", "-c", code, file, script).CombinedOutput(); err != nil {
		t.Fatalf("python3: %v: %s", err, out)
	}
}

// jtiOf returns the id in a JWT.
func jtiOf(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ JTI string }
	if err := json.Unmarshal(text, &claims); err != nil || claims.JTI == "" {
		t.Fatalf("a token without an id: %v", err)
	}
	return claims.JTI
}

// TestTheEndOfATokenOfDjangosEndsItsSocket takes tokens back under open sockets, one after another.
func TestTheEndOfATokenOfDjangosEndsItsSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db.sqlite3")
	tokens := tokensOfDjango(t, path)
	env := append([]string{"BELLEVILLE_LIVE_TRIGGERS=off", "BELLEVILLE_LIVE_RECHECK_INTERVAL=1s", "BELLEVILLE_ROUTES_4_PATH=ws/echo/", "BELLEVILLE_ROUTES_4_CONSUMER=echo"}, tokenSettings...) // only asking tells
	b := startBelleville(t, "sqlite:///"+path, env...)
	open := func(authorization string) *websocket.Conn {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		header := http.Header{"Origin": {"http://127.0.0.1:8000"}, "Authorization": {authorization}}
		ws, _, err := websocket.Dial(ctx, "ws://"+b.addr+"/ws/echo/", &websocket.DialOptions{HTTPHeader: header})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ws.CloseNow() })
		return ws
	}
	wantEnded := func(ws *websocket.Conn, what string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if _, _, err := ws.Read(ctx); websocket.CloseStatus(err) != 4401 {
			t.Errorf("%s: %v, want a close with 4401", what, err)
		}
	}
	access, sliding := tokens["simplejwt: an access token"], tokens["simplejwt: a sliding token"]
	byKey := open("Token " + tokens["authtoken: a key"].Text)
	byAccess, bySliding := open("Bearer "+access.Text), open("Bearer "+sliding.Text)

	onSQLite(t, path, "DELETE FROM authtoken_token WHERE key = '"+tokens["authtoken: a key"].Text+"'")
	wantEnded(byKey, "a key that was deleted")
	jti := jtiOf(t, access.Text)
	onSQLite(t, path, `INSERT INTO token_blacklist_outstandingtoken (id, token, jti, created_at, expires_at) VALUES (9001, 'x', '`+jti+`', '2026-01-01', '2026-01-01');
INSERT INTO token_blacklist_blacklistedtoken (id, blacklisted_at, token_id) VALUES (9001, '2026-01-01', 9001)`)
	wantEnded(byAccess, "a token that was put into the blacklist")
	if err := bySliding.Write(t.Context(), websocket.MessageText, []byte("still here")); err != nil {
		t.Error(err)
	}
	if _, text, err := bySliding.Read(t.Context()); string(text) != "still here" || err != nil {
		t.Errorf("another token of the same user: %q, %v", text, err)
	}
	onSQLite(t, path, "UPDATE auth_user SET is_active = 0")
	wantEnded(bySliding, "a user who was made inactive")
}
