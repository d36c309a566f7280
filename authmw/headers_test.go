package authmw_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/wstest"
)

// TestT22Headers looks at all kinds of responses that have read the session.
func TestT22Headers(t *testing.T) {
	s := openSite(t, sessionstore.Config{})
	acts := map[string]func(context.Context, http.ResponseWriter, *consumers.Scope){
		"read":  func(_ context.Context, _ http.ResponseWriter, s *consumers.Scope) { s.Session.Get("cart") },
		"none":  func(context.Context, http.ResponseWriter, *consumers.Scope) {},
		"set":   func(_ context.Context, _ http.ResponseWriter, s *consumers.Scope) { s.Session.Set("a", true) },
		"flush": func(ctx context.Context, _ http.ResponseWriter, s *consumers.Scope) { _ = authmw.Logout(ctx, s) },
		"login": func(ctx context.Context, _ http.ResponseWriter, sc *consumers.Scope) {
			_ = authmw.Login(ctx, sc, s.user(2))
		},
		"cookie of its own": func(_ context.Context, w http.ResponseWriter, _ *consumers.Scope) {
			w.Header().Set("Set-Cookie", "theme=dark")
		},
	}
	audited, wrong := 0, 0
	for name, act := range acts {
		for _, cached := range []string{"", "public, max-age=60", "no-store", "max-age=60, s-maxage=600", "private"} {
			for _, status := range []int{200, 204, 301, 404, 500, 503} {
				for _, every := range []authmw.Config{{}, {SaveEveryRequest: true}} {
					r := s.request(t, every, s.loggedIn(t, 1), func(ctx context.Context, w http.ResponseWriter, scope *consumers.Scope) {
						if cached != "" {
							w.Header().Set("Cache-Control", cached)
						}
						w.Header().Set("Vary", "Accept-Encoding")
						act(ctx, w, scope)
						w.WriteHeader(status)
					})
					control := r.Header.Get("Cache-Control")
					private := strings.Contains(control, "private") && !strings.Contains(control, "public") && !strings.Contains(control, "s-maxage")
					audited++
					if vary := strings.Join(r.Header.Values("Vary"), ", "); vary != "Accept-Encoding, Cookie" || r.Header.Get("Set-Cookie") != "" && !private {
						wrong++
						t.Errorf("%s, %q, %d: Vary = %q, Cache-Control = %q, Set-Cookie = %q", name, cached, status, vary, control, r.Header.Get("Set-Cookie"))
					}
				}
			}
		}
	}
	chaos.Row(t, wrong == 0, "T22", fmt.Sprintf("the headers of %d responses of a consumer that reads the session", audited),
		fmt.Sprintf("%d without Vary: Cookie, or with a cookie and not private", wrong), "0")
}

// TestT22RefusalsAndHandovers looks at what refuses somebody because of the session, and at what hands a cookie over.
func TestT22RefusalsAndHandovers(t *testing.T) {
	s := openSite(t, sessionstore.Config{})
	h := authmw.NewHandover(s, authmw.Config{}, authmw.HandoverConfig{Prefix: "/c/"})
	audited, wrong := 0, 0
	audit := func(app consumers.Application, key, path string, status int) {
		t.Helper()
		header := http.Header{"Host": {"example.com"}, "Sec-Fetch-Site": {"same-origin"}}
		if key != "" {
			header.Set("Cookie", sessionCookie(key))
		}
		r := wstest.Request(t.Context(), app, "GET", path, nil, wstest.Config{Header: header})
		private := strings.Contains(r.Header.Get("Cache-Control"), "private")
		audited++
		if vary := strings.Join(r.Header.Values("Vary"), ", "); r.StatusCode != status || vary != "Cookie" || r.Header.Get("Set-Cookie") != "" && !private {
			wrong++
			t.Errorf("%s: %d, Vary = %q, Cache-Control = %q, want %d", path, r.StatusCode, vary, r.Header.Get("Cache-Control"), status)
		}
	}
	key := s.loggedIn(t, 1)
	for _, rule := range []authmw.Rule{authmw.Authenticated, authmw.Staff, authmw.Superuser, authmw.Perm("polls.add_choice"), authmw.Group("empty")} {
		for _, k := range []string{"", key, "nobodysessionkey"} {
			if rule == authmw.Authenticated && k == key {
				continue // is let in
			}
			guarded := authmw.Stack(authmw.Require(app, rule), s, authmw.Config{})
			audit(guarded, k, "/"+rule.String(), http.StatusForbidden)
			_, err := guarded.Open(t.Context(), visit(sessionCookie(k)))
			if audited++; err == nil || consumers.DenialOf(err).Header.Get("Vary") != "Cookie" {
				wrong++
				t.Errorf("a WebSocket at %s: %v, want a refusal with Vary: Cookie", rule, err)
			}
		}
	}
	path := func(key, next string) string {
		p, err := h.Path(enter(t, s.stack(authmw.Config{}), visit(sessionCookie(key))), next)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	audit(h, key, path(key, ""), http.StatusNoContent)
	audit(h, key, path(key, "/account/"), http.StatusSeeOther)
	audit(h, "", path(key, ""), http.StatusForbidden)
	audit(h, key, "/c/x/", http.StatusNotFound)
	gone := s.loggedIn(t, 2)
	late := path(gone, "")
	if err := s.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	audit(h, gone, late, http.StatusGone)
	chaos.Row(t, wrong == 0, "T22", fmt.Sprintf("the headers of %d refusals, and of paths that hand a cookie over", audited),
		fmt.Sprintf("%d without Vary: Cookie, or with a cookie and not private", wrong), "0")
}
