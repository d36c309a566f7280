package sessionstore_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/sessionstore"
)

// beside opens a connection to the bed's file as Django has one.
func beside(t testing.TB, b *bed) *sql.Conn {
	t.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(b.url.Reveal(), "sqlite:///")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = conn.Close(), db.Close() })
	return conn
}

func do(t testing.TB, conn *sql.Conn, sql string) {
	t.Helper()
	if _, err := conn.ExecContext(context.WithoutCancel(t.Context()), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// TestSQLiteWhileDjangoWrites reads and saves sessions while another connection writes without a pause.
func TestSQLiteWhileDjangoWrites(t *testing.T) {
	for _, journal := range []string{"DELETE", "WAL"} {
		t.Run(journal, func(t *testing.T) {
			b := sqliteBed(t)
			django := beside(t, b)
			do(t, django, "PRAGMA journal_mode="+journal)
			b.addUser(t, 1, "alice", cheap("wonderland"), true)
			s := open(t, b.config())
			key := logIn(t, s, 1).Key()
			var all, writer sync.WaitGroup
			done := make(chan struct{})
			writer.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-done:
						return
					default:
						do(t, django, "INSERT INTO django_session VALUES ('other' || hex(randomblob(10)), 'x', '2000-01-01 00:00:00')")
					}
				}
			})
			for w := range 4 {
				all.Go(func() {
					for i := range 50 {
						session, err := s.Load(t.Context(), key)
						if err != nil {
							t.Errorf("Load = %v", err)
							return
						}
						if u, err := s.User(t.Context(), session); err != nil || u.Username != "alice" {
							t.Errorf("User = %v, %v, want alice", u, err)
						}
						if w == 0 && i%10 == 0 {
							session.Set("i", int64(i))
							if err := session.Save(t.Context()); err != nil {
								t.Errorf("Save = %v", err)
							}
						}
					}
				})
			}
			all.Wait()
			close(done)
			writer.Wait()
		})
	}
}

func TestSQLiteLocked(t *testing.T) {
	b := sqliteBed(t)
	cfg := b.config()
	cfg.QueryTimeout = 300 * time.Millisecond
	s := open(t, cfg)
	key := saved(t, s, "a", int64(1)).Key()
	django := beside(t, b)
	t.Run("a lock that stays is ErrUnavailable", func(t *testing.T) {
		do(t, django, "BEGIN EXCLUSIVE")
		_, err := s.Load(t.Context(), key)
		if d, ok := errors.AsType[*sessionstore.DatabaseError](err); !ok || d.Fault != sessionstore.FaultLocked && d.Fault != sessionstore.FaultTimeout {
			t.Errorf("Load = %v, want FaultLocked or FaultTimeout", err)
		}
		if err := saveOf(s, key, t.Context()); !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Errorf("Save = %v, want ErrUnavailable", err)
		}
		do(t, django, "ROLLBACK")
	})
	t.Run("a lock that goes is waited for", func(t *testing.T) {
		reg := prometheus.NewRegistry()
		cfg.QueryTimeout, cfg.Registerer = time.Minute, reg
		s := open(t, cfg)
		do(t, django, "BEGIN EXCLUSIVE")
		var both sync.WaitGroup
		both.Go(func() {
			if session, err := s.Load(t.Context(), key); err != nil || session.Key() != key {
				t.Errorf("Load = %v", err)
			}
		})
		eventually(t, "Load has met the lock", func() bool { return gauge(t, reg, "sessions_database_connections_busy") > 0 })
		do(t, django, "COMMIT")
		both.Wait()
	})
}

// gauge returns the value of a gauge without labels.
func gauge(t testing.TB, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// TestSQLiteTimes writes and reads times as Django with and without USE_TZ does.
func TestSQLiteTimes(t *testing.T) {
	berlin := time.FixedZone("CEST", 2*60*60)
	tests := []struct {
		name     string
		location *time.Location
		now      time.Time
		want     string
	}{
		{"UTC with microseconds", nil, time.Date(2026, 1, 2, 3, 4, 5, 678_901_999, time.UTC), "2026-01-16 03:04:05.678901"},
		{"no fraction without microseconds", nil, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-16 03:04:05"},
		{"a fraction has six digits", nil, time.Date(2026, 1, 2, 3, 4, 5, 500_000_000, time.UTC), "2026-01-16 03:04:05.500000"},
		{"the site's own time without USE_TZ", berlin, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-16 05:04:05"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := sqliteBed(t)
			b.addUser(t, 1, "alice", cheap("wonderland"), true)
			cfg := b.config()
			cfg.Location, cfg.Now = tt.location, func() time.Time { return tt.now }
			s := open(t, cfg)
			session := logIn(t, s, 1)
			if got := b.value(t, "SELECT expire_date || '' FROM django_session"); got != tt.want {
				t.Errorf("expire_date = %q, want %q", got, tt.want)
			}
			u, err := s.User(t.Context(), load(t, s, session.Key()))
			if err != nil || !u.LastLogin.Equal(tt.now.Truncate(time.Microsecond)) {
				t.Errorf("User = %v, %v, want a last login at %v", u, err, tt.now)
			}
			cfg.Now = func() time.Time { return tt.now.Truncate(time.Microsecond).Add(14 * 24 * time.Hour) }
			if load(t, open(t, cfg), session.Key()).Key() != "" {
				t.Error("a session that expires now is alive")
			}
			cfg.Now = func() time.Time { return tt.now.Add(14*24*time.Hour - time.Millisecond) }
			if load(t, open(t, cfg), session.Key()).Key() == "" {
				t.Error("a session that expires in a millisecond is dead")
			}
		})
	}
}
