package authmw_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/wstest"
)

// TestChannelsSessions has the rows S1 to S11 of what Channels does with sessions; those of S7 are in
// TestSessionCookieLikeDjango.
func TestChannelsSessions(t *testing.T) {
	tests := []struct {
		name string
		test func(t *testing.T, s *site)
	}{
		{"S1: all Cookie headers count, as one", func(t *testing.T, _ *site) {
			if c := enter(t, authmw.Cookies, visit("a=1; b=2", "c=3; a=4")).Cookies; c["a"] != "4" || c["b"] != "2" || c["c"] != "3" {
				t.Errorf("cookies = %v", c)
			}
		}},
		{"S1: no Cookie header is no cookies", func(t *testing.T, _ *site) {
			if c := enter(t, authmw.Cookies, visit()).Cookies; c == nil || len(c) != 0 {
				t.Errorf("cookies = %v, want an empty map", c)
			}
		}},
		{"S4: Sessions needs Cookies", func(t *testing.T, s *site) {
			if _, err := authmw.Sessions(app, s, authmw.Config{}).Open(t.Context(), visit()); !errors.Is(err, authmw.ErrNoCookies) {
				t.Errorf("Open = %v, want ErrNoCookies", err)
			}
		}},
		{"S4: who has no cookie is not looked up", func(t *testing.T, s *site) {
			asked := &counting{LoginStore: s}
			for _, cookies := range [][]string{nil, {"sessionid="}, {"sessionid=short"}, {"other=" + djangocompat.NewSessionKey()}} {
				enter(t, func(app consumers.Application) consumers.Application {
					return authmw.Stack(app, asked, authmw.Config{})
				}, visit(cookies...))
			}
			if asked.loads != 0 {
				t.Errorf("%d sessions were asked for, want none", asked.loads)
			}
		}},
		{"S4: inside of other Sessions it does nothing", func(t *testing.T, s *site) {
			saves := 0
			h := consumers.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				consumers.ScopeFrom(r.Context()).Session.Set("a", true)
				saves++
			}))
			twice := authmw.Stack(authmw.Stack(h, s, authmw.Config{}), s, authmw.Config{})
			r := wstest.Request(t.Context(), twice, "GET", "/", nil, wstest.Config{})
			if cookies := r.Header.Values("Set-Cookie"); len(cookies) != 1 || saves != 1 || s.count(t, "django_session") != 1 {
				t.Errorf("%d cookies, %d rows, want one of each", len(cookies), s.count(t, "django_session"))
			}
		}},
		{"S5: what the consumer changes is what is saved", func(t *testing.T, s *site) {
			key := s.loggedIn(t, 1)
			s.request(t, authmw.Config{}, key, func(_ context.Context, _ http.ResponseWriter, scope *consumers.Scope) { scope.Session.Set("a", "b") })
			if session := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(key))).Session; !session.Has("a") || !session.Has("cart") {
				t.Errorf("session = %s", session.Data().JSON())
			}
		}},
		{"S6: an unknown, expired, or spoilt session is empty, and has no key", func(t *testing.T, s *site) {
			for what, sql := range map[string]string{
				"expired": "UPDATE django_session SET expire_date = '2001-01-01'",
				"spoilt":  "UPDATE django_session SET session_data = 'x' || session_data",
				"gone":    "DELETE FROM django_session",
			} {
				key := s.loggedIn(t, 1)
				s.exec(t, sql)
				inner := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(key)))
				if inner.User.IsAuthenticated() || !inner.Session.IsEmpty() {
					t.Errorf("%s: user %q, key %q", what, inner.User.Username, inner.Session.Key())
				}
			}
		}},
		{"S8: a WebSocket saves nothing by itself", func(t *testing.T, s *site) {
			key := s.loggedIn(t, 1)
			h := consumers.New(func() *noter { return new(noter) })
			c := wstest.New(authmw.Stack(h, s, authmw.Config{SaveEveryRequest: true}), "/", wstest.Config{Header: http.Header{"Cookie": {sessionCookie(key)}}})
			r, err := c.Connect(t.Context())
			if err != nil || r.Header.Get("Set-Cookie") != "" {
				t.Errorf("Connect = %v, Set-Cookie %q", err, r.Header.Get("Set-Cookie"))
			}
			if err := c.Close(t.Context(), consumers.CloseNormal); err != nil {
				t.Error(err)
			}
			if session := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(key))).Session; session.Has("noted") {
				t.Error("what was not saved is stored")
			}
		}},
		{"S9: a session that was deleted meanwhile does not come back, and the answer is 400", func(t *testing.T, s *site) {
			key := s.loggedIn(t, 1)
			r := s.request(t, authmw.Config{}, key, func(_ context.Context, w http.ResponseWriter, scope *consumers.Scope) {
				scope.Session.Set("late", true)
				s.exec(t, "DELETE FROM django_session")
				w.Header().Set("X-Secret", "of the handler")
				if _, err := fmt.Fprint(w, "the handler's own body"); err == nil {
					t.Error("the handler may write, though the session is gone")
				}
			})
			body := make([]byte, 100)
			n, _ := r.Body.Read(body)
			if r.StatusCode != http.StatusBadRequest || strings.Contains(string(body[:n]), "handler") || r.Header.Get("X-Secret") != "" || s.count(t, "django_session") != 0 {
				t.Errorf("%d %q, %d rows, want 400 and none", r.StatusCode, body[:n], s.count(t, "django_session"))
			}
		}},
		{"P14: a save that fails is 503, and no cookie", func(t *testing.T, s *site) {
			r := s.request(t, authmw.Config{}, "", func(_ context.Context, w http.ResponseWriter, scope *consumers.Scope) {
				scope.Session.Set("a", true)
				s.exec(t, "ALTER TABLE django_session RENAME TO elsewhere")
				w.WriteHeader(http.StatusCreated)
			})
			if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Set-Cookie") != "" || r.Header.Get("Retry-After") == "" {
				t.Errorf("%d, Set-Cookie %q", r.StatusCode, r.Header.Get("Set-Cookie"))
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, openSite(t, sessionstore.Config{})) })
	}
}

