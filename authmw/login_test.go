package authmw_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/wstest"
)

// stack wraps Applications in the Stack of a site.
func (s *site) stack(cfg authmw.Config) func(consumers.Application) consumers.Application {
	return func(app consumers.Application) consumers.Application { return authmw.Stack(app, s, cfg) }
}

// TestChannelsAuth has the rows A1 to A10 of what Channels does.
func TestChannelsAuth(t *testing.T) {
	tests := []struct {
		name string
		test func(t *testing.T, s *site)
	}{
		{"A1: the consumer sees a real user, before it runs", func(t *testing.T, s *site) {
			inner := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(s.loggedIn(t, 1))))
			if inner.User.Username != "alice" {
				t.Errorf("user = %q, want alice", inner.User.Username)
			}
		}},
		{"A1: without a session nobody can be looked up, logged in or out", func(t *testing.T, s *site) {
			bare := new(consumers.Scope)
			_, getErr := authmw.GetUser(t.Context(), bare)
			for _, err := range []error{getErr, authmw.Login(t.Context(), bare, s.user(1)), authmw.Logout(t.Context(), bare)} {
				if !errors.Is(err, authmw.ErrNoSession) {
					t.Errorf("error = %v, want ErrNoSession", err)
				}
			}
		}},
		{"A2: the Stack is Cookies, Sessions and Auth", func(t *testing.T, s *site) {
			wrap := func(app consumers.Application) consumers.Application {
				return authmw.Cookies(authmw.Sessions(authmw.Auth(app, s), s, authmw.Config{}))
			}
			if inner := enter(t, wrap, visit(sessionCookie(s.loggedIn(t, 2)))); inner.User.Username != "bob" || inner.Cookies["theme"] != "dark" {
				t.Errorf("user %q, cookies %v, want bob and the theme", inner.User.Username, inner.Cookies)
			}
		}},
		{"A3: whoever is deleted, inactive or of another password is anonymous", testGetUserVerifies},
		{"A4: a wrong hash leaves the row, unless parity is wanted", testStaleHash},
		{"A5: a fallback key's hash is good, and on HTTP it is renewed", testFallbackKey},
		{"A6: login of an anonymous session keeps its data and changes its key", func(t *testing.T, s *site) {
			inner := enter(t, s.stack(authmw.Config{}), visit())
			inner.Session.Set("cart", int64(7))
			if err := inner.Session.Save(t.Context()); err != nil {
				t.Fatal(err)
			}
			old := inner.Session.Key()
			before := inner.Session
			if err := authmw.Login(t.Context(), inner, s.user(1)); err != nil {
				t.Fatal(err)
			}
			if inner.Session.Key() == old || !inner.Session.Has("cart") || s.count(t, "django_session") != 1 {
				t.Errorf("key kept = %v, cart = %v, %d rows", inner.Session.Key() == old, inner.Session.Has("cart"), s.count(t, "django_session"))
			}
			if before.Has(djangocompat.AuthUserIDKey) || before.Key() != old {
				t.Error("the session that others may share was changed, want a copy changed")
			}
			if inner.User.Username != "alice" || inner.User.LastLogin.IsZero() || inner.User.Backend != sessionstore.ModelBackend {
				t.Errorf("user = %+v, want alice, who has just logged in", inner.User)
			}
			if err := inner.Session.Save(t.Context()); err != nil {
				t.Errorf("the Save that Channels asks for = %v", err)
			}
		}},
		{"A6: login of another user drops the data", func(t *testing.T, s *site) {
			inner := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(s.loggedIn(t, 1))))
			if err := authmw.Login(t.Context(), inner, s.user(2)); err != nil || inner.Session.Has("cart") || inner.User.Username != "bob" {
				t.Errorf("Login = %v, cart = %v, user %q, want no cart and bob", err, inner.Session.Has("cart"), inner.User.Username)
			}
		}},
		{"A6: login of the same user keeps key and data", func(t *testing.T, s *site) {
			key := s.loggedIn(t, 1)
			inner := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(key)))
			if err := authmw.Login(t.Context(), inner, nil); err != nil || inner.Session.Key() != key || !inner.Session.Has("cart") {
				t.Errorf("Login = %v, key kept = %v", err, inner.Session.Key() == key)
			}
		}},
		{"A6: several backends, none named, is an error and changes nothing", func(t *testing.T, s *site) {
			cfg := s.cfg
			cfg.AuthenticationBackends = []string{sessionstore.ModelBackend, "mysite.backends.LDAP"}
			store, err := sessionstore.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			key := s.loggedIn(t, 1)
			two := &site{store, s.db, cfg}
			inner := enter(t, two.stack(authmw.Config{}), visit(sessionCookie(key)))
			if err := authmw.Login(t.Context(), inner, s.user(2)); !errors.Is(err, sessionstore.ErrManyBackends) || inner.User.Username != "alice" {
				t.Errorf("Login = %v, user %q, want ErrManyBackends and alice", err, inner.User.Username)
			}
			if err := authmw.Login(t.Context(), inner, &djangocompat.User{PK: djangocompat.IntPK(2), Backend: "mysite.backends.LDAP"}); err != nil || inner.User.Backend != "mysite.backends.LDAP" {
				t.Errorf("Login by a backend of the site's own = %v, %q", err, inner.User.Backend)
			}
		}},
		{"A6 and A7: hooks hear of logins, and of logouts of somebody", testHooks},
		{"A7: logout deletes the row at once", func(t *testing.T, s *site) {
			inner := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(s.loggedIn(t, 1))))
			if err := authmw.Logout(t.Context(), inner); err != nil || inner.User.IsAuthenticated() || !inner.Session.IsEmpty() || s.count(t, "django_session") != 0 {
				t.Errorf("Logout = %v, user %q, %d rows", err, inner.User.Username, s.count(t, "django_session"))
			}
			if err := authmw.Logout(t.Context(), inner); err != nil {
				t.Errorf("Logout of nobody = %v", err)
			}
		}},
		{"A8: login leaves the CSRF cookie alone", func(t *testing.T, s *site) {
			r := s.request(t, authmw.Config{}, "", func(ctx context.Context, w http.ResponseWriter, scope *consumers.Scope) {
				if err := authmw.Login(ctx, scope, s.user(1)); err != nil {
					t.Error(err)
				}
				w.WriteHeader(http.StatusNoContent)
			})
			if cookies := r.Header.Values("Set-Cookie"); len(cookies) != 1 || !strings.HasPrefix(cookies[0], "sessionid=") {
				t.Errorf("Set-Cookie = %q, want that of the session alone", cookies)
			}
		}},
		{"A9: GetUser notices what happens elsewhere", testGetUserAgain},
		{"A10: AnonymousUser has nothing", func(t *testing.T, s *site) {
			u := enter(t, s.stack(authmw.Config{}), visit()).User
			if u.IsAuthenticated() || !u.IsAnonymous() || !u.PK.IsZero() || u.Username != "" || u.IsActive || u.IsStaff || u.IsSuperuser {
				t.Errorf("user = %+v, want the zero User", u)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, openSite(t, sessionstore.Config{})) })
	}
}

