package sessionstore_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/sessionstore"
)

// bed is a database with Django's tables, empty, and a way to it beside the Store, as Django has one.
type bed struct {
	url   djangocompat.Secret
	owner string                                      // the URL for who owns the tables, where that is another
	exec  func(t testing.TB, sql string, args ...any) // with $1, $2 …
	value func(t testing.TB, sql string) any          // the one value of a query, or nil
}

// secretKey is the SECRET_KEY of the tests' own sessions.
const secretKey = "the tests' secret key, which is no site's"

// config is a Config for the bed.
func (b *bed) config() sessionstore.Config {
	return sessionstore.Config{DatabaseURL: b.url, Keys: djangocompat.NewKeys(secretKey)}
}

// grant gives the Store's role rights on tables that a test has made, and those that docs/operations.md has for them.
// SQLite has no roles.
func (b *bed) grant(t testing.TB, rights ...string) {
	t.Helper()
	if b.owner == "" {
		return
	}
	pgtest.Restricted(t, b.owner)
	for _, right := range rights {
		pgtest.Grant(t, b.owner, right)
	}
}

// onBoth runs a test on both kinds of database.
func onBoth(t *testing.T, test func(t *testing.T, b *bed)) {
	t.Run("SQLite", func(t *testing.T) { test(t, sqliteBed(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, postgresBed(t)) })
}

func sqliteBed(t testing.TB) *bed {
	t.Helper()
	schema, err := os.ReadFile("testdata/sqlite_5.2.sql")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "db.sqlite3")
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)&_pragma=synchronous(0)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	b := &bed{
		url: sqliteURL(path),
		exec: func(t testing.TB, sql string, args ...any) {
			t.Helper()
			if _, err := db.ExecContext(t.Context(), sql, args...); err != nil {
				t.Fatal(err)
			}
		},
		value: func(t testing.TB, sql string) any {
			t.Helper()
			var v any
			if err := db.QueryRowContext(t.Context(), sql).Scan(&v); err != nil {
				t.Fatal(err)
			}
			return v
		},
	}
	for line := range strings.Lines(string(schema)) {
		if !strings.Contains(line, "sqlite_sequence") {
			b.exec(t, line)
		}
	}
	return b
}

func postgresBed(t testing.TB) *bed {
	t.Helper()
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	return postgresOf(t, db)
}

// count returns how many sessions are stored.
func (b *bed) count(t testing.TB) int64 {
	t.Helper()
	return b.value(t, "SELECT count(*) FROM django_session").(int64)
}

// stored returns the data of a session as another program finds it.
func (b *bed) stored(t testing.TB, key string) djangocompat.SessionData {
	t.Helper()
	text := b.value(t, "SELECT session_data FROM django_session WHERE session_key = '"+key+"'").(string)
	data, err := djangocompat.SessionCodec{Keys: djangocompat.NewKeys(secretKey)}.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// put stores a session as another program does.
func (b *bed) put(t testing.TB, key string, data djangocompat.SessionData, expires time.Time) {
	t.Helper()
	text, err := djangocompat.SessionCodec{Keys: djangocompat.NewKeys(secretKey)}.Encode(data)
	if err != nil {
		t.Fatal(err)
	}
	b.exec(t, "INSERT INTO django_session VALUES ('"+key+"', '"+text+"', '"+expires.UTC().Format("2006-01-02 15:04:05.000000")+"') "+
		"ON CONFLICT (session_key) DO UPDATE SET session_data = excluded.session_data")
}

// dict makes session data of keys and values.
func dict(t testing.TB, pairs ...any) djangocompat.SessionData {
	t.Helper()
	var d djangocompat.SessionData
	for i := 0; i < len(pairs); i += 2 {
		var err error
		if d, err = d.With(pairs[i].(string), pairs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// wantJSON compares session data with JSON text.
func wantJSON(t testing.TB, got djangocompat.SessionData, want string) {
	t.Helper()
	if text := string(got.JSON()); text != want {
		t.Errorf("session data = %s, want %s", text, want)
	}
}
