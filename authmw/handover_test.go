package authmw_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/routing"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/wstest"
)

// handed is a Handover of a site, and what mounts it.
type handed struct {
	*site
	handover *authmw.Handover
	app      consumers.Application
}

func newHanded(t testing.TB) *handed {
	s := openSite(t, sessionstore.Config{})
	h := authmw.NewHandover(s, authmw.Config{CookieSecure: true}, authmw.HandoverConfig{
		Prefix: "/ws/cookie/", Origins: []string{"https://www.example.com"},
	})
	return &handed{s, h, routing.URLRouter{routing.Path("ws/cookie/<str:token>/", h)}}
}

// get asks for a path with these fields.
func (h *handed) get(t testing.TB, method, path string, fields ...string) *http.Response {
	t.Helper()
	header := http.Header{"Host": {"example.com"}}
	for i := 0; i < len(fields); i += 2 {
		header.Set(fields[i], fields[i+1])
	}
	return wstest.Request(t.Context(), h.app, method, path, nil, wstest.Config{Header: header})
}

// path logs bob in over the socket of a browser with a session cookie, which may be "", and returns the path that
// hands the new cookie over.
func (h *handed) path(t testing.TB, key, next string) (path, renewed string) {
	t.Helper()
	cookies := []string{}
	if key != "" {
		cookies = append(cookies, sessionCookie(key))
	}
	inner := enter(t, h.stack(authmw.Config{}), visit(cookies...))
	if err := authmw.Login(t.Context(), inner, h.user(2)); err != nil {
		t.Fatal(err)
	}
	path, err := h.handover.Path(inner, next)
	if err != nil {
		t.Fatal(err)
	}
	return path, inner.Session.Key()
}

func TestHandover(t *testing.T) {
	tests := []struct {
		name     string
		hadOne   bool // the browser had a session when the socket opened
		method   string
		fields   []string // KEY stands for the cookie that the socket had
		status   int
		location string
	}{
		{"the browser of the socket gets the cookie", true, "GET", []string{"Cookie", "sessionid=KEY"}, 303, "/account/"},
		{"a page may fetch it", true, "POST", []string{"Cookie", "sessionid=KEY", "Origin", "https://example.com"}, 303, "/account/"},
		{"a page of a trusted origin may fetch it", true, "POST", []string{"Cookie", "sessionid=KEY", "Origin", "https://www.example.com"}, 303, "/account/"},
		{"another browser gets nothing", true, "GET", []string{"Cookie", "sessionid=anothersessionkey"}, 403, ""},
		{"nor one without a cookie", true, "GET", nil, 403, ""},
		{"nor one without a cookie on our own page", true, "GET", []string{"Sec-Fetch-Site", "same-origin"}, 403, ""},
		{"an empty cookie is no key", false, "GET", []string{"Cookie", "sessionid="}, 403, ""},
		{"a page of another site cannot fetch it", true, "POST", []string{"Cookie", "sessionid=KEY", "Origin", "https://evil.com"}, 403, ""},
		{"nor a page of no site", true, "POST", []string{"Cookie", "sessionid=KEY", "Origin", "null"}, 403, ""},
		{"nor one on another port", true, "POST", []string{"Cookie", "sessionid=KEY", "Origin", "https://example.com:8443"}, 403, ""},
		{"a visitor without a session comes from our page", false, "GET", []string{"Sec-Fetch-Site", "same-origin"}, 303, "/account/"},
		{"or fetches it from there", false, "POST", []string{"Origin", "https://example.com"}, 303, "/account/"},
		{"not from a link elsewhere", false, "GET", []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"not from a sibling's page", false, "GET", []string{"Sec-Fetch-Site", "same-site"}, 403, ""},
		{"not from a form elsewhere", false, "POST", []string{"Origin", "https://evil.com"}, 403, ""},
		{"not by typing it", false, "GET", []string{"Sec-Fetch-Site", "none"}, 403, ""},
		{"not where the browser does not say", false, "GET", nil, 403, ""},
		{"other methods are none of its", true, "HEAD", []string{"Cookie", "sessionid=KEY"}, 405, ""},
		{"nor is looking ahead", true, "GET", []string{"Cookie", "sessionid=KEY", "Sec-Purpose", "prefetch"}, 503, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHanded(t)
			key := ""
			if tt.hadOne {
				key = h.loggedIn(t, 1)
			}
			path, renewed := h.path(t, key, "/account/")
			for i := range tt.fields {
				tt.fields[i] = strings.ReplaceAll(tt.fields[i], "KEY", key)
			}
			r := h.get(t, tt.method, path, tt.fields...)
			cookie := r.Header.Get("Set-Cookie")
			if r.StatusCode != tt.status || r.Header.Get("Location") != tt.location || (cookie != "") != (tt.status == 303) {
				t.Errorf("%d, Location %q, Set-Cookie %q, want %d, %q", r.StatusCode, r.Header.Get("Location"), cookie, tt.status, tt.location)
			}
			if cookie != "" && (!strings.HasPrefix(cookie, "sessionid="+renewed+"; expires=") || !strings.HasSuffix(cookie, "; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax; Secure")) {
				t.Errorf("Set-Cookie = %q, want that of the new session", cookie)
			}
			if tt.status != 405 && (!strings.Contains(r.Header.Get("Cache-Control"), "no-store") || !strings.Contains(r.Header.Get("Cache-Control"), "private")) {
				t.Errorf("Cache-Control = %q", r.Header.Get("Cache-Control"))
			}
			again := http.StatusNotFound
			if tt.status == 405 || tt.status == 503 { // nothing was used up
				again = http.StatusSeeOther
			}
			if key == "" {
				tt.fields = []string{"Sec-Fetch-Site", "same-origin"}
			} else {
				tt.fields = []string{"Cookie", "sessionid=" + key}
			}
			if r := h.get(t, "GET", path, tt.fields...); r.StatusCode != again {
				t.Errorf("the second time it is %d, want %d", r.StatusCode, again)
			}
		})
	}
}

