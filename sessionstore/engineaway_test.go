package sessionstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/memcachetest"
	"github.com/belleville/belleville/internal/redistest"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/sessionstore/cache"
)

// TestEnginesAway kills what sessions are in: nobody is anonymous for that.
func TestEnginesAway(t *testing.T) {
	redis, memcached := redistest.Open(t), memcachetest.Open(t)
	b := sqliteBed(t)
	for _, tt := range []struct {
		name, engine string
		cache        cache.Config
	}{
		{"cache in Redis", sessionstore.EngineCache, cache.Config{Backend: cache.Redis, Location: []string{redis.URL()}}},
		{"cache in memcached", sessionstore.EngineCache, cache.Config{Backend: cache.PyMemcache, Location: []string{memcached.Address()}}},
		{"cached_db in Redis", sessionstore.EngineCachedDB, cache.Config{Backend: cache.Redis, Location: []string{redis.URL()}}},
		{"cached_db in memcached", sessionstore.EngineCachedDB, cache.Config{Backend: cache.PyLibMC, Location: []string{memcached.Address()}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := b.config()
			cfg.SessionEngine, cfg.SessionCache = tt.engine, tt.cache
			s := open(t, cfg)
			session := saved(t, s, "a", int64(1))
			key := session.Key()
			kill, start := redis.Kill, redis.Start
			if tt.cache.Backend != cache.Redis {
				kill, start = memcached.Kill, memcached.Start
			}
			if err := kill(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := start(t.Context()); err != nil {
					t.Error(err)
				}
			}()
			hasRow := tt.engine == sessionstore.EngineCachedDB
			got, err := s.Load(t.Context(), key)
			if hasRow && (err != nil || !got.Has("a")) {
				t.Errorf("Load = %v, want the row's session", err)
			}
			session.Set("a", int64(2))
			errs := map[string]error{"Save": session.Save(t.Context()), "Delete": s.Delete(t.Context(), key), "Ready": s.Ready(t.Context())}
			if !hasRow {
				errs["Load"] = err
			}
			for name, err := range errs {
				if !errors.Is(err, sessionstore.ErrUnavailable) || strings.Contains(err.Error(), key) {
					t.Errorf("%s = %v, want ErrUnavailable without the key", name, err)
				}
			}
		})
	}
}

// TestWithoutDatabase has sessions and nobody to log in.
func TestWithoutDatabase(t *testing.T) {
	for _, engine := range []string{sessionstore.EngineSignedCookies, sessionstore.EngineFile, sessionstore.EngineCache} {
		t.Run(engine, func(t *testing.T) {
			s := open(t, sessionstore.Config{
				Keys: djangocompat.NewKeys(secretKey), SessionEngine: engine, SessionFilePath: t.TempDir(),
				SessionCache: cache.Config{Backend: cache.FileBased, Location: []string{t.TempDir()}},
			})
			session := saved(t, s, "_auth_user_id", "1", "_auth_user_backend", sessionstore.ModelBackend, "_auth_user_hash", "x")
			u, reason, err := s.Verdict(t.Context(), load(t, s, session.Key()))
			if err != nil || u.IsAuthenticated() || reason != sessionstore.NoDatabase {
				t.Errorf("Verdict = %v, %v, %v, want nobody, for want of a database", u, reason, err)
			}
			standings, err := s.Standings(t.Context(), []string{session.Key(), "unknownunknown"})
			if err != nil || len(standings) != 2 || standings[0].Reason != sessionstore.NoDatabase || standings[1].Reason != sessionstore.NoLogin {
				t.Errorf("Standings = %v, %v, want nobody", standings, err)
			}
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("Ready = %v, want nil", err)
			}
			if _, err := s.Authenticate(t.Context(), "alice", "x"); !errors.Is(err, sessionstore.ErrUnavailable) {
				t.Errorf("Authenticate = %v, want ErrUnavailable", err)
			}
		})
	}
	for _, engine := range []string{sessionstore.EngineDB, sessionstore.EngineCachedDB, ""} {
		_, err := sessionstore.Open(t.Context(), sessionstore.Config{
			Keys: djangocompat.NewKeys(secretKey), SessionEngine: engine,
			SessionCache: cache.Config{Backend: cache.FileBased, Location: []string{t.TempDir()}},
		})
		if err == nil || !strings.Contains(err.Error(), "database_url is missing") {
			t.Errorf("Open with %q = %v, want that database_url is missing", engine, err)
		}
	}
}

// TestCacheMetrics counts what the cache had.
func TestCacheMetrics(t *testing.T) {
	b := sqliteBed(t)
	cfg := b.config()
	reg := prometheus.NewRegistry()
	cfg.SessionEngine, cfg.Registerer = sessionstore.EngineCachedDB, reg
	cfg.SessionCache = cache.Config{Backend: cache.FileBased, Location: []string{t.TempDir()}}
	s := open(t, cfg)
	key := saved(t, s, "a", int64(1)).Key()
	load(t, s, key)
	b.put(t, "onlyintherow", dict(t, "a", int64(1)), time.Now().Add(time.Hour))
	load(t, s, "onlyintherow")
	load(t, s, "onlyintherow")
	const want = `
# HELP sessions_cache_lookups_total Sessions looked up in the cache, by result.
# TYPE sessions_cache_lookups_total counter
sessions_cache_lookups_total{result="hit"} 2
sessions_cache_lookups_total{result="miss"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "sessions_cache_lookups_total"); err != nil {
		t.Error(err)
	}
}

// TestTooLargeForTheCache has a session that its table takes and its cache does not: the table counts.
func TestTooLargeForTheCache(t *testing.T) {
	b := sqliteBed(t)
	cfg := b.config()
	cfg.SessionEngine, cfg.MaxSessionSize = sessionstore.EngineCachedDB, 4096
	cfg.SessionCache = cache.Config{Backend: cache.FileBased, Location: []string{t.TempDir()}}
	s := open(t, cfg)
	session := saved(t, s, "a", int64(1))
	many := make([]any, 1000) // four bytes each in JSON, nine in a pickle
	for i := range many {
		many[i] = 0.5
	}
	session.Set("many", many)
	if err := session.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := load(t, s, session.Key()); !got.Has("many") {
		t.Errorf("session = %s, want the one of the table", got.Data().JSON())
	}
}
