package sessionstore_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/memcachetest"
	"github.com/belleville/belleville/internal/redistest"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/sessionstore/cache"
)

// visitors is how many sessions the benchmarks look up in turns.
const visitors = 1000

// benchmark opens a Store of a thousand sessions of as many users.
func benchmark(b *testing.B, bed *bed) (*sessionstore.Store, []string, *prometheus.Registry) {
	b.Helper()
	reg := prometheus.NewRegistry()
	cfg := bed.config()
	cfg.Registerer = reg
	s := open(b, cfg)
	keys := make([]string, visitors)
	for i := range keys {
		bed.addUser(b, i+1, fmt.Sprintf("user%d", i), cheap("wonderland"), true)
	}
	for i := range keys {
		session := load(b, s, "")
		session.Set("cart", []any{int64(i), "a book about gypsy jazz", "a book about Django"})
		if err := s.Login(b.Context(), session, &djangocompat.User{PK: djangocompat.IntPK(int64(i + 1))}); err != nil {
			b.Fatal(err)
		}
		keys[i] = session.Key()
	}
	return s, keys, reg
}

// queries returns how many batched queries were sent.
func queries(b testing.TB, reg *prometheus.Registry) uint64 {
	b.Helper()
	families, err := reg.Gather()
	if err != nil {
		b.Fatal(err)
	}
	var n uint64
	for _, f := range families {
		if f.GetName() == "sessions_batch_keys" {
			for _, m := range f.GetMetric() {
				n += m.GetHistogram().GetSampleCount()
			}
		}
	}
	return n
}

// recognise loads a session and its user.
func recognise(b *testing.B, s *sessionstore.Store, key string) {
	session, err := s.Load(b.Context(), key)
	if err != nil {
		b.Error(err)
		return
	}
	if u, err := s.User(b.Context(), session); err != nil || u.IsAnonymous() {
		b.Errorf("User = %v, %v", u, err)
	}
}

func BenchmarkRecognise(b *testing.B) {
	for name, make := range map[string]func(testing.TB) *bed{"SQLite": sqliteBed, "PostgreSQL": postgresBed} {
		b.Run(name, func(b *testing.B) {
			s, keys, reg := benchmark(b, make(b))
			b.Run("one at a time", func(b *testing.B) {
				before, i := queries(b, reg), 0
				b.ReportAllocs()
				for b.Loop() {
					recognise(b, s, keys[i%visitors])
					i++
				}
				b.ReportMetric(float64(queries(b, reg)-before)/float64(b.N), "queries/op")
			})
			b.Run("64 at a time", func(b *testing.B) {
				before := queries(b, reg)
				b.ReportAllocs()
				b.SetParallelism(32) // times GOMAXPROCS, which is 2 where the figures come from
				b.RunParallel(func(pb *testing.PB) {
					for i := rand.N(visitors); pb.Next(); i++ {
						recognise(b, s, keys[i%visitors])
					}
				})
				b.ReportMetric(float64(queries(b, reg)-before)/float64(b.N), "queries/op")
			})
		})
	}
}

// BenchmarkLoadByEngine loads one session from each engine.
func BenchmarkLoadByEngine(b *testing.B) {
	redis, memcached := redistest.Open(b), memcachetest.Open(b)
	for name, cfg := range map[string]sessionstore.Config{
		"cache_redis":     {SessionEngine: sessionstore.EngineCache, SessionCache: cache.Config{Backend: cache.Redis, Location: []string{redis.SocketURL()}}},
		"cache_memcached": {SessionEngine: sessionstore.EngineCache, SessionCache: cache.Config{Backend: cache.PyMemcache, Location: []string{memcached.Address()}}},
		"file":            {SessionEngine: sessionstore.EngineFile, SessionFilePath: b.TempDir()},
		"signed_cookies":  {SessionEngine: sessionstore.EngineSignedCookies},
	} {
		b.Run(name, func(b *testing.B) {
			cfg.Keys = djangocompat.NewKeys(secretKey)
			s := open(b, cfg)
			key := saved(b, s, "_auth_user_id", "7", "_auth_user_backend", sessionstore.ModelBackend, "cart", []any{int64(1), "x"}).Key()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Load(b.Context(), key); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
