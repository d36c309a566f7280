package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/sessionstore"
)

func TestPostgresSites(t *testing.T) {
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52Data)
	s := readSite(t, "expect.json")
	for _, mode := range []string{
		sessionstore.ExecAuto, sessionstore.ExecCacheStatement, sessionstore.ExecCacheDescribe, sessionstore.ExecPlain,
	} {
		t.Run("mode "+mode, func(t *testing.T) {
			cfg := s.config(djangocompat.NewSecret(pgtest.Restricted(t, db.URL())))
			cfg.QueryExecMode = mode
			s.check(t, open(t, cfg))
		})
	}
	t.Run("over the unix socket", func(t *testing.T) {
		s.check(t, open(t, s.config(djangocompat.NewSecret(pgtest.Restricted(t, db.SocketURL())))))
	})
	t.Run("in a schema that is named", func(t *testing.T) {
		cfg := s.config(djangocompat.NewSecret(pgtest.Restricted(t, db.URL())))
		cfg.Schema = "public"
		s.check(t, open(t, cfg))
	})
	t.Run("with the tables of Django 3.2", func(t *testing.T) {
		db := pgtest.Open(t)
		pgtest.Schema(t, db, pgtest.Django32)
		b := postgresOf(t, db)
		store := open(t, b.config())
		b.addUser(t, 1, "alice", cheap("wonderland"), true)
		logIn(t, store, 1)
	})
}

// logIn returns a session of the user.
func logIn(t testing.TB, s *sessionstore.Store, pk int64) *djangocompat.Session {
	t.Helper()
	session := load(t, s, "")
	if err := s.Login(t.Context(), session, &djangocompat.User{PK: djangocompat.IntPK(pk)}); err != nil {
		t.Fatal(err)
	}
	return session
}

// TestPooler runs twenty workers through pgbouncer in transaction mode, which has two connections for them.
func TestPooler(t *testing.T) {
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	b := postgresOf(t, db)
	b.addUser(t, 1, "alice", cheap("wonderland"), true)
	url := djangocompat.NewSecret(pgtest.Bouncer(t, db, pgtest.TransactionPooling))
	for _, mode := range []string{sessionstore.ExecAuto, sessionstore.ExecCacheDescribe, sessionstore.ExecPlain} {
		t.Run("mode "+mode, func(t *testing.T) {
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					cfg := b.config()
					cfg.DatabaseURL, cfg.QueryExecMode, cfg.PoolSize = url, mode, 3
					s, err := sessionstore.Open(t.Context(), cfg)
					if err != nil {
						t.Error(err)
						return
					}
					defer s.Close()
					useSession(t, s)
				})
			}
			all.Wait()
		})
	}
}

// useSession logs alice in and out, with changes in between.
func useSession(t *testing.T, s *sessionstore.Store) {
	for i := range 10 {
		session, err := s.Load(t.Context(), "")
		if err != nil {
			t.Errorf("Load = %v", err)
			return
		}
		if err := s.Login(t.Context(), session, &djangocompat.User{PK: djangocompat.IntPK(1)}); err != nil {
			t.Errorf("Login = %v", err)
			return
		}
		session.Set("i", int64(i))
		if err := session.Save(t.Context()); err != nil {
			t.Errorf("Save = %v", err)
		}
		if err := session.CycleKey(t.Context()); err != nil {
			t.Errorf("CycleKey = %v", err)
		}
		again, err := s.Load(t.Context(), session.Key())
		if err != nil {
			t.Errorf("Load = %v", err)
			return
		}
		if u, err := s.User(t.Context(), again); err != nil || u.Username != "alice" {
			t.Errorf("User = %v, %v, want alice", u, err)
		}
		if err := s.Logout(t.Context(), again); err != nil {
			t.Errorf("Logout = %v", err)
		}
	}
}

