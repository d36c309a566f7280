package authmw_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/wstest"
)

// TestSignedCookieSessions has sessions that are kept in the cookie alone: its value is another one after each save.
func TestSignedCookieSessions(t *testing.T) {
	s := openSite(t, sessionstore.Config{SessionEngine: sessionstore.EngineSignedCookies})
	login := s.request(t, authmw.Config{}, "", func(ctx context.Context, _ http.ResponseWriter, scope *consumers.Scope) {
		if err := authmw.Login(ctx, scope, s.user(1)); err != nil {
			t.Error(err)
		}
	})
	key := keyIn(login)
	if u := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(key))).User; u.Username != "alice" {
		t.Fatalf("by the cookie of the login: %q, want alice", u.Username)
	}
	t.Run("a changed session is another cookie", func(t *testing.T) {
		r := s.request(t, authmw.Config{}, key, func(_ context.Context, _ http.ResponseWriter, scope *consumers.Scope) { scope.Session.Set("a", "b") })
		changed := keyIn(r)
		inner := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(changed)))
		if changed == key || inner.User.Username != "alice" || !inner.Session.Has("a") {
			t.Errorf("cookie kept = %v, user %q, changed = %v", changed == key, inner.User.Username, inner.Session.Has("a"))
		}
	})
	t.Run("one that is read sets no cookie", func(t *testing.T) {
		r := s.request(t, authmw.Config{}, key, func(context.Context, http.ResponseWriter, *consumers.Scope) {})
		if cookie := r.Header.Get("Set-Cookie"); cookie != "" {
			t.Errorf("Set-Cookie = %q, want none", cookie)
		}
	})
	t.Run("a logout deletes the cookie", func(t *testing.T) {
		r := s.request(t, authmw.Config{}, key, func(ctx context.Context, _ http.ResponseWriter, scope *consumers.Scope) {
			if err := authmw.Logout(ctx, scope); err != nil {
				t.Error(err)
			}
		})
		if keyIn(r) != `""` {
			t.Errorf("Set-Cookie = %q, want a deletion", r.Header.Get("Set-Cookie"))
		}
	})
	t.Run("a login over a WebSocket is handed over", func(t *testing.T) {
		inner := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(key)))
		if err := authmw.Login(t.Context(), inner, s.user(2)); err != nil {
			t.Fatal(err)
		}
		h := authmw.NewHandover(s, authmw.Config{}, authmw.HandoverConfig{Prefix: "/c/"})
		path, err := h.Path(inner, "")
		if err != nil {
			t.Fatal(err)
		}
		r := wstest.Request(t.Context(), h, "GET", path, nil, wstest.Config{Header: http.Header{"Cookie": {sessionCookie(key)}}})
		if u := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(keyIn(r)))).User; u.Username != "bob" {
			t.Errorf("by the cookie that was handed over (%d): %q, want bob", r.StatusCode, u.Username)
		}
	})
	if n := s.count(t, "django_session"); n != 0 {
		t.Errorf("%d rows, want none", n)
	}
}
