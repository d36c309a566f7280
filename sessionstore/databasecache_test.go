package sessionstore

import (
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/sessionstore/cache"
	"github.com/belleville/belleville/sessionstore/cache/cachetest"
)

// cacheInTable opens a Store whose sessions are in the cache in a table.
func cacheInTable(t *testing.T, url, prefix string) cache.Cache {
	t.Helper()
	s, err := Open(t.Context(), Config{
		DatabaseURL: djangocompat.NewSecret(url), Keys: djangocompat.NewKeys("key"), SessionEngine: EngineCache,
		SessionCache:   cache.Config{Backend: cache.Database, Location: []string{"site cache"}, KeyPrefix: prefix},
		MaxSessionSize: cachetest.MaxValue,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.cache
}

const createSiteCache = `CREATE TABLE "site cache" (cache_key varchar(255) NOT NULL PRIMARY KEY, value text NOT NULL, expires `

func TestDatabaseCache(t *testing.T) {
	n := 0
	run := func(url string) func(t *testing.T) {
		return func(t *testing.T) {
			cachetest.Run(t, func(t *testing.T) cache.Cache {
				n++
				return cacheInTable(t, url, strconv.Itoa(n))
			})
		}
	}
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	db.Exec(t, createSiteCache+"timestamptz NOT NULL)")
	pgtest.Grant(t, db.URL(), `SELECT, INSERT, UPDATE, DELETE ON "site cache"`)
	t.Run("PostgreSQL", run(pgtest.Restricted(t, db.URL())))
	t.Run("SQLite", run("sqlite:///"+sqliteSite(t, createSiteCache+"datetime NOT NULL)")))
}

// sqliteSite makes an SQLite database with Django's tables and one more.
func sqliteSite(t *testing.T, more string) string {
	t.Helper()
	schema, err := os.ReadFile("testdata/sqlite_5.2.sql")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "db.sqlite3")
	db, err := sql.Open("sqlite", path+"?_pragma=synchronous(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for line := range strings.Lines(string(schema) + more + ";\n") {
		if strings.Contains(line, "sqlite_sequence") {
			continue
		}
		if _, err := db.ExecContext(t.Context(), line); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestCacheTableIsRequired(t *testing.T) {
	path := sqliteSite(t, "DROP TABLE django_session")
	open := func(engine, location string) error {
		s, err := Open(t.Context(), Config{
			DatabaseURL: djangocompat.NewSecret("sqlite:///" + path), Keys: djangocompat.NewKeys("key"), SessionEngine: engine,
			SessionCache: cache.Config{Backend: cache.Database, Location: []string{location}},
		})
		if err == nil {
			s.Close()
		}
		return err
	}
	tests := []struct{ name, engine, location, want string }{
		{"a table that is not there is named", EngineCache, "django_cache", `location of the cache: there is no table "django_cache"`},
		{"a table of other columns is no cache", EngineCache, "auth_user", `location of the cache: "auth_user" has no column "cache_key"`},
		{"a name that is none", EngineCache, "a\x00b", "location of the cache holds a byte"},
		{"the session table is for the engines that use it", EngineDB, "", `session_table: there is no table "django_session"`},
		{"others do without", EngineSignedCookies, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := open(tt.engine, tt.location)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Open = %v, want %q", err, tt.want)
			}
		})
	}
}

// FuzzSessionFile gives any bytes as the file of a session: it loads, or is empty.
func FuzzSessionFile(f *testing.F) {
	dir := f.TempDir()
	s, err := Open(f.Context(), Config{Keys: djangocompat.NewKeys("key"), SessionEngine: EngineFile, SessionFilePath: dir, MaxSessionSize: 1 << 12})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	data, err := djangocompat.ParseSessionData([]byte(`{"a":1,"_session_expiry":"2999-01-01T00:00:00"}`))
	if err != nil {
		f.Fatal(err)
	}
	text, err := s.keyed.Load().codec.Encode(data)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(text))
	f.Add([]byte(""))
	f.Add([]byte("e30:1rspKg:UG4I_jJHieWdtGRupLXRxwWuPxgcJLfDDGklFNDt8Ak"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, "sessionidfuzzedfuzzed"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		session, err := s.Load(t.Context(), "fuzzedfuzzed")
		if err != nil {
			t.Errorf("Load = %v, want nil", err)
		}
		if session.Len() > 0 && string(content) != text {
			t.Errorf("a session of %d values that nobody signed", session.Len())
		}
	})
}