// TestPoolerWithPreparedStatements shows what ExecAuto is for.
func TestPoolerWithPreparedStatements(t *testing.T) {
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	cfg := postgresOf(t, db).config()
	cfg.DatabaseURL = djangocompat.NewSecret(pgtest.Bouncer(t, db, pgtest.TransactionPooling))
	cfg.QueryExecMode = sessionstore.ExecCacheStatement
	first, second := open(t, cfg), open(t, cfg)
	failed := 0
	for range 20 {
		for _, s := range []*sessionstore.Store{first, second} {
			if _, err := s.Load(t.Context(), "asessionkeythatisnotthere"); err != nil {
				failed++
				if !errors.Is(err, sessionstore.ErrUnavailable) {
					t.Errorf("Load = %v, want ErrUnavailable", err)
				}
			}
		}
	}
	t.Logf("%d of 40 loads failed", failed)
	if failed == 0 {
		t.Error("no load failed: prepared statements have become safe behind a pooler; ExecAuto may use them")
	}
}

// eventually waits for what must become so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it has not become so that %s", what)
		}
	}
}

func TestDatabaseGoesAwayAndComesBack(t *testing.T) {
	cluster := pgtest.OpenCluster(t)
	db := cluster.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	b := postgresOf(t, db)
	b.addUser(t, 1, "alice", cheap("wonderland"), true)
	s := open(t, b.config())
	if err := s.Ready(t.Context()); err != nil {
		t.Fatalf("Ready = %v", err)
	}
	key := logIn(t, s, 1).Key()
	if err := cluster.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Load(t.Context(), key); !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Errorf("Load without a database = %v, want ErrUnavailable", err)
		}
	}
	if err := s.Ready(t.Context()); !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Errorf("Ready without a database = %v, want ErrUnavailable", err)
	}
	if err := saveOf(s, key, t.Context()); !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Errorf("Save without a database = %v, want ErrUnavailable", err)
	}
	t.Run("Open does not mind", func(t *testing.T) {
		late := open(t, b.config())
		if err := late.Ready(t.Context()); !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Errorf("Ready without a database = %v, want ErrUnavailable", err)
		}
		if err := cluster.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for _, store := range []*sessionstore.Store{s, late} {
			eventually(t, "the session loads again", func() bool {
				session, err := store.Load(t.Context(), key)
				return err == nil && session.Key() == key
			})
		}
		t.Logf("back after %v", time.Since(began))
		if u, err := late.User(t.Context(), load(t, late, key)); err != nil || u.Username != "alice" {
			t.Errorf("User = %v, %v, want alice", u, err)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("Ready = %v, want nil", err)
		}
	})
}

func saveOf(s *sessionstore.Store, key string, ctx context.Context) error {
	session := djangocompat.NewSession(key, djangocompat.SessionData{}, s)
	session.Set("a", int64(1))
	return session.Save(ctx)
}

// TestTerminatedConnections ends all connections of the Store again and again while it is used.
func TestTerminatedConnections(t *testing.T) {
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	b := postgresOf(t, db)
	b.addUser(t, 1, "alice", cheap("wonderland"), true)
	s := open(t, b.config())
	key := logIn(t, s, 1).Key()
	done := make(chan struct{})
	var loads, failed atomic.Int64
	var first atomic.Pointer[error]
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				session, err := s.Load(t.Context(), key)
				loads.Add(1)
				if err != nil {
					failed.Add(1)
					first.CompareAndSwap(nil, &err)
				}
				if err == nil && session.Key() == "" {
					t.Error("alice's session was taken for none")
				}
				if err != nil && !errors.Is(err, sessionstore.ErrUnavailable) {
					t.Errorf("Load = %v", err)
				}
			}
		})
	}
	for range 10 {
		b.value(t, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'belleville' AND datname = current_database()")
		eventually(t, "a session loads", func() bool { _, err := s.Load(t.Context(), key); return err == nil })
	}
	close(done)
	all.Wait()
	t.Logf("%d of %d loads failed", failed.Load(), loads.Load())
	if failed.Load() > 10 {
		t.Errorf("%d loads failed, want one each time at most; the first: %v", failed.Load(), *first.Load())
	}
}

