package sessionstore_test

import (
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

func TestReloadRotatesTheKeys(t *testing.T) {
	const next = "another key, of which nobody has heard"
	onBoth(t, func(t *testing.T, b *bed) {
		store := tokenBed(t, b)
		session, err := store.Load(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		user, err := store.UserByField(t.Context(), "pk", int64(7), sessionstore.ModelBackend)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Login(t.Context(), session, user.User); err != nil {
			t.Fatal(err)
		}
		tests := []struct {
			name string
			keys djangocompat.Keys
			want sessionstore.Reason
		}{
			{"a new key with the old one as its fallback keeps everybody", djangocompat.NewKeys(next, secretKey), sessionstore.LoggedInByFallback},
			{"without the old one nobody is logged in", djangocompat.NewKeys(next), sessionstore.NoLogin},
			{"the old one brings them back", djangocompat.NewKeys(secretKey), sessionstore.LoggedIn},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				cfg := b.config()
				cfg.Keys = tt.keys
				if err := store.Reload(t.Context(), cfg); err != nil {
					t.Fatal(err)
				}
				standings, err := store.Standings(t.Context(), []string{session.Key()})
				if err != nil || standings[0].Reason != tt.want {
					t.Errorf("a re-check finds %v, %v, want %v", standings, err, tt.want)
				}
				s, err := store.Load(t.Context(), session.Key())
				if err != nil {
					t.Fatal(err)
				}
				if _, reason, err := store.Verdict(t.Context(), s); err != nil || reason != tt.want {
					t.Errorf("a handshake finds %v, %v, want %v", reason, err, tt.want)
				}
			})
		}
		if n := b.value(t, "SELECT count(*) FROM django_session"); n != int64(1) {
			t.Errorf("%v rows are left, want 1", n)
		}
		if err := store.Reload(t.Context(), sessionstore.Config{}); err == nil {
			t.Error("no key is taken")
		}
	})
}

func TestReloadFindsTheTablesOfTokens(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		tokenBed(t, b)
		store, err := sessionstore.Open(t.Context(), b.config()) // without tables of tokens
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		key := func() error {
			_, err := store.UserByAuthToken(t.Context(), "authtoken_token", "4261b2934f", "token.a")
			return err
		}
		if key() == nil {
			t.Error("a table that is not configured is asked")
		}
		cfg := b.config()
		cfg.Tokens = sessionstore.TokenTables{AuthTokens: []string{"authtoken_token"}, Blacklist: true, UserFields: []string{"username"}}
		if err := store.Reload(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if err := key(); err != nil {
			t.Error(err)
		}
		if listed, err := store.TokenBlacklisted(t.Context(), "bad"); err != nil || !listed {
			t.Errorf("TokenBlacklisted = %v, %v, want true", listed, err)
		}
		if u, err := store.UserByField(t.Context(), "username", "alice", "token.a"); err != nil || u.User == nil {
			t.Errorf("UserByField = %v, %v", u, err)
		}

		cfg.Tokens.AuthTokens = []string{"keys"}
		if err := store.Reload(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), `there is no table "keys"`) {
			t.Errorf("a table that is not there: %v", err)
		}
		if err := key(); err != nil {
			t.Errorf("after a reload that failed: %v", err)
		}
	})
}