// noter changes its session and does not save it.
type noter struct{}

func (*noter) Connect(_ context.Context, c *consumers.Conn) error {
	c.Scope().Session.Set("noted", true)
	return c.Accept()
}

func (*noter) Receive(context.Context, *consumers.Conn, consumers.Message) error { return nil }

func (*noter) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// TestRulesOfTheDatabase has who gets in by a permission or a group, and what happens if nobody knows.
func TestRulesOfTheDatabase(t *testing.T) {
	s := openSite(t, sessionstore.Config{Permissions: sessionstore.PermissionConfig{Age: -1}})
	s.exec(t, "INSERT INTO auth_user_groups VALUES (1, 1, 1), (2, 3, 1)")
	s.exec(t, "INSERT INTO auth_user_user_permissions VALUES (1, 2, 3)")
	status := func(rule string, pk int64) int {
		t.Helper()
		parsed, err := authmw.ParseRule(rule)
		if err != nil || parsed.String() != rule || !parsed.NeedsStore() {
			t.Fatalf("ParseRule(%q) = %v, %v", rule, parsed, err)
		}
		cookies := []string{}
		if pk > 0 {
			cookies = append(cookies, sessionCookie(s.loggedIn(t, pk)))
		}
		if _, err := authmw.Stack(authmw.Require(app, parsed), s, authmw.Config{}).Open(t.Context(), visit(cookies...)); err != nil {
			return consumers.DenialOf(err).Status
		}
		return http.StatusOK
	}
	for _, tt := range []struct {
		name, rule string
		pk         int64
		want       int
	}{
		{"by the permission of a group", "perm:chat.view_room", 1, 200},
		{"by a permission of one's own", "perm:polls.add_choice", 2, 200},
		{"without it", "perm:chat.view_room", 2, 403},
		{"a superuser has it", "perm:chat.view_room", 4, 200},
		{"a visitor has none", "perm:chat.view_room", 0, 403},
		{"who is not active is no visitor of a group", "perm:chat.view_room", 3, 403},
		{"by a group", "group:editors", 1, 200},
		{"not in it", "group:editors", 2, 403},
		{"a superuser is not in it", "group:editors", 4, 403},
		{"a visitor is in none", "group:editors", 0, 403},
		{"a group that there is not", "group:Editors", 1, 403},
	} {
		if got := status(tt.rule, tt.pk); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	s.exec(t, "ALTER TABLE auth_group RENAME TO elsewhere")
	if got := status("group:editors", 1); got != http.StatusServiceUnavailable {
		t.Errorf("where nobody knows: %d, want 503", got)
	}
	if _, err := authmw.Require(app, authmw.Perm("chat.view_room")).Open(t.Context(), &consumers.Scope{User: alice}); !errors.Is(err, authmw.ErrNoPermissions) {
		t.Errorf("without a store: %v, want ErrNoPermissions", err)
	}
	if _, err := authmw.Stack(authmw.Require(app, authmw.Group("editors")), new(fakeStore), authmw.Config{}).Open(t.Context(), visit("sessionid=alicessessionkey")); !errors.Is(err, authmw.ErrNoPermissions) {
		t.Errorf("with a store that knows none: %v, want ErrNoPermissions", err)
	}
}