// request makes a request with a session cookie to a handler inside the Stack.
func (s *site) request(t testing.TB, cfg authmw.Config, key string, h func(context.Context, http.ResponseWriter, *consumers.Scope)) *http.Response {
	t.Helper()
	app := consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h(r.Context(), w, consumers.ScopeFrom(r.Context())) }))
	header := http.Header{}
	if key != "" {
		header.Set("Cookie", sessionCookie(key))
	}
	return wstest.Request(t.Context(), authmw.Stack(app, s, cfg), "GET", "/", nil, wstest.Config{Header: header})
}

func testGetUserVerifies(t *testing.T, s *site) {
	key := s.loggedIn(t, 1)
	inner := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(key)))
	for _, tt := range []struct{ name, change, back string }{
		{"inactive", "UPDATE auth_user SET is_active = false", "UPDATE auth_user SET is_active = true"},
		{"another password", "UPDATE auth_user SET password = 'x' || password", "UPDATE auth_user SET password = substr(password, 2)"},
		{"deleted", "UPDATE auth_user SET id = id + 100", "UPDATE auth_user SET id = id - 100"},
		{"expired", "UPDATE django_session SET expire_date = '2001-01-01'", "UPDATE django_session SET expire_date = '2999-01-01'"},
	} {
		s.exec(t, tt.change)
		if u, err := authmw.GetUser(t.Context(), inner); err != nil || u.IsAuthenticated() {
			t.Errorf("%s: GetUser = %v, %v, want AnonymousUser", tt.name, u, err)
		}
		s.exec(t, tt.back)
		if u, err := authmw.GetUser(t.Context(), inner); err != nil || u.Username != "alice" || s.count(t, "django_session") != 1 {
			t.Errorf("%s undone: GetUser = %v, %v, want alice", tt.name, u, err)
		}
	}
}

