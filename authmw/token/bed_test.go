package token_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// siteKey is the SECRET_KEY of the tests' own site.
const siteKey = "the tests' secret key, which is no site's"

// bed is a site's database with two users, of whom bob is not active, and a way to it beside the Store.
type bed struct {
	store *sessionstore.Store
	exec  func(t testing.TB, sql string, args ...any)
}

// newBed makes a database with Django's tables.
func newBed(t testing.TB) *bed {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db.sqlite3")
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)&_pragma=synchronous(0)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	b := &bed{exec: func(t testing.TB, sql string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), sql, args...); err != nil {
			t.Fatal(err)
		}
	}}
	schema, err := os.ReadFile("testdata/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(schema)) {
		b.exec(t, line)
	}
	b.user(t, 114, "ann3zg", "pbkdf2_sha256$1$a$b", 1)
	b.user(t, 838, "offDqw", "!x", 0)
	b.key(t, "4261b2934fde1fbadc546257f00c9482305124e3", 114)
	b.key(t, "4528bd72dd07562a13f4fbfe7e45494b6cf1ead4", 838)
	b.store = openStore(t, path)
	return b
}

func openStore(t testing.TB, path string) *sessionstore.Store {
	t.Helper()
	store, err := sessionstore.Open(t.Context(), sessionstore.Config{
		DatabaseURL: djangocompat.NewSecret("sqlite:////" + strings.TrimPrefix(path, "/")),
		Keys:        djangocompat.NewKeys(siteKey),
		Tokens: sessionstore.TokenTables{
			AuthTokens: []string{"authtoken_token"}, Blacklist: true, UserFields: []string{"username"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func (b *bed) user(t testing.TB, pk int, name, password string, active int) {
	t.Helper()
	b.exec(t, `INSERT INTO auth_user (id, username, password, is_active, is_staff, is_superuser, first_name, last_name, email, date_joined)
VALUES ($1, $2, $3, $4, 0, 0, '', '', '', '2024-04-05 19:34:38')`, pk, name, password, active)
}

func (b *bed) key(t testing.TB, key string, owner int) {
	t.Helper()
	b.exec(t, `INSERT INTO authtoken_token VALUES ($1, '2024-04-05 19:34:38', $2)`, key, owner)
}

func (b *bed) blacklist(t testing.TB, jti string) {
	t.Helper()
	b.exec(t, `INSERT INTO token_blacklist_outstandingtoken (token, expires_at, jti) VALUES ('', '2034-01-01', $1)`, jti)
	b.exec(t, `INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)
SELECT '2024-01-01', id FROM token_blacklist_outstandingtoken WHERE jti = $1`, jti)
}

// newJWT makes a Verifier of the tests' own tokens.
func (b *bed) newJWT(t testing.TB, cfg token.JWTConfig) *token.JWT {
	t.Helper()
	if cfg.SigningKey.IsZero() && (cfg.Algorithm == "" || strings.HasPrefix(cfg.Algorithm, "HS")) {
		cfg.SigningKey = djangocompat.NewSecret(siteKey)
	}
	v, err := token.NewJWT(b.store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// authenticator makes an Authenticator of one scheme.
func authenticator(t testing.TB, cfg token.Config, schemes ...token.Scheme) *token.Authenticator {
	t.Helper()
	a, err := token.New(schemes, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// seen is the Scope that an Application was opened with.
type seen struct{ scope *consumers.Scope }

// app returns an Application that notes its Scope, and accepts.
func (s *seen) app() consumers.Application {
	inner := consumers.New(func() *silent { return new(silent) })
	return consumers.ApplicationFunc(func(ctx context.Context, scope *consumers.Scope) (consumers.Instance, error) {
		s.scope = scope
		return inner.Open(ctx, scope)
	})
}

// silent accepts and returns each message.
type silent struct{}

func (*silent) Connect(_ context.Context, c *consumers.Conn) error { return c.Accept() }

func (*silent) Receive(_ context.Context, c *consumers.Conn, m consumers.Message) error {
	return c.SendText(fmt.Sprintf("%s: %s", c.Scope().User.Username, m.Text()))
}

func (*silent) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// webSocket makes the Scope of a WebSocket with these header fields.
func webSocket(header ...consumers.HeaderField) *consumers.Scope {
	return &consumers.Scope{Type: consumers.TypeWebSocket, Path: "/", Header: header, User: new(djangocompat.User)}
}

// authorization is a header field.
func authorization(value string) consumers.HeaderField {
	return consumers.HeaderField{Name: "authorization", Value: value}
}

// clock returns a clock that stands still.
func clock(at time.Time) func() time.Time { return func() time.Time { return at } }
