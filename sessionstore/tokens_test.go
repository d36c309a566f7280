package sessionstore_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// tokenBed is a bed with users, their keys and a blacklist.
func tokenBed(t *testing.T, b *bed) *sessionstore.Store {
	t.Helper()
	for _, sql := range []string{
		`INSERT INTO auth_user (id, username, password, is_active, is_staff, is_superuser, first_name, last_name, email, date_joined)
VALUES (7, 'alice', 'pbkdf2_sha256$1$a$b', true, false, false, '', '', 'a@example.com', '2024-04-05 19:34:38'),
(8, 'bob', '', false, false, false, '', '', 'both@example.com', '2024-04-05 19:34:38'),
(9, 'carl', 'x', true, false, false, '', '', 'both@example.com', '2024-04-05 19:34:38')`,
		`INSERT INTO authtoken_token (key, created, user_id) VALUES ('4261b2934f', '2024-04-05 19:34:38', 7), ('4528bd72dd', '2024-04-05 19:34:38', 8)`,
		`CREATE TABLE token_blacklist_outstandingtoken (id integer PRIMARY KEY, jti varchar(255) NOT NULL UNIQUE)`,
		`CREATE TABLE token_blacklist_blacklistedtoken (id integer PRIMARY KEY, token_id integer NOT NULL UNIQUE)`,
		`INSERT INTO token_blacklist_outstandingtoken (id, jti) VALUES (1, 'good'), (2, 'bad')`,
		`INSERT INTO token_blacklist_blacklistedtoken (id, token_id) VALUES (1, 2)`,
	} {
		b.exec(t, sql)
	}
	b.grant(t)
	cfg := b.config()
	cfg.Tokens = sessionstore.TokenTables{AuthTokens: []string{"authtoken_token"}, Blacklist: true, UserFields: []string{"username", "email"}}
	store, err := sessionstore.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func TestUserByField(t *testing.T) {
	tests := []struct {
		name   string
		column string
		value  any
		want   string // "" for nobody
	}{
		{"the primary key", "pk", int64(7), "alice"},
		{"the primary key by its column", "id", int64(7), "alice"},
		{"the primary key as text", "id", "7", "alice"},
		{"an inactive user is somebody", "id", int64(8), "bob"},
		{"a name", "username", "alice", "alice"},
		{"a name is compared exactly", "username", "Alice", ""},
		{"a number is no name of anybody", "username", int64(7), ""},
		{"a value of one", "email", "a@example.com", "alice"},
		{"a value of several is nobody's", "email", "both@example.com", ""},
		{"a text with a NUL", "username", "ali\x00ce", ""},
		{"a text that is no UTF-8", "username", "ali\xffce", ""},
		{"a long text", "username", strings.Repeat("a", 5000), ""},
		{"a text that is no number", "id", "alice", ""},
		{"a list", "username", []any{"alice"}, ""},
		{"nothing", "id", nil, ""},
	}
	onBoth(t, func(t *testing.T, b *bed) {
		store := tokenBed(t, b)
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				u, err := store.UserByField(t.Context(), tt.column, tt.value, "token.a")
				if err != nil {
					t.Fatal(err)
				}
				wantTokenUser(t, u, tt.want)
			})
		}
		_, err := store.UserByField(t.Context(), "first_name", "x", "token.a")
		if !errors.Is(err, sessionstore.ErrUnavailable) || !strings.Contains(err.Error(), `"first_name" is not configured`) {
			t.Errorf("a column that is not configured: %v", err)
		}
	})
}

func wantTokenUser(t *testing.T, u sessionstore.TokenUser, want string) {
	t.Helper()
	switch {
	case u.User == nil && want != "":
		t.Errorf("nobody, want %s", want)
	case u.User != nil && (u.User.Username != want || u.User.Backend != "token.a"):
		t.Errorf("the user is %q of %q, want %q", u.User.Username, u.User.Backend, want)
	}
}

func TestUserByAuthToken(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		store := tokenBed(t, b)
		for key, want := range map[string]string{
			"4261b2934f": "alice", "4528bd72dd": "bob", "4261B2934F": "", "": "", "x": "", "a\x00": "", strings.Repeat("k", 5000): "",
		} {
			u, err := store.UserByAuthToken(t.Context(), "authtoken_token", key, "token.a")
			if err != nil {
				t.Fatal(err)
			}
			wantTokenUser(t, u, want)
		}
		if _, err := store.UserByAuthToken(t.Context(), "django_session", "x", "token.a"); err == nil {
			t.Error("a table that is not configured is asked")
		}
	})
}

