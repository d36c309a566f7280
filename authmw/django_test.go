package authmw_test

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/wstest"
)

// besideDjango runs a test beside a running Django on each of its databases.
func besideDjango(t *testing.T, test func(t *testing.T, django *djangotest.Site, s *site)) {
	for name, url := range map[string]func() string{
		"SQLite":     func() string { return "sqlite:///" + filepath.Join(t.TempDir(), "db.sqlite3") },
		"PostgreSQL": func() string { return pgtest.Open(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			address := url()
			django := djangotest.Start(t, address, djangotest.Config{SecretKey: secretKey})
			cfg := sessionstore.Config{
				DatabaseURL: djangocompat.NewSecret(pgtest.Restricted(t, address)), Keys: djangocompat.NewKeys(secretKey), QueryTimeout: 10 * time.Second,
			}
			store, err := sessionstore.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(store.Close)
			test(t, django, &site{Store: store, cfg: cfg})
		})
	}
}

// keyIn returns the session key that a response sets.
func keyIn(r *http.Response) string {
	value, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Set-Cookie"), "sessionid="), ";")
	return value
}

func TestLoginAndOutBesideDjango(t *testing.T) {
	besideDjango(t, func(t *testing.T, django *djangotest.Site, s *site) {
		login := func(ctx context.Context, w http.ResponseWriter, scope *consumers.Scope) {
			user, err := s.Authenticate(ctx, djangotest.Alice, djangotest.Password)
			if err == nil {
				scope.Session.Set("from", "Go")
				err = authmw.Login(ctx, scope, user)
			}
			if err != nil {
				t.Error(err)
			}
			w.WriteHeader(http.StatusNoContent)
		}
		logout := func(ctx context.Context, w http.ResponseWriter, scope *consumers.Scope) {
			if err := authmw.Logout(ctx, scope); err != nil {
				t.Error(err)
			}
			w.WriteHeader(http.StatusNoContent)
		}
		t.Run("a login in Go is one for a Django view, with last_login", func(t *testing.T) {
			key := keyIn(s.request(t, authmw.Config{}, "", login))
			who := django.WhoAmI(t, key)
			if who.Username != djangotest.Alice || !slices.Contains(who.SessionKeys, "from") {
				t.Errorf("Django knows %+v, want alice with what Go has set", who)
			}
			seen := django.Shell(t, "from django.contrib.auth.models import User\nprint(User.objects.get(username='alice').last_login is not None)")
			if strings.TrimSpace(seen) == "" || !strings.Contains(seen, "True") {
				t.Errorf("last_login is set = %q", seen)
			}
			t.Run("and a logout in Django is one for Go", func(t *testing.T) {
				inner := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(key)))
				django.Logout(t, key)
				if u, err := authmw.GetUser(t.Context(), inner); err != nil || u.IsAuthenticated() || inner.User.Username != djangotest.Alice {
					t.Errorf("GetUser = %v, %v, want AnonymousUser where alice was", u, err)
				}
			})
		})
		t.Run("a login in Django is ended by a logout in Go", func(t *testing.T) {
			key := django.Login(t, djangotest.Bob, djangotest.Password)
			if r := s.request(t, authmw.Config{}, key, logout); keyIn(r) != `""` {
				t.Errorf("Set-Cookie = %q, want a deletion", r.Header.Get("Set-Cookie"))
			}
			if who := django.WhoAmI(t, key); who.IsAuthenticated || len(who.SessionKeys) != 0 {
				t.Errorf("Django knows %+v, want nobody", who)
			}
		})
		t.Run("a login over a WebSocket sticks by what the Handover gives", func(t *testing.T) {
			key := django.Login(t, djangotest.Bob, djangotest.Password)
			inner := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(key)))
			user, err := s.Authenticate(t.Context(), djangotest.Alice, djangotest.Password)
			if err != nil {
				t.Fatal(err)
			}
			if err := authmw.Login(t.Context(), inner, user); err != nil {
				t.Fatal(err)
			}
			h := authmw.NewHandover(s, authmw.Config{}, authmw.HandoverConfig{Prefix: "/c/"})
			path, err := h.Path(inner, "")
			if err != nil {
				t.Fatal(err)
			}
			r := wstest.Request(t.Context(), h, "GET", path, nil, wstest.Config{Header: http.Header{"Cookie": {sessionCookie(key)}}})
			if who := django.WhoAmI(t, keyIn(r)); who.Username != djangotest.Alice {
				t.Errorf("Django knows %+v, want alice", who)
			}
			if who := django.WhoAmI(t, key); who.IsAuthenticated {
				t.Errorf("by the old cookie Django knows %+v, want nobody", who)
			}
		})
		t.Run("T10: a form with a token of Django's comes through, one of another site does not", func(t *testing.T) {
			testTokenOfDjango(t, django)
		})
	})
}

// testTokenOfDjango asks a Django view for a token, and shows it to Go.
func testTokenOfDjango(t *testing.T, django *djangotest.Site) {
	out := django.Shell(t, `
from django.test import RequestFactory
from django.middleware.csrf import get_token
r = RequestFactory().get("/")
token = get_token(r)
print("TOKEN", token, r.META["CSRF_COOKIE"])
`)
	var token, cookie string
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "TOKEN" {
			token, cookie = fields[1], fields[2]
		}
	}
	ok := consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	app := authmw.CSRF(ok, newCSRF(t, djangocompat.CSRFConfig{}), authmw.CSRFConfig{})
	for _, tt := range []struct {
		name, origin, token string
		status              int
	}{
		{"Django's token", "http://example.com", token, 204},
		{"Django's token from another site", "http://evil.com", token, 403},
		{"another token", "http://example.com", strings.Repeat("a", len(token)), 403},
		{"no token", "http://example.com", "", 403},
	} {
		header := http.Header{"Host": {"example.com"}, "Origin": {tt.origin}, "Cookie": {"csrftoken=" + cookie}, "X-Csrftoken": {tt.token}}
		if r := wstest.Request(t.Context(), app, "POST", "/", nil, wstest.Config{Header: header}); r.StatusCode != tt.status {
			t.Errorf("%s: status = %d, want %d", tt.name, r.StatusCode, tt.status)
		}
	}
}
