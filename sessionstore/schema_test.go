package sessionstore_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// said is a log that many may write to.
type said struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write implements io.Writer.
func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

// String returns what was written.
func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestOpenNamesWhatIsMissing(t *testing.T) {
	tests := []struct {
		name   string
		change func(*sessionstore.Config)
		want   []string
	}{
		{"the session table", func(c *sessionstore.Config) { c.SessionTable = "sessions" }, []string{"session_table", `"sessions"`}},
		{"the user table", func(c *sessionstore.Config) { c.Users.Table = "people" }, []string{"user table", `"people"`}},
		{"the key", func(c *sessionstore.Config) { c.Users.PK = "uid" }, []string{`"auth_user"`, `"uid"`}},
		{"the name", func(c *sessionstore.Config) { c.Users.Username = "login" }, []string{`"auth_user"`, `"login"`}},
		{"the password", func(c *sessionstore.Config) { c.Users.Password = "pw" }, []string{`"auth_user"`, `"pw"`}},
		{"a column that is named", func(c *sessionstore.Config) { c.Users.IsActive = "enabled" }, []string{`"auth_user"`, `"enabled"`}},
		{"a further column", func(c *sessionstore.Config) { c.Users.Extra = []string{"theme"} }, []string{`"auth_user"`, `"theme"`}},
		{"a hidden column", func(c *sessionstore.Config) { c.Users.Where = map[string]any{"deleted": false} }, []string{`"auth_user"`, `"deleted"`}},
		{
			"a permission table that is named", func(c *sessionstore.Config) { c.Users.Permissions.Groups = "teams" },
			[]string{"groups", `"teams"`},
		},
		{
			"the column of a user's groups", func(c *sessionstore.Config) {
				c.Users.Permissions = sessionstore.PermissionTables{UserColumn: "member_id", UserGroups: "auth_user_groups"}
			},
			[]string{`"auth_user_groups"`, `"member_id"`},
		},
	}
	onBoth(t, func(t *testing.T, b *bed) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				cfg := b.config()
				tt.change(&cfg)
				s, err := sessionstore.Open(t.Context(), cfg)
				if err == nil {
					s.Close()
					t.Fatal("Open succeeded")
				}
				for _, want := range tt.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("Open = %v, want it to name %s", err, want)
					}
				}
			})
		}
	})
}

func TestAMissingTableIsAnErrorOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		log := new(said)
		cfg := b.config()
		cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
		s := open(t, cfg)
		b.exec(t, "ALTER TABLE auth_user RENAME TO elsewhere")
		alice := &djangocompat.User{PK: djangocompat.IntPK(1), IsActive: true}
		if _, err := s.Permissions(t.Context(), alice); err != nil {
			t.Errorf("Permissions, which do not need the table = %v", err)
		}
		for range 20 {
			if _, err := s.Authenticate(t.Context(), "alice", "wonderland"); !errors.Is(err, sessionstore.ErrUnavailable) {
				t.Fatalf("Authenticate = %v, want ErrUnavailable", err)
			}
		}
		eventually(t, "the log says so", func() bool { return strings.Contains(log.String(), "auth_user") })
		for range 20 {
			_ = s.Ready(t.Context())
		}
		text := log.String()
		if n := strings.Count(text, "level=ERROR"); n != 1 || strings.Contains(text, "does not answer") {
			t.Errorf("%d errors, want one, and none of a database that does not answer:\n%s", n, text)
		}
		b.exec(t, "ALTER TABLE elsewhere RENAME TO auth_user")
		eventually(t, "it heals", func() bool { return s.Ready(t.Context()) == nil })
	})
}