// TestTokensTogether looks up much at once, so that queries ask for several, of which one is impossible.
func TestTokensTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		store := tokenBed(t, b)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for name, want := range map[string]string{"alice": "alice", "carl": "carl", "nobody": "", "both@example.com": ""} {
					column := "username"
					if strings.Contains(name, "@") {
						column = "email"
					}
					u, err := store.UserByField(t.Context(), column, name, "token.a")
					if err != nil {
						t.Error(err)
						return
					}
					wantTokenUser(t, u, want)
				}
			})
			all.Go(func() {
				for jti, want := range map[string]bool{"bad": true, "good": false, "unknown": false, "a\x00": false} {
					if got, err := store.TokenBlacklisted(t.Context(), jti); err != nil || got != want {
						t.Errorf("TokenBlacklisted(%q) = %v, %v, want %v", jti, got, err, want)
					}
				}
			})
		}
		all.Wait()
	})
}

func TestPasswordSum(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		store := tokenBed(t, b)
		alice, err := store.UserByField(t.Context(), "pk", int64(7), "token.a")
		if err != nil {
			t.Fatal(err)
		}
		if !alice.PasswordSumIs("D189514B36275B5C49334DB961F35162") {
			t.Error("simplejwt's sum of the password is not known")
		}
		for _, sum := range []string{"", "d189514b36275b5c49334db961f35162", "D189514B36275B5C49334DB961F3516"} {
			if alice.PasswordSumIs(sum) {
				t.Errorf("%q is taken", sum)
			}
		}
		bob, err := store.UserByField(t.Context(), "pk", int64(8), "token.a")
		if err != nil || bob.PasswordSumIs("D41D8CD98F00B204E9800998ECF8427E") {
			t.Errorf("the sum of no password is taken (%v)", err)
		}
	})
}

func TestSpendTicket(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		store := tokenBed(t, b)
		ticket := sessionstore.TicketDigest{1, 2, 3}
		for i, want := range []bool{true, false, false} {
			if got, err := store.SpendTicket(t.Context(), ticket, time.Now().Add(time.Minute)); err != nil || got != want {
				t.Errorf("for the %d. time: %v, %v, want %v", i+1, got, err, want)
			}
		}
		s, err := store.Load(t.Context(), "0102030000000000000000000000000000000000")
		if err != nil || s.Key() != "" || !s.IsEmpty() {
			t.Errorf("the note is the session %q, %v", s.Key(), err)
		}
		if err := store.UnspendTicket(t.Context(), ticket); err != nil {
			t.Fatal(err)
		}
		if got, err := store.SpendTicket(t.Context(), ticket, time.Now().Add(-time.Minute)); err != nil || !got {
			t.Errorf("taken back: %v, %v, want true", got, err)
		}
		if n, err := store.ClearExpired(t.Context()); err != nil || n != 1 {
			t.Errorf("ClearExpired = %d, %v, want 1", n, err)
		}
	})
}

func TestTokenTablesThatAreMissing(t *testing.T) {
	tests := []struct {
		name   string
		tables sessionstore.TokenTables
		want   string
	}{
		{"no table of keys", sessionstore.TokenTables{AuthTokens: []string{"keys"}}, `token table: there is no table "keys"`},
		{"a table that is none of keys", sessionstore.TokenTables{AuthTokens: []string{"django_session"}}, `token table: "django_session" has no column "key"`},
		{"no blacklist", sessionstore.TokenTables{Blacklist: true}, `blacklist: there is no table "token_blacklist_outstandingtoken"`},
		{"no column", sessionstore.TokenTables{UserFields: []string{"uuid"}}, `user_id_field: "auth_user" has no column "uuid"`},
		{"a column of times", sessionstore.TokenTables{UserFields: []string{"date_joined"}}, `user_id_field: "date_joined" is neither an integer nor a text nor a UUID`},
		{"a name with a NUL", sessionstore.TokenTables{AuthTokens: []string{"a\x00"}}, `token table holds a byte that no name may hold`},
		{"a column that is SQL", sessionstore.TokenTables{UserFields: []string{`id" OR 1=1 --`}}, `user_id_field: "auth_user" has no column "id\" OR 1=1 --"`},
	}
	onBoth(t, func(t *testing.T, b *bed) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				cfg := b.config()
				cfg.Tokens = tt.tables
				store, err := sessionstore.Open(t.Context(), cfg)
				if err == nil {
					store.Close()
					t.Fatal("it is taken")
				}
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Open: %v, want %s", err, tt.want)
				}
			})
		}
	})
}

func TestATokensUserIsShared(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		store := tokenBed(t, b)
		var users []*djangocompat.User
		for range 2 {
			u, err := store.UserByField(t.Context(), "username", "alice", "token.a")
			if err != nil {
				t.Fatal(err)
			}
			users = append(users, u.User)
		}
		if users[0] != users[1] {
			t.Error("two tabs of one person hold two users")
		}
	})
}
