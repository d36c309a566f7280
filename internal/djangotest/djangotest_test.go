package djangotest_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/pgtest"
)

func TestSite(t *testing.T) {
	tests := []struct {
		name string
		url  func(t *testing.T) string
	}{
		{"on SQLite", sqliteURL},
		{"on Postgres", func(t *testing.T) string { return pgtest.Open(t).URL() }},
		{"on Postgres over a unix socket", func(t *testing.T) string { return pgtest.Open(t).SocketURL() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			site := djangotest.Start(t, tt.url(t), djangotest.Config{})
			stranger := djangotest.Identity{SessionKeys: []string{}}
			wantIdentity(t, "without a cookie", site.WhoAmI(t, ""), stranger)
			wantIdentity(t, "with an unknown cookie", site.WhoAmI(t, strings.Repeat("x", 32)), stranger)

			cookie := site.Login(t, djangotest.Alice, djangotest.Password)
			wantIdentity(t, "after login", site.WhoAmI(t, cookie), djangotest.Identity{
				PK: 1, Username: "alice", IsAuthenticated: true,
				SessionKeys: []string{"_auth_user_backend", "_auth_user_hash", "_auth_user_id"},
			})
			other := site.Login(t, djangotest.Bob, djangotest.Password)
			if got := site.WhoAmI(t, other).Username; got != djangotest.Bob {
				t.Errorf("the other visitor is %q, want %q", got, djangotest.Bob)
			}

			site.Logout(t, cookie)
			wantIdentity(t, "after logout", site.WhoAmI(t, cookie), stranger)
			if got := site.WhoAmI(t, other).Username; got != djangotest.Bob {
				t.Errorf("after somebody else's logout the visitor is %q, want %q", got, djangotest.Bob)
			}
		})
	}
}

func sqliteURL(t *testing.T) string {
	t.Helper()
	return "sqlite:///" + filepath.Join(t.TempDir(), "db.sqlite3")
}

func wantIdentity(t *testing.T, when string, got, want djangotest.Identity) {
	t.Helper()
	if got.PK != want.PK || got.Username != want.Username || got.IsAuthenticated != want.IsAuthenticated ||
		!slices.Equal(got.SessionKeys, want.SessionKeys) {
		t.Errorf("%s the visitor is %+v, want %+v", when, got, want)
	}
}

func TestSiteCommands(t *testing.T) {
	site := djangotest.Start(t, sqliteURL(t), djangotest.Config{})
	cookie := site.Login(t, djangotest.Alice, djangotest.Password)

	t.Run("Shell runs code on the site's database", func(t *testing.T) {
		got := site.Shell(t, `
from django.contrib.auth import get_user_model
print(sorted(u.username for u in get_user_model().objects.all()))
`)
		if want := "['alice', 'bob']\n"; got != want {
			t.Errorf("Shell printed %q, want %q", got, want)
		}
	})
	t.Run("making a user again keeps the sessions", func(t *testing.T) {
		site.Manage(t, "makeuser", "--password", djangotest.Password, djangotest.Alice)
		if got := site.WhoAmI(t, cookie).Username; got != djangotest.Alice {
			t.Errorf("the visitor is %q, want %q", got, djangotest.Alice)
		}
	})
	t.Run("an inactive user is anonymous", func(t *testing.T) {
		site.Shell(t, `
from django.contrib.auth import get_user_model
get_user_model().objects.filter(username="alice").update(is_active=False)
`)
		if who := site.WhoAmI(t, cookie); who.IsAuthenticated {
			t.Errorf("the visitor is %+v, want anonymous", who)
		}
	})
}

func TestSitePages(t *testing.T) {
	site := djangotest.Start(t, sqliteURL(t), djangotest.Config{Env: []string{"WEBSOCKETS_URL=:8001"}})
	alice := site.Login(t, djangotest.Alice, djangotest.Password)
	tests := []struct {
		name   string
		path   string
		cookie string
		status int
		holds  []string
	}{
		{"the first page shows who one is", "/", alice, 200, []string{"django-says", "belleville-says", "alice"}},
		{"the index asks for a room", "/chat/", "", 200, []string{"room-name-input", "room-name-submit"}},
		{
			"a room has the tutorial's ids and its socket's address", "/chat/lobby/", "", 200,
			[]string{
				"chat-log", "chat-message-input", "chat-message-submit",
				`<script id="room-name" type="application/json">"lobby"</script>`,
				`<script id="belleville-url" type="application/json">":8001"</script>`,
			},
		},
		{
			"a room's name is no markup", "/chat/%3Cscript%3E/", "", 200,
			[]string{`"\u003Cscript\u003E"`, `<title>&lt;script&gt;</title>`},
		},
		{"to say something one has to log in", "/say/lobby/", "", 302, nil},
		{"who is logged in may say something", "/say/lobby/", alice, 200, []string{"lobby", "message"}},
		{"the admin is for staff", "/admin/", alice, 302, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := site.Get(t, tt.path, tt.cookie)
			if status != tt.status {
				t.Errorf("status = %d, want %d", status, tt.status)
			}
			for _, part := range tt.holds {
				if !strings.Contains(body, part) {
					t.Errorf("the page lacks %q:\n%s", part, body)
				}
			}
		})
	}
}

func TestSiteConfig(t *testing.T) {
	database := sqliteURL(t)
	site := djangotest.Start(t, database, djangotest.Config{SecretKey: "one"})
	cookie := site.Login(t, djangotest.Alice, djangotest.Password)

	t.Run("a site with another secret key does not know the session", func(t *testing.T) {
		other := djangotest.Start(t, database, djangotest.Config{SecretKey: "two"})
		if who := other.WhoAmI(t, cookie); who.IsAuthenticated {
			t.Errorf("the visitor is %+v, want anonymous", who)
		}
	})
	t.Run("settings come from the configuration", func(t *testing.T) {
		other := djangotest.Start(t, database, djangotest.Config{
			SecretKey:  "three",
			Fallbacks:  []string{"two", "one"},
			Engine:     "django.contrib.sessions.backends.signed_cookies",
			Serializer: "django.contrib.sessions.serializers.PickleSerializer",
		})
		got := other.Shell(t, `
from django.conf import settings as s
print(s.SECRET_KEY, s.SECRET_KEY_FALLBACKS, s.SESSION_ENGINE, s.SESSION_SERIALIZER)
`)
		want := "three ['two', 'one'] django.contrib.sessions.backends.signed_cookies " +
			"django.contrib.sessions.serializers.PickleSerializer\n"
		if got != want {
			t.Errorf("settings are %q, want %q", got, want)
		}
	})
}
