package cache_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belleville/belleville/internal/memcachetest"
	"github.com/belleville/belleville/internal/redistest"
	"github.com/belleville/belleville/sessionstore/cache"
	"github.com/belleville/belleville/sessionstore/cache/cachetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a cache that is closed with the test.
func open(t testing.TB, cfg cache.Config) cache.Cache {
	t.Helper()
	c, err := cache.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestCaches(t *testing.T) {
	redis, memcached := redistest.Open(t), memcachetest.Open(t)
	compressed := func(name string) cache.Options {
		return cache.Options{Compressor: "django_redis.compressors." + name}
	}
	tests := []struct {
		name string
		cfg  cache.Config
	}{
		{"Redis", cache.Config{Backend: cache.Redis, Location: []string{redis.URL()}}},
		{"Redis over a unix socket", cache.Config{Backend: cache.Redis, Location: []string{redis.SocketURL()}}},
		{"django-redis", cache.Config{Backend: cache.DjangoRedis, Location: []string{redis.URL()}}},
		{"django-redis with zlib", cache.Config{Backend: cache.DjangoRedis, Location: []string{redis.URL()}, Options: compressed("zlib.ZlibCompressor")}},
		{"django-redis with gzip", cache.Config{Backend: cache.DjangoRedis, Location: []string{redis.URL()}, Options: compressed("gzip.GzipCompressor")}},
		{"pymemcache", cache.Config{Backend: cache.PyMemcache, Location: []string{memcached.Address()}}},
		{"pylibmc", cache.Config{Backend: cache.PyLibMC, Location: []string{memcached.Address()}}},
		{"files", cache.Config{Backend: cache.FileBased}},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			cachetest.Run(t, func(t *testing.T) cache.Cache {
				cfg := tt.cfg
				n++
				cfg.KeyPrefix, cfg.MaxValue = fmt.Sprintf("test%d.%d", i, n), cachetest.MaxValue
				if cfg.Backend == cache.FileBased {
					cfg.Location = []string{filepath.Join(t.TempDir(), "cache")}
				}
				return open(t, cfg)
			})
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	redis := func(change func(*cache.Config)) cache.Config {
		c := cache.Config{Backend: cache.Redis, Location: []string{"redis://:canary@127.0.0.1:6379/1"}}
		change(&c)
		return c
	}
	at := func(backend string, location ...string) cache.Config {
		return cache.Config{Backend: backend, Location: location}
	}
	tests := []struct {
		name string
		cfg  cache.Config
		key  string
	}{
		{"no backend", cache.Config{}, "backend"},
		{"a backend of the site's own", at("mysite.Cache"), "backend"},
		{"the memory of one process", at("django.core.cache.backends.locmem.LocMemCache"), "backend"},
		{"a cache that keeps nothing", at("django.core.cache.backends.dummy.DummyCache"), "backend"},
		{"a client that Django dropped", at("django.core.cache.backends.memcached.MemcachedCache"), "backend"},
		{"no location", at(cache.Redis), "location"},
		{"another scheme", at(cache.Redis, "http://:canary@127.0.0.1"), "location"},
		{"a URL that is none", at(cache.DjangoRedis, "redis://:ca%ZZnary@127.0.0.1"), "location"},
		{"a database that is no number", at(cache.Redis, "redis://127.0.0.1/one"), "location"},
		{"a database below 0", at(cache.Redis, "redis://127.0.0.1/-1"), "location"},
		{"a socket without a path", at(cache.Redis, "unix://"), "location"},
		{"several servers of memcached", at(cache.PyMemcache, "a:1", "b:1"), "location"},
		{"several servers in one text", at(cache.PyLibMC, "a:1;b:1"), "location"},
		{"a URL of memcached", at(cache.PyLibMC, "memcached://canary@a"), "location"},
		{"no folder", at(cache.FileBased), "location"},
		{"two tables", at(cache.Database, "a", "b"), "location"},
		{"a key function", redis(func(c *cache.Config) { c.KeyFunction = "mysite.key" }), "key_function"},
		{"a version below 0", redis(func(c *cache.Config) { c.Version = -1 }), "version"},
		{"django-redis's options for Django's own", redis(func(c *cache.Config) { c.Options.Compressor = "x" }), "options"},
		{"options of memcached", cache.Config{Backend: cache.PyMemcache, Location: []string{"a:1"}, Options: cache.Options{Username: "canary"}}, "options"},
		{"another client", redis(func(c *cache.Config) { c.Backend, c.Options.ClientClass = cache.DjangoRedis, "x.HerdClient" }), "options.client_class"},
		{"another serializer", redis(func(c *cache.Config) { c.Backend, c.Options.Serializer = cache.DjangoRedis, "x.JSONSerializer" }), "options.serializer"},
		{"another compressor", redis(func(c *cache.Config) { c.Backend, c.Options.Compressor = cache.DjangoRedis, "x.Lz4" }), "options.compressor"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.cfg.Check()
			m, ok := errors.AsType[*cache.Mistake](err)
			if !ok || m.Key != tt.key || m.Problem == "" || m.Remedy == "" {
				t.Errorf("Check = %v, want a mistake in %s", err, tt.key)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("Check = %v, which shows a secret", err)
			}
			if _, err := cache.Open(tt.cfg); err == nil {
				t.Error("Open = nil, want an error")
			}
		})
	}
}

func TestCheckAccepts(t *testing.T) {
	for _, cfg := range []cache.Config{
		{Backend: cache.Redis, Location: []string{"redis://a:6379/1;redis://b:6379/1"}},
		{Backend: cache.DjangoRedis, Location: []string{"rediss://u:p%40@a", "redis://b"}},
		{Backend: cache.DjangoRedis, Location: []string{"unix://:p@/run/redis.sock?db=1"}},
		{Backend: cache.PyMemcache, Location: []string{"unix:/run/memcached.sock"}},
		{Backend: cache.PyLibMC, Location: []string{"/run/memcached.sock"}},
		{Backend: cache.PyMemcache, Location: []string{"cache.example.com"}},
		{Backend: cache.Redis, Location: []string{"redis://a"}, KeyFunction: "django.core.cache.backends.base.default_key_func"},
		{Backend: cache.Database, Location: []string{"django_cache"}},
	} {
		if err := cfg.Check(); err != nil {
			t.Errorf("Check of %s = %v, want nil", cfg.Backend, err)
		}
	}
}

// TestCacheAway kills a server: whoever asks gets ErrUnavailable, soon, and answers again when it is back.
func TestCacheAway(t *testing.T) {
	redis, memcached := redistest.Open(t), memcachetest.Open(t)
	tests := []struct {
		name  string
		cfg   cache.Config
		kill  func() error
		start func(context.Context) error
	}{
		{"Redis", cache.Config{Backend: cache.Redis, Location: []string{redis.URL()}}, redis.Kill, redis.Start},
		{"memcached", cache.Config{Backend: cache.PyMemcache, Location: []string{memcached.Address()}}, memcached.Kill, memcached.Start},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			late := open(t, tt.cfg)
			c := open(t, tt.cfg)
			if err := c.Set(t.Context(), "a", []byte(".1"), time.Hour); err != nil {
				t.Fatal(err)
			}
			if err := tt.kill(); err != nil {
				t.Fatal(err)
			}
			for name, do := range map[string]func(cache.Cache) error{
				"GetMany": func(c cache.Cache) error { _, err := c.GetMany(t.Context(), []string{"a"}); return err },
				"Add":     func(c cache.Cache) error { _, err := c.Add(t.Context(), "a", []byte(".1"), time.Hour); return err },
				"Swap": func(c cache.Cache) error {
					_, err := c.Swap(t.Context(), "a", cache.Entry{}, []byte(".1"), time.Hour)
					return err
				},
				"Set":    func(c cache.Cache) error { return c.Set(t.Context(), "a", []byte(".1"), time.Hour) },
				"Delete": func(c cache.Cache) error { return c.Delete(t.Context(), "a") },
			} {
				for _, c := range []cache.Cache{c, late} {
					if err := do(c); !errors.Is(err, cache.ErrUnavailable) {
						t.Errorf("%s = %v, want ErrUnavailable", name, err)
					}
				}
			}
			if err := tt.start(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, c := range []cache.Cache{c, late} {
				eventually(t, "the cache answers again", func() bool {
					_, err := c.GetMany(t.Context(), []string{"a"})
					return err == nil
				})
			}
		})
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// TestRefusedPassword has a password that the server does not take.
func TestRefusedPassword(t *testing.T) {
	redis := redistest.OpenWith(t, redistest.Config{Password: redistest.Password()})
	right := open(t, cache.Config{Backend: cache.Redis, Location: []string{redis.URL()}})
	if _, err := right.GetMany(t.Context(), []string{"a"}); err != nil {
		t.Errorf("GetMany with the password = %v, want nil", err)
	}
	for _, password := range []string{"", "canary"} {
		c := open(t, cache.Config{
			Backend: cache.DjangoRedis, Location: []string{fmt.Sprintf("redis://127.0.0.1:%d/0", redis.Port())},
			Options: cache.Options{Password: password},
		})
		_, err := c.GetMany(t.Context(), []string{"a"})
		e, ok := errors.AsType[*cache.Error](err)
		if !ok || e.Fault != cache.FaultAuthorization || strings.Contains(err.Error(), "canary") {
			t.Errorf("GetMany with another password = %v, want FaultAuthorization", err)
		}
	}
}

// TestHugeValues has values far beyond the bound.
func TestHugeValues(t *testing.T) {
	redis, memcached, dir := redistest.Open(t), memcachetest.Open(t), t.TempDir()
	huge := strings.Repeat("x", 16<<20)
	redis.DoRaw(t, "SET", ":1:a", huge)
	redis.Do(t, "RPUSH", ":1:list", "x")
	memcached.Store(t, ":1:a", 1, []byte(huge[:1<<19]))
	files := cache.Config{Backend: cache.FileBased, Location: []string{dir}, MaxValue: 4096}
	f := open(t, files)
	if err := f.Set(t.Context(), "a", []byte(".1"), time.Hour); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.djcache"))
	if err != nil || len(names) != 1 {
		t.Fatalf("files = %v, %v, want one", names, err)
	}
	if err := os.WriteFile(names[0], []byte(huge), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []cache.Config{
		{Backend: cache.Redis, Location: []string{redis.URL()}, MaxValue: 4096},
		{Backend: cache.PyMemcache, Location: []string{memcached.Address()}, MaxValue: 4096},
		files,
	} {
		found, err := open(t, cfg).GetMany(t.Context(), []string{"a", "list"})
		if err != nil || !errors.Is(found["a"].Err, cache.ErrTooLarge) || len(found["a"].Value) > 0 {
			t.Errorf("%s: GetMany = %v, %v, want ErrTooLarge", cfg.Backend, found["a"].Err, err)
		}
		if cfg.Backend == cache.Redis && !errors.Is(found["list"].Err, cache.ErrMalformed) {
			t.Errorf("a list = %v, want ErrMalformed", found["list"].Err)
		}
	}
}
