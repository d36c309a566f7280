package sessionstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/memcachetest"
	"github.com/belleville/belleville/internal/redistest"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/sessionstore/cache"
)

// suiteEngine is an engine with an empty storage of its own.
type suiteEngine struct {
	name string
	cfg  sessionstore.Config
	bed  *bed

	// corrupt puts bytes in place of what is stored under key, huge ones for that matter.
	corrupt func(t *testing.T, key, value string)
}

// stateless reports whether nothing is stored, so that nothing can be taken back.
func (e suiteEngine) stateless() bool { return e.cfg.SessionEngine == sessionstore.EngineSignedCookies }

// suiteEngines are all engines, on parts that the test has started.
func suiteEngines(t *testing.T, redis *redistest.Server, memcached *memcachetest.Server) []suiteEngine {
	b := sqliteBed(t)
	b.exec(t, createCacheTable+"datetime NOT NULL)")
	on := func(name, engine string, c cache.Config) suiteEngine {
		cfg := b.config()
		c.KeyPrefix = strings.ReplaceAll(name, " ", "-")
		cfg.SessionEngine, cfg.SessionCache, cfg.SessionFilePath = engine, c, t.TempDir()
		return suiteEngine{name: name, cfg: cfg, bed: b}
	}
	onRedis := cache.Config{Backend: cache.Redis, Location: []string{redis.URL()}}
	onMemcached := cache.Config{Backend: cache.PyMemcache, Location: []string{memcached.Address()}}
	inFiles := cache.Config{Backend: cache.FileBased, Location: []string{t.TempDir()}}
	inTable := cache.Config{Backend: cache.Database, Location: []string{"django_cache"}}
	db := on("db", sessionstore.EngineDB, cache.Config{})
	db.corrupt = func(t *testing.T, key, value string) {
		b.exec(t, "UPDATE django_session SET session_data = $1 WHERE session_key = $2", value, key)
	}
	file := on("file", sessionstore.EngineFile, cache.Config{})
	file.corrupt = func(t *testing.T, key, value string) {
		if err := os.WriteFile(filepath.Join(file.cfg.SessionFilePath, "sessionid"+key), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cached := on("cache in Redis", sessionstore.EngineCache, onRedis)
	cached.corrupt = func(t *testing.T, key, value string) {
		redis.DoRaw(t, "SET", cached.cfg.SessionCache.FullKey("django.contrib.sessions.cache"+key), value)
	}
	inMemcached := on("cache in memcached", sessionstore.EngineCache, onMemcached)
	inMemcached.corrupt = func(t *testing.T, key, value string) {
		memcached.Store(t, inMemcached.cfg.SessionCache.FullKey("django.contrib.sessions.cache"+key), 1, []byte(value))
	}
	inTheTable := on("cache in a table", sessionstore.EngineCache, inTable)
	inTheTable.corrupt = func(t *testing.T, key, value string) {
		b.exec(t, "UPDATE django_cache SET value = $1 WHERE cache_key = $2", value, inTheTable.cfg.SessionCache.FullKey("django.contrib.sessions.cache"+key))
	}
	return []suiteEngine{
		db, file, cached, inMemcached, inTheTable,
		on("cache in files", sessionstore.EngineCache, inFiles),
		on("cached_db in Redis", sessionstore.EngineCachedDB, onRedis),
		on("cached_db in memcached", sessionstore.EngineCachedDB, onMemcached),
		on("cached_db in files", sessionstore.EngineCachedDB, inFiles),
		on("cached_db in a table", sessionstore.EngineCachedDB, inTable),
		on("signed_cookies", sessionstore.EngineSignedCookies, cache.Config{}),
	}
}

// TestEngines holds every engine to the same promises.
func TestEngines(t *testing.T) {
	promises := []struct {
		name      string
		stateless bool // it holds for signed cookies too
		run       func(t *testing.T, e suiteEngine, s *sessionstore.Store)
	}{
		{"what was saved loads, and again after a change", true, testEngineSaves},
		{"no strange key is an error", true, testEngineStrangeKeys},
		{"a key that is taken is not taken over", false, testEngineTaken},
		{"a new key has the data and the old one nothing", false, testEngineCycles},
		{"what was flushed is gone", false, testEngineFlushes},
		{"T04: a save never brings back what a logout deleted", false, testEngineNoReturn},
		{"T05: of changes at the same time none is lost", false, testEngineNoLoss},
		{"T16: what is huge or broken is an empty session, and stays", false, testEngineHuge},
		{"many lookups at once are few questions", false, testEngineStorm},
		{"what has expired is not loaded", true, testEngineExpiry},
		{"there are no leftovers when it is closed", true, func(*testing.T, suiteEngine, *sessionstore.Store) {}},
	}
	for _, e := range suiteEngines(t, redistest.Open(t), memcachetest.Open(t)) {
		t.Run(e.name, func(t *testing.T) {
			for _, p := range promises {
				if e.stateless() && !p.stateless {
					continue // nothing is stored, so nothing is taken, changed or deleted by others
				}
				t.Run(p.name, func(t *testing.T) {
					e.cfg.Registerer = prometheus.NewRegistry()
					p.run(t, e, open(t, e.cfg))
				})
			}
		})
	}
}

func testEngineSaves(t *testing.T, e suiteEngine, s *sessionstore.Store) {
	session := saved(t, s, "a", int64(1), "é", []any{"\U0001f600", nil, 2.5})
	key := session.Key()
	if !e.stateless() && len(key) != 32 {
		t.Errorf("key = %q, want 32 characters", key)
	}
	again := load(t, s, key)
	again.Set("a", int64(2))
	again.Delete("none")
	if err := again.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if (again.Key() == key) == e.stateless() {
		t.Errorf("the key has changed: %v, want %v", again.Key() != key, e.stateless())
	}
	wantJSON(t, load(t, s, again.Key()).Data(), `{"a":2,"\u00e9":["\ud83d\ude00",null,2.5]}`)
	if found, err := s.Exists(t.Context(), again.Key()); err != nil || found == e.stateless() {
		t.Errorf("Exists = %v, %v, want %v", found, err, !e.stateless())
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("Ready = %v, want nil", err)
	}
}

func testEngineStrangeKeys(t *testing.T, _ suiteEngine, s *sessionstore.Store) {
	for _, key := range []string{
		"", "short", "../../../../etc/passwd", "aaaaaaaa/../../x", strings.Repeat("a", 5000), "aaaa\x00aaaa", "aaaaaaaa\xff\xfe",
		"aaaa aaaa aaaa", "aaaaaaaa\r\nget x", "ééééééééé", "*********", strings.Repeat("a", 40), "aaaaaaaaaaaa",
	} {
		session, err := s.Load(t.Context(), key)
		if err != nil || session.Key() != "" || session.Len() > 0 {
			t.Errorf("Load(%.20q) = %v, %v, want an empty session", key, session, err)
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete(%.20q) = %v, want nil", key, err)
		}
		if found, err := s.Exists(t.Context(), key); err != nil || found {
			t.Errorf("Exists(%.20q) = %v, %v, want false", key, found, err)
		}
	}
}

func testEngineTaken(t *testing.T, _ suiteEngine, s *sessionstore.Store) {
	session := saved(t, s, "a", int64(1))
	other := djangocompat.NewSession(session.Key(), djangocompat.SessionData{}, s)
	other.Set("a", int64(2))
	if _, err := s.Save(t.Context(), other, djangocompat.MustCreate); !errors.Is(err, djangocompat.ErrSessionExists) {
		t.Errorf("Save = %v, want ErrSessionExists", err)
	}
	wantJSON(t, load(t, s, session.Key()).Data(), `{"a":1}`)
}

func testEngineCycles(t *testing.T, _ suiteEngine, s *sessionstore.Store) {
	session := saved(t, s, "a", int64(1))
	old := session.Key()
	if err := session.CycleKey(t.Context()); err != nil || session.Key() == old {
		t.Fatalf("CycleKey = %v, want another key", err)
	}
	wantJSON(t, load(t, s, session.Key()).Data(), `{"a":1}`)
	if left := load(t, s, old); left.Key() != "" {
		t.Error("the old key has a session still")
	}
}

func testEngineFlushes(t *testing.T, _ suiteEngine, s *sessionstore.Store) {
	session := saved(t, s, "a", int64(1))
	key := session.Key()
	_ = load(t, s, key) // so that whatever remembers it does
	if err := session.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := load(t, s, key); left.Key() != "" {
		t.Error("it loads still")
	}
	if found, err := s.Exists(t.Context(), key); err != nil || found {
		t.Errorf("Exists = %v, %v, want false", found, err)
	}
}

func testEngineNoReturn(t *testing.T, _ suiteEngine, s *sessionstore.Store) {
	for range 60 {
		key := saved(t, s, "a", int64(1)).Key()
		late := load(t, s, key)
		late.Set("a", int64(2))
		var all sync.WaitGroup
		all.Go(func() {
			if err := late.Save(t.Context()); err != nil && !errors.Is(err, djangocompat.ErrSessionGone) && !errors.Is(err, sessionstore.ErrConflict) {
				t.Errorf("Save = %v, want nil or ErrSessionGone", err)
			}
		})
		all.Go(func() {
			if err := s.Delete(t.Context(), key); err != nil {
				t.Errorf("Delete = %v", err)
			}
		})
		all.Go(func() { _, _ = s.Load(t.Context(), key) }) // which may fill a cache
		all.Wait()
		if found, err := s.Exists(t.Context(), key); err != nil || found {
			t.Fatalf("Exists = %v, %v, want false", found, err)
		}
		if back := load(t, s, key); back.Key() != "" {
			t.Fatal("the session is back")
		}
	}
}

func testEngineNoLoss(t *testing.T, _ suiteEngine, s *sessionstore.Store) {
	const writers, each = 4, 8
	key := saved(t, s, "a", int64(1)).Key()
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				session, err := s.Load(t.Context(), key)
				if err != nil {
					t.Errorf("Load = %v", err)
					return
				}
				session.Set(fmt.Sprintf("w%d.%d", w, i), int64(i))
				for err = session.Save(t.Context()); errors.Is(err, sessionstore.ErrConflict); { // it says so, and may be tried again
					err = session.Save(t.Context())
				}
				if err != nil {
					t.Errorf("Save = %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	if got := load(t, s, key).Len(); got != 1+writers*each {
		t.Errorf("%d values, want %d", got, 1+writers*each)
	}
}

func testEngineHuge(t *testing.T, e suiteEngine, _ *sessionstore.Store) {
	if e.corrupt == nil {
		return // the others share their storage with one that has it
	}
	cfg := e.cfg
	cfg.MaxSessionSize, cfg.Registerer = 64<<10, nil
	s := open(t, cfg)
	for name, value := range map[string]string{"huge": strings.Repeat("x", 700<<10), "broken": "}x"} {
		key := saved(t, s, "a", int64(1)).Key()
		e.corrupt(t, key, value)
		if got := load(t, s, key); got.Key() != "" || got.Len() > 0 {
			t.Errorf("what is %s loads as %d values, want an empty session", name, got.Len())
		}
		ours := djangocompat.NewSession(key, djangocompat.SessionData{}, s)
		ours.Set("a", int64(2))
		if err := ours.Save(t.Context()); !errors.Is(err, sessionstore.ErrConflict) {
			t.Errorf("Save over what is %s = %v, want ErrConflict", name, err)
		}
	}
	big := load(t, s, "")
	big.Set("a", strings.Repeat("random", 64<<10))
	if err := big.Save(t.Context()); e.cfg.SessionEngine == sessionstore.EngineCache && !errors.Is(err, djangocompat.ErrTooLarge) {
		t.Errorf("Save of what could not be read again = %v, want ErrTooLarge", err)
	}
}

func testEngineStorm(t *testing.T, e suiteEngine, s *sessionstore.Store) {
	var keys []string
	for range 5 {
		keys = append(keys, saved(t, s, "a", int64(1)).Key())
	}
	reg := e.cfg.Registerer.(*prometheus.Registry)
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			session, err := s.Load(t.Context(), keys[i%len(keys)])
			if err != nil || session.Len() != 1 {
				t.Errorf("Load = %v, want the session", err)
			}
		})
	}
	all.Wait()
	if e.cfg.SessionEngine == sessionstore.EngineFile {
		return // each reads its file
	}
	if n := queries(t, reg); n > 500 { // it is some dozens; how many depends on how quickly the goroutines come
		t.Errorf("%d questions for 1000 lookups of 5 sessions, want few", n)
	}
}

func testEngineExpiry(t *testing.T, e suiteEngine, s *sessionstore.Store) {
	session := load(t, s, "")
	session.Set("a", int64(1))
	session.SetExpiryAge(-time.Minute)
	if err := session.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := load(t, s, session.Key()).Has("a"); got != e.stateless() {
		t.Errorf("what has expired is there: %v, want %v", got, e.stateless())
	}
	if n, err := s.ClearExpired(t.Context()); err != nil || n < 0 {
		t.Errorf("ClearExpired = %d, %v", n, err)
	}
	if e.stateless() {
		return
	}
	if found, err := s.Exists(t.Context(), session.Key()); err != nil || found {
		t.Errorf("Exists after ClearExpired = %v, %v, want false", found, err)
	}
}
