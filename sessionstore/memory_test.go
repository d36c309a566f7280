package sessionstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/migrations"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/sessionstore/changes"

	"github.com/jackc/pgx/v5"
)

// remembering is a Store that remembers while it hears of changes, and what it has heard of.
type remembering struct {
	*sessionstore.Store
	reg   *prometheus.Registry
	heard chan changes.Kind
	stop  func() // hearing
}

// withMemory opens a Store that remembers. On PostgreSQL there are the triggers of the sets that are named.
func withMemory(t *testing.T, cfg sessionstore.Config) *remembering {
	t.Helper()
	r := &remembering{reg: prometheus.NewRegistry(), heard: make(chan changes.Kind, 1000)}
	cfg.CacheAge, cfg.Registerer = time.Minute, r.reg
	r.Store = open(t, cfg)
	l, err := r.Changes(changes.Config{ProbeInterval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	r.Remember(l)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- l.Run(ctx, func(c changes.Change) {
			r.Changed(c)
			r.heard <- c.Kind
		})
	}()
	ended := false
	r.stop = func() {
		if !ended {
			ended = true
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(r.stop)
	r.hears(t)
	return r
}

// hears waits until it has heard of one more change.
func (r *remembering) hears(t *testing.T) {
	t.Helper()
	select {
	case <-r.heard:
	case <-time.After(20 * time.Second):
		t.Fatal("it hears of nothing")
	}
}

// remembered returns how many lookups of a kind were remembered.
func (r *remembering) remembered(t *testing.T, kind string) float64 {
	t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "sessions_remembered_total" && m.GetLabel()[0].GetValue() == kind && m.GetLabel()[1].GetValue() == "hit" {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// triggers makes the triggers of the sets live_sessions and, with saves, live_sessions_updates.
func triggers(t *testing.T, db *pgtest.Database, sets int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), db.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	all, err := migrations.LiveSets(t.Context(), conn, migrations.LiveTables{
		Sessions: "django_session", Users: "auth_user", PK: "id", Columns: []string{"password", "is_active"},
	})
	for _, s := range all[:sets] {
		if err == nil {
			err = migrations.Up(t.Context(), conn, s)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// memoryBed is a database in which a user is logged in.
func memoryBed(t *testing.T, sets int) (*bed, sessionstore.Config, string) {
	t.Helper()
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	triggers(t, db, sets)
	b := postgresOf(t, db)
	return b, b.config(), loggedIn(t, b)
}

// loggedIn logs a user in, and returns the session key.
func loggedIn(t *testing.T, b *bed) string {
	t.Helper()
	b.exec(t, `INSERT INTO auth_user (id, username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)
VALUES (7, 'alice', 'pbkdf2_sha256$1$a$b', false, '', '', '', false, true, '2026-01-01 00:00:00')`)
	s := open(t, b.config())
	session, err := s.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Login(t.Context(), session, &djangocompat.User{PK: djangocompat.IntPK(7)}); err != nil {
		t.Fatal(err)
	}
	return session.Key()
}

// whoIs returns the name of the user of a session.
func whoIs(t *testing.T, s *sessionstore.Store, key string) string {
	t.Helper()
	u, err := s.User(t.Context(), load(t, s, key))
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

func TestWhatIsHeardOfIsRemembered(t *testing.T) {
	tests := []struct {
		name            string
		sets            int
		sessions, users float64 // lookups of the second handshake that ask nobody
	}{
		{"with the trigger of saves, sessions and users", 2, 1, 1},
		{"without it users alone", 1, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, cfg, key := memoryBed(t, tt.sets)
			s := withMemory(t, cfg)
			for range 2 {
				if got := whoIs(t, s.Store, key); got != "alice" {
					t.Errorf("the user is %q, want alice", got)
				}
			}
			if got := s.remembered(t, "session"); got != tt.sessions {
				t.Errorf("%v sessions were remembered, want %v", got, tt.sessions)
			}
			if got := s.remembered(t, "user"); got != tt.users {
				t.Errorf("%v users were remembered, want %v", got, tt.users)
			}
		})
	}
}

func TestNothingThatHasChangedIsRemembered(t *testing.T) {
	tests := []struct {
		name string
		sql  string
		want string
	}{
		{"a session that was deleted", "DELETE FROM django_session", ""},
		{"a session that was saved", "UPDATE django_session SET session_data = 'x'", ""},
		{"a user who was deleted", "DELETE FROM auth_user", ""},
		{"a user who was made inactive", "UPDATE auth_user SET is_active = false", ""},
		{"a password that was changed", "UPDATE auth_user SET password = 'another'", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, cfg, key := memoryBed(t, 2)
			s := withMemory(t, cfg)
			whoIs(t, s.Store, key)
			b.exec(t, tt.sql)
			s.hears(t)
			if got := whoIs(t, s.Store, key); got != tt.want {
				t.Errorf("the user is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWhatIsChangedHereIsForgottenAtOnce(t *testing.T) {
	_, cfg, key := memoryBed(t, 2)
	s := withMemory(t, cfg)
	whoIs(t, s.Store, key)
	if err := s.Logout(t.Context(), load(t, s.Store, key)); err != nil {
		t.Fatal(err)
	}
	if got := whoIs(t, s.Store, key); got != "" { // whether or not the notification has come
		t.Errorf("the user is %q, want nobody", got)
	}
}

func TestNothingIsRememberedThatIsNotHeardOf(t *testing.T) {
	b, cfg, key := memoryBed(t, 2)
	s := withMemory(t, cfg)
	whoIs(t, s.Store, key)
	s.stop()
	b.exec(t, "DELETE FROM django_session")
	if got := whoIs(t, s.Store, key); got != "" {
		t.Errorf("the user is %q, want nobody", got)
	}
}

func TestASessionIsNotRememberedBeyondItsEnd(t *testing.T) {
	b, cfg, key := memoryBed(t, 2)
	b.exec(t, "UPDATE django_session SET expire_date = now() + '30 seconds'") // CacheAge is a minute
	s := withMemory(t, cfg)
	whoIs(t, s.Store, key)
	whoIs(t, s.Store, key)
	if got := s.remembered(t, "session"); got != 0 {
		t.Errorf("%v sessions were remembered, want none", got)
	}
}
