package sessionstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/sessionstore"
)

// TestTablesChange takes the tables away while the Store is used, as a migration may, and brings them back.
func TestTablesChange(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		b.addUser(t, 1, "alice", cheap("wonderland"), true)
		s := open(t, b.config())
		key := logIn(t, s, 1).Key()
		alice := func() bool {
			session, err := s.Load(t.Context(), key)
			if err != nil {
				return false
			}
			u, err := s.User(t.Context(), session)
			return err == nil && u.Username == "alice"
		}
		for _, table := range []string{"django_session", "auth_user"} {
			b.exec(t, "ALTER TABLE "+table+" RENAME TO elsewhere")
			eventually(t, "nobody is known", func() bool { return !alice() })
			eventually(t, "the Store is not ready", func() bool { return errors.Is(s.Ready(t.Context()), sessionstore.ErrUnavailable) })
			b.exec(t, "ALTER TABLE elsewhere RENAME TO "+table)
			eventually(t, "alice is known again", alice)
		}
		t.Run("a column of another type does not last", func(t *testing.T) {
			b.exec(t, "ALTER TABLE auth_user ADD COLUMN further integer")
			b.exec(t, "ALTER TABLE auth_user DROP COLUMN last_name")
			eventually(t, "alice is known", alice)
		})
	})
}

// TestLockedUsers holds a lock on the user table: who is only to be loaded does not wait for it.
func TestLockedUsers(t *testing.T) {
	b := postgresBed(t)
	b.addUser(t, 1, "alice", cheap("wonderland"), true)
	cfg := b.config()
	cfg.QueryTimeout = 500 * time.Millisecond
	s := open(t, cfg)
	key := logIn(t, s, 1).Key()
	conn, err := pgx.Connect(t.Context(), b.owner)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE auth_user IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	session := load(t, s, key)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			began := time.Now()
			_, err := s.User(t.Context(), session)
			if !errors.Is(err, sessionstore.ErrUnavailable) || time.Since(began) > 5*cfg.QueryTimeout {
				t.Errorf("User = %v after %v, want ErrUnavailable when the time is over", err, time.Since(began))
			}
		})
		all.Go(func() {
			if again, err := s.Load(t.Context(), key); err != nil || again.Key() != key {
				t.Errorf("Load beside the lock = %v", err)
			}
		})
	}
	all.Wait()
	eventually(t, "ready, since the sessions can be read", func() bool { return s.Ready(t.Context()) == nil })
	if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "alice is known again", func() bool {
		u, err := s.User(t.Context(), session)
		return err == nil && u.Username == "alice"
	})
}

// TestFullServer lets somebody else take all the connections.
func TestFullServer(t *testing.T) {
	b := postgresBed(t)
	b.exec(t, "DROP ROLE IF EXISTS sessions_one")
	b.exec(t, "CREATE ROLE sessions_one LOGIN PASSWORD 'role' CONNECTION LIMIT 1; GRANT SELECT ON django_session, auth_user TO sessions_one")
	t.Cleanup(func() {
		if err := run(context.Background(), b.owner, "DROP OWNED BY sessions_one; DROP ROLE sessions_one"); err != nil {
			t.Error(err)
		}
	})
	cfg := b.config()
	cfg.DatabaseURL = as(b.url, "sessions_one", "role")
	other, err := pgx.Connect(t.Context(), cfg.DatabaseURL.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, cfg)
	err = s.Ready(t.Context())
	if d, ok := errors.AsType[*sessionstore.DatabaseError](err); !ok || d.Fault != sessionstore.FaultFull || d.Code != "53300" {
		t.Errorf("Ready = %v, want FaultFull", err)
	}
	if err := other.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a session can be looked for", func() bool { _, err := s.Load(t.Context(), "asessionkeyofnobody"); return err == nil })
}
