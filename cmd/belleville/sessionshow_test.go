package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// shownSession is what session show prints.
type shownSession struct {
	Engine  string
	Pickled bool
	Expires *time.Time
	Verdict string
	Refused string
	User    *struct{ Username, Backend string }
	Data    json.RawMessage
}

// showSession runs session show beside a database.
func showSession(t *testing.T, path, key string) shownSession {
	t.Helper()
	got := run(t, "", "session", "show", "--config", path, key)
	var shown shownSession
	if err := json.Unmarshal([]byte(got.out), &shown); err != nil || got.code != 0 {
		t.Fatalf("%+v: %v", got, err)
	}
	return shown
}

// putSession stores a session beside Django, under a key of its own.
func putSession(t *testing.T, url string, cfg sessionstore.Config, values map[string]any) string {
	t.Helper()
	cfg.DatabaseURL = djangocompat.NewSecret(url)
	if cfg.Keys.IsZero() {
		cfg.Keys = djangocompat.NewKeys(djangoKey)
	}
	store, err := sessionstore.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	session, err := store.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for key, v := range values {
		session.Set(key, v)
	}
	if err := session.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	return session.Key()
}

func TestSessionShowNamesEverything(t *testing.T) {
	url := djangoDatabase(t)
	path := configuration(t, url, "", "")
	shown := showSession(t, path, aliceCookie)
	if shown.Engine != sessionstore.EngineDB || shown.Pickled || shown.Expires == nil || shown.Verdict != "logged_in" ||
		shown.Refused != "" || shown.User == nil || shown.User.Username != aliceName || shown.User.Backend != sessionstore.ModelBackend {
		t.Errorf("alice's session: %+v", shown)
	}
	at := time.Now().Add(time.Hour).Truncate(time.Second)
	other := func(key, v string) map[string]any {
		values := map[string]any{djangocompat.AuthUserIDKey: "1", djangocompat.AuthBackendKey: sessionstore.ModelBackend, djangocompat.AuthHashKey: "x"}
		values[key] = v
		return values
	}
	tests := []struct {
		name    string
		values  map[string]any
		verdict string
		refused string
	}{
		{"nobody", map[string]any{"cart": int64(1)}, "no_login", "nobody is logged in"},
		{"a backend that is not configured", other(djangocompat.AuthBackendKey, "mysite.Backend"), "backend_not_configured", "is not in django.authentication_backends"},
		{"a user who is none", other(djangocompat.AuthUserIDKey, "x"), "bad_pk", "is no primary key"},
		{"a user who is gone", other(djangocompat.AuthUserIDKey, "999999"), "no_such_user", "is not in the user table"},
		{"no hash", other(djangocompat.AuthHashKey, ""), "hash_missing", "has no auth hash"},
		{"another password", other(djangocompat.AuthHashKey, "0"), "hash_mismatch", "password was changed since the login"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key := putSession(t, url, sessionstore.Config{CookieAge: time.Hour}, tt.values)
			shown := showSession(t, path, key)
			if shown.Verdict != tt.verdict || !strings.Contains(shown.Refused, tt.refused) || shown.User != nil {
				t.Errorf("%+v, want %s", shown, tt.verdict)
			}
			if shown.Expires == nil || shown.Expires.Before(at) || shown.Expires.After(at.Add(time.Minute)) {
				t.Errorf("it expires at %v, want an hour from now", shown.Expires)
			}
		})
	}
}

func TestSessionShowSaysWhatIsWrong(t *testing.T) {
	url := djangoDatabase(t)
	path := configuration(t, url, "", "[database]\nmax_session_size = 1000\n")
	values := map[string]any{"cart": int64(1)}
	past := func() time.Time { return time.Now().Add(-1000 * time.Hour) }
	random := map[string]any{"cart": strings.Repeat(djangocompat.NewSessionKey(), 40)}
	tests := []struct {
		name   string
		cfg    sessionstore.Config
		values map[string]any
		want   string
	}{
		{"expired", sessionstore.Config{Now: past}, values, "the session has expired"},
		{"signed by another key", sessionstore.Config{Keys: djangocompat.NewKeys("another")}, values, "no key of the configuration signed the session: compare django.secret_key, its fallbacks and django.session_salt with the site's"},
		{"of another class of sessions", sessionstore.Config{Salt: "django.contrib.sessions.Mine"}, values, "no key of the configuration signed the session: compare django.secret_key, its fallbacks and django.session_salt with the site's"},
		{"pickled", sessionstore.Config{SessionSerializer: djangocompat.PickleSerializer}, values, "the session is a pickle, and django.session_serializer is JSON: Django does not read it either"},
		{"too large", sessionstore.Config{}, random, "the session is larger than database.max_session_size"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key := putSession(t, url, tt.cfg, tt.values)
			got := run(t, "", "session", "show", "--config", path, key)
			if want := (typed{1, "", "belleville: " + tt.want + "\n"}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		got := run(t, "", "session", "show", "--config", path, djangocompat.NewSessionKey())
		if got.code != 1 || got.err != "belleville: there is no such session: it was deleted, as by a logout, or it is in another database, cache or table\n" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a pickle where the site has pickles", func(t *testing.T) {
		key := putSession(t, url, sessionstore.Config{SessionSerializer: djangocompat.PickleSerializer}, map[string]any{"at": time.Unix(0, 0)})
		pickled := configuration(t, url, "", "[django.user]\n")
		got := runWith(t, []string{"BELLEVILLE_DJANGO_SESSION_SERIALIZER=" + djangocompat.PickleSerializer.String()}, "",
			"session", "show", "--config", pickled, key)
		if got.code != 0 || !strings.Contains(got.out, `"pickled":true`) || !strings.Contains(got.out, `"data":{"at":{"$type":"datetime"`) {
			t.Errorf("got %+v", got)
		}
	})
}