func testStaleHash(t *testing.T, s *site) {
	key := s.loggedIn(t, 1)
	s.exec(t, "UPDATE auth_user SET password = 'x' || password")
	for _, scope := range []*consumers.Scope{visit(sessionCookie(key)), httpVisit(sessionCookie(key))} {
		if u := enter(t, s.stack(authmw.Config{}), scope).User; u.IsAuthenticated() || s.count(t, "django_session") != 1 {
			t.Errorf("%s: user %q, %d rows, want nobody and the row", scope.Type, u.Username, s.count(t, "django_session"))
		}
	}
	if u := enter(t, s.stack(authmw.Config{FlushStale: true}), visit(sessionCookie(key))).User; u.IsAuthenticated() || s.count(t, "django_session") != 0 {
		t.Errorf("with parity: user %q, %d rows, want nobody and no row", u.Username, s.count(t, "django_session"))
	}
}

func testFallbackKey(t *testing.T, s *site) {
	key := s.loggedIn(t, 1)
	cfg := s.cfg
	cfg.Keys = djangocompat.NewKeys("another key", secretKey)
	store, err := sessionstore.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	rotated := &site{store, s.db, cfg}
	inner := enter(t, rotated.stack(authmw.Config{}), visit(sessionCookie(key)))
	if inner.User.Username != "alice" || inner.Session.Key() != key || s.count(t, "django_session") != 1 {
		t.Errorf("on a WebSocket: user %q, key kept = %v, want alice and the key", inner.User.Username, inner.Session.Key() == key)
	}
	var user string
	r := rotated.request(t, authmw.Config{}, key, func(_ context.Context, w http.ResponseWriter, s *consumers.Scope) {
		user = s.User.Username
		w.WriteHeader(http.StatusBadGateway)
	})
	cookie := r.Header.Get("Set-Cookie")
	renewed, _, _ := strings.Cut(strings.TrimPrefix(cookie, "sessionid="), ";")
	if user != "alice" || renewed == key || s.count(t, "django_session") != 1 || !strings.Contains(cookie, "Max-Age=1209600") {
		t.Errorf("on HTTP: user %q, Set-Cookie %q, %d rows, want alice with a new key, even where the handler fails", user, cookie, s.count(t, "django_session"))
	}
	session, err := rotated.Load(t.Context(), renewed)
	if err != nil {
		t.Fatal(err)
	}
	if _, reason, err := rotated.Verdict(t.Context(), session); reason != sessionstore.LoggedIn || err != nil || !session.Has("cart") {
		t.Errorf("Verdict = %v, %v, want logged_in with the new key, and the cart", reason, err)
	}
	if u := enter(t, rotated.stack(authmw.Config{FlushStale: true}), visit(sessionCookie(s.loggedIn(t, 2)))).User; u.IsAuthenticated() {
		t.Errorf("with parity a fallback key's session is %q, want nobody, as in Channels", u.Username)
	}
}

func testHooks(t *testing.T, s *site) {
	var heard []string
	hook := func(what string) func(context.Context, *consumers.Scope, *djangocompat.User) {
		return func(_ context.Context, s *consumers.Scope, u *djangocompat.User) {
			heard = append(heard, what+" "+u.Username+" while "+s.User.Username)
		}
	}
	inner := enter(t, s.stack(authmw.Config{LoggedIn: hook("in"), LoggedOut: hook("out")}), visit())
	for _, err := range []error{
		authmw.Logout(t.Context(), inner), authmw.Login(t.Context(), inner, s.user(1)), authmw.Logout(t.Context(), inner), authmw.Logout(t.Context(), inner),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if want := []string{"in alice while alice", "out alice while alice"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
}

func testGetUserAgain(t *testing.T, s *site) {
	inner := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(s.loggedIn(t, 1))))
	inner.Session.Set("draft", "not saved")
	s.exec(t, "UPDATE auth_user SET email = 'alice@example.com'")
	if u, err := authmw.GetUser(t.Context(), inner); err != nil || u.Email != "alice@example.com" || inner.User.Email != "" || !inner.Session.Has("draft") {
		t.Errorf("GetUser = %+v, %v, want what is in the table, and the Scope as it was", u, err)
	}
	s.exec(t, "DELETE FROM django_session")
	if u, err := authmw.GetUser(t.Context(), inner); err != nil || u.IsAuthenticated() {
		t.Errorf("GetUser after a logout elsewhere = %v, %v, want AnonymousUser", u, err)
	}
	s.exec(t, "ALTER TABLE django_session RENAME TO elsewhere")
	if u, err := authmw.GetUser(t.Context(), inner); !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Errorf("GetUser without a database = %v, %v, want ErrUnavailable", u, err)
	}
}