func TestHugeRow(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		s := open(t, b.config())
		b.exec(t, "INSERT INTO django_session VALUES ($1, $2, $3)", "hugehugehuge", strings.Repeat("x", 8<<20), "2999-01-01 00:00:00")
		if session := load(t, s, "hugehugehuge"); session.Key() != "" || session.Len() != 0 {
			t.Errorf("a row of 8 MiB loads as %q with %d values", session.Key(), session.Len())
		}
		if err := saveOf(s, "hugehugehuge", t.Context()); !errors.Is(err, sessionstore.ErrConflict) {
			t.Errorf("Save = %v, want ErrConflict", err)
		}
	})
}

// TestStorm looks ten sessions and their users up a thousand times at once.
func TestStorm(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		b.addUser(t, 1, "alice", cheap("wonderland"), true)
		reg := prometheus.NewRegistry()
		cfg := b.config()
		cfg.Registerer = reg
		s := open(t, cfg)
		var keys []string
		for range 10 {
			keys = append(keys, logIn(t, s, 1).Key())
		}
		before := queries(t, reg)
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				session, err := s.Load(t.Context(), keys[i%len(keys)])
				if err != nil {
					t.Errorf("Load = %v", err)
					return
				}
				if u, err := s.User(t.Context(), session); err != nil || u.Username != "alice" {
					t.Errorf("User = %v, %v, want alice", u, err)
				}
			})
		}
		all.Wait()
		n := queries(t, reg) - before
		t.Logf("%d queries for 2000 lookups", n)
		if n > 1000 { // it is twenty or so where the goroutines come at once; without batches it would be 2000
			t.Errorf("%d queries for 2000 lookups of 10 sessions and a user, want few", n)
		}
	})
}

func TestImpossibleKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		reg := prometheus.NewRegistry()
		cfg := b.config()
		cfg.Registerer = reg
		s := open(t, cfg)
		for _, key := range []string{"", "short", strings.Repeat("x", 41), "nul\x00nul\x00nul", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"} {
			if session := load(t, s, key); session.Key() != "" {
				t.Errorf("Load(%q) has the key %q", key, session.Key())
			}
		}
		if n := queries(t, reg); n != 0 {
			t.Errorf("%d queries for impossible keys, want none", n)
		}
		for _, key := range []string{
			"'; DROP TABLE x; --", strings.Repeat("\U0001f600", 40), "{1,2,3,4,5}", `a"b\c"d\e`, "NULL NULL NULL",
		} {
			if session := load(t, s, key); session.Key() != "" {
				t.Errorf("Load(%q) has the key %q", key, session.Key())
			}
		}
		t.Run("a key with quotes finds its own row", func(t *testing.T) {
			key := `{"a",'b'} \ NULL`
			b.exec(t, "INSERT INTO django_session SELECT $1, session_data, expire_date FROM django_session WHERE session_key = $2", key, saved(t, s, "a", int64(1)).Key())
			if session := load(t, s, key); session.Key() != key {
				t.Errorf("Load(%q) has the key %q", key, session.Key())
			}
		})
	})
}

// TestOneBadKeyHarmsNobody asks a database that is not UTF-8 for a key that it cannot represent, together with
// others.
func TestOneBadKeyHarmsNobody(t *testing.T) {
	db := pgtest.Open(t)
	name := db.Name + "_latin1"
	db.Exec(t, "CREATE DATABASE "+name+" ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
	t.Cleanup(func() {
		if err := dropOther(db, name); err != nil {
			t.Error(err)
		}
	})
	owner := strings.Replace(db.URL(), "/"+db.Name+"?", "/"+name+"?", 1)
	makeTables(t, owner)
	cfg := sessionstore.Config{
		DatabaseURL: djangocompat.NewSecret(pgtest.Restricted(t, owner)),
		Keys:        djangocompat.NewKeys(secretKey), PoolSize: 1,
	}
	s := open(t, cfg)
	good := saved(t, s, "a", int64(1)).Key()
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			if i%2 == 0 {
				if session, err := s.Load(t.Context(), fmt.Sprintf("☃☃☃☃☃☃☃☃%d", i)); err != nil || session.Key() != "" {
					t.Errorf("Load of snow = %v", err)
				}
				return
			}
			if session, err := s.Load(t.Context(), good); err != nil || session.Key() != good {
				t.Errorf("Load of a good key beside snow = %v", err)
			}
		})
	}
	all.Wait()
}