// TestHandoverInsideTheStack mounts a Handover where Sessions would delete the cookie that came, which is nobody's any
// more.
func TestHandoverInsideTheStack(t *testing.T) {
	h := newHanded(t)
	key := h.loggedIn(t, 1)
	path, renewed := h.path(t, key, "/")
	h.app = authmw.Stack(h.app, h, authmw.Config{})
	r := h.get(t, "GET", path, "Cookie", "sessionid="+key)
	if cookies := r.Header.Values("Set-Cookie"); len(cookies) != 1 || keyIn(r) != renewed {
		t.Errorf("Set-Cookie = %q, want the new session alone", cookies)
	}
}

func TestHandoverOfALogout(t *testing.T) {
	h := newHanded(t)
	key := h.loggedIn(t, 1)
	inner := enter(t, h.stack(authmw.Config{}), visit(sessionCookie(key)))
	if err := authmw.Logout(t.Context(), inner); err != nil {
		t.Fatal(err)
	}
	path, err := h.handover.Path(inner, "")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := h.handover.Path(inner, "")
	if err != nil {
		t.Fatal(err)
	}
	if r := h.get(t, "GET", stranger, "Cookie", "sessionid="+h.loggedIn(t, 2)); r.StatusCode != 403 || r.Header.Get("Set-Cookie") != "" {
		t.Errorf("bob's browser is answered %d, %q, want 403", r.StatusCode, r.Header.Get("Set-Cookie"))
	}
	r := h.get(t, "GET", path, "Cookie", "sessionid="+key)
	if cookie := r.Header.Get("Set-Cookie"); r.StatusCode != 204 || !strings.HasPrefix(cookie, `sessionid=""; expires=Thu, 01 Jan 1970`) {
		t.Errorf("%d, Set-Cookie %q, want 204 and a deletion", r.StatusCode, cookie)
	}
}

func TestHandoverRefuses(t *testing.T) {
	h := newHanded(t)
	inner := enter(t, h.stack(authmw.Config{}), visit())
	t.Run("a target elsewhere", func(t *testing.T) {
		for _, next := range []string{"https://evil.com/", "//evil.com", `/\evil.com`, "javascript:alert(1)", "\t//evil.com"} {
			if path, err := h.handover.Path(inner, next); !errors.Is(err, authmw.ErrUnsafeRedirect) {
				t.Errorf("Path(%q) = %q, %v, want ErrUnsafeRedirect", next, path, err)
			}
		}
	})
	t.Run("a session that was logged out meanwhile", func(t *testing.T) {
		path, key := h.path(t, "", "")
		h.exec(t, "DELETE FROM django_session WHERE session_key = $1", key)
		if r := h.get(t, "GET", path, "Sec-Fetch-Site", "same-origin"); r.StatusCode != http.StatusGone {
			t.Errorf("status = %d, want 410", r.StatusCode)
		}
	})
	t.Run("a path that nobody made", func(t *testing.T) {
		for _, path := range []string{"/ws/cookie/x/", "/ws/cookie/" + strings.Repeat("A", 4000) + "/"} {
			if r := h.get(t, "GET", path); r.StatusCode != http.StatusNotFound {
				t.Errorf("status = %d, want 404", r.StatusCode)
			}
		}
	})
	t.Run("a prefix that is no path", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("NewHandover took it")
			}
		}()
		authmw.NewHandover(h, authmw.Config{}, authmw.HandoverConfig{Prefix: "cookie"})
	})
}

// TestHandoverEnds is in a bubble, where time passes at once.
func TestHandoverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := newShelf("alicessessionkey")
		h := authmw.NewHandover(rows, authmw.Config{}, authmw.HandoverConfig{Prefix: "/c/", Pending: 2})
		session, err := rows.Load(t.Context(), "alicessessionkey")
		if err != nil {
			t.Fatal(err)
		}
		s := &consumers.Scope{Session: session, RootPath: "/app"}
		ask := func(path string) int {
			header := http.Header{"Cookie": {"sessionid=alicessessionkey"}}
			return wstest.Request(t.Context(), h, "GET", strings.TrimPrefix(path, "/app"), nil, wstest.Config{Header: header}).StatusCode
		}
		paths := make([]string, 3)
		for i := range paths {
			paths[i], err = h.Path(s, "")
			if want := i < 2; (err == nil) != want || !want && !errors.Is(err, authmw.ErrHandoverFull) {
				t.Errorf("path %d: %v", i, err)
			}
		}
		if !strings.HasPrefix(paths[0], "/app/c/") {
			t.Errorf("path = %q, want it below RootPath", paths[0])
		}
		<-time.After(29 * time.Second)
		if status := ask(paths[0]); status != 204 {
			t.Errorf("after 29 s: %d, want 204", status)
		}
		<-time.After(time.Second)
		if status := ask(paths[1]); status != 404 {
			t.Errorf("after 30 s: %d, want 404", status)
		}
		if _, err := h.Path(s, ""); err != nil {
			t.Errorf("when the old ones have ended: %v", err)
		}
	})
}
