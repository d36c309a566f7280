package sessionstore_test

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

func TestMetrics(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		reg := prometheus.NewRegistry()
		b.addUser(t, 1, "alice", cheap("wonderland"), true)
		cfg := b.config()
		cfg.Registerer = reg
		cfg.Passwords.Iterations = 2
		s, err := sessionstore.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		session := logIn(t, s, 1)
		for _, key := range []string{session.Key(), "asessionkeyofnobody", "short"} {
			if _, err := s.User(t.Context(), load(t, s, key)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Authenticate(t.Context(), "alice", "wonderland"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Authenticate(t.Context(), "alice", "x"); err == nil {
			t.Fatal("a wrong password was right")
		}
		b.exec(t, "UPDATE django_session SET session_data = 'x:y:z'")
		load(t, s, session.Key())
		session.Set("a", int64(1))
		if err := session.Save(t.Context()); err == nil {
			t.Fatal("a session that cannot be read was written over")
		}
		problems, err := testutil.GatherAndLint(reg)
		if err != nil || len(problems) > 0 {
			t.Errorf("lint: %v, %v", problems, err)
		}
		want := `# HELP sessions_database_up 1 if the database answers.
# TYPE sessions_database_up gauge
sessions_database_up 1
# HELP sessions_loaded_total Sessions loaded, by result.
# TYPE sessions_loaded_total counter
sessions_loaded_total{result="bad_signature"} 1
sessions_loaded_total{result="found"} 1
sessions_loaded_total{result="implausible"} 1
sessions_loaded_total{result="no_key"} 1
sessions_loaded_total{result="unknown"} 1
# HELP sessions_passwords_checked_total Names and passwords checked, by result.
# TYPE sessions_passwords_checked_total counter
sessions_passwords_checked_total{result="right"} 1
sessions_passwords_checked_total{result="wrong"} 1
# HELP sessions_saved_total Sessions saved, by result.
# TYPE sessions_saved_total counter
sessions_saved_total{result="conflict"} 1
sessions_saved_total{result="saved"} 1
# HELP sessions_users_checked_total Sessions whose user was looked for, by verdict.
# TYPE sessions_users_checked_total counter
sessions_users_checked_total{verdict="logged_in"} 1
sessions_users_checked_total{verdict="no_login"} 2
`
		err = testutil.GatherAndCompare(reg, strings.NewReader(want), "sessions_database_up", "sessions_loaded_total",
			"sessions_passwords_checked_total", "sessions_saved_total", "sessions_users_checked_total")
		if err != nil {
			t.Error(err)
		}
		t.Run("a second Store needs another registry", func(t *testing.T) {
			if second, err := sessionstore.Open(t.Context(), cfg); err == nil {
				second.Close()
				t.Error("Open = nil, want an error")
			}
		})
		s.Close()
		t.Run("Close takes the metrics away", func(t *testing.T) {
			if n, err := testutil.GatherAndCount(reg); n != 0 || err != nil {
				t.Errorf("%d metrics, %v, want none", n, err)
			}
		})
	})
}

// as is a DATABASE_URL with another user.
func as(url djangocompat.Secret, name, password string) djangocompat.Secret {
	text := url.Reveal()
	return djangocompat.NewSecret("postgres://" + name + ":" + password + text[strings.LastIndexByte(text, '@'):])
}

// TestPrivileges runs a Store with roles that may do little.
func TestPrivileges(t *testing.T) {
	b := postgresBed(t)
	b.addUser(t, 1, "alice", cheap("wonderland"), true)
	admin := open(t, b.config())
	key := logIn(t, admin, 1).Key()
	role := func(name, grants string) sessionstore.Config {
		b.exec(t, "DROP ROLE IF EXISTS "+name)
		b.exec(t, "CREATE ROLE "+name+" LOGIN PASSWORD 'role'; "+grants)
		t.Cleanup(func() {
			if err := run(context.Background(), b.owner, "DROP OWNED BY "+name+"; DROP ROLE "+name); err != nil {
				t.Error(err)
			}
		})
		cfg := b.config()
		cfg.DatabaseURL = as(b.url, name, "role")
		return cfg
	}
	t.Run("who may only read knows everybody and saves nothing", func(t *testing.T) {
		s := open(t, role("sessions_reader", "GRANT SELECT ON django_session, auth_user TO sessions_reader"))
		if u, err := s.User(t.Context(), load(t, s, key)); err != nil || u.Username != "alice" {
			t.Errorf("User = %v, %v, want alice", u, err)
		}
		err := saveOf(s, key, t.Context())
		if err == nil || !strings.Contains(err.Error(), "not permitted") {
			t.Errorf("Save = %v, want not permitted", err)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("Ready = %v after that, want nil", err)
		}
	})
	t.Run("who may change sessions and last_login can log in", func(t *testing.T) {
		s := open(t, role("sessions_writer", "GRANT SELECT ON auth_user TO sessions_writer; GRANT UPDATE (last_login) ON auth_user TO sessions_writer; "+
			"GRANT SELECT, INSERT, UPDATE, DELETE ON django_session TO sessions_writer"))
		session := logIn(t, s, 1)
		if err := session.CycleKey(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.Logout(t.Context(), session); err != nil {
			t.Error(err)
		}
	})
	t.Run("who may not read the users is not ready", func(t *testing.T) {
		s := open(t, role("sessions_blind", "GRANT SELECT ON django_session TO sessions_blind"))
		if err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "not permitted") {
			t.Errorf("Ready = %v, want not permitted", err)
		}
	})
}
