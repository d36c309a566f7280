package sessionstore_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/pgtest"
)

// run runs SQL in the database at url.
func run(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return errors.Join(conn.PgConn().Exec(ctx, sql).Close(), conn.Close(ctx))
}

// side is a connection to a database beside the Store's. It is made anew when the server has broken it.
type side struct {
	url string

	mu   sync.Mutex // guards conn, and is held while it is used
	conn *pgx.Conn
}

// use calls do with the connection.
func (s *side) use(ctx context.Context, do func(*pgx.Conn) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil || s.conn.IsClosed() {
		conn, err := pgx.Connect(ctx, s.url)
		if err != nil {
			return err
		}
		s.conn = conn
	}
	return do(s.conn)
}

func (s *side) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil
	}
	return s.conn.Close(context.Background())
}

// postgresOf is the bed of a database that has Django's tables. The Store has the role of docs/operations.md; what
// stands for other programs owns the tables.
func postgresOf(t testing.TB, db *pgtest.Database) *bed {
	t.Helper()
	s := &side{url: db.URL()}
	t.Cleanup(func() { _ = s.close() }) // the server may be gone
	return &bed{
		url: djangocompat.NewSecret(pgtest.Restricted(t, db.URL())), owner: db.URL(),
		exec: func(t testing.TB, sql string, args ...any) {
			t.Helper()
			err := s.use(t.Context(), func(conn *pgx.Conn) error {
				if len(args) == 0 {
					return conn.PgConn().Exec(t.Context(), sql).Close()
				}
				_, err := conn.Exec(t.Context(), sql, args...)
				return err
			})
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		},
		value: func(t testing.TB, sql string) any {
			t.Helper()
			var v any
			err := s.use(t.Context(), func(conn *pgx.Conn) error { return conn.QueryRow(t.Context(), sql).Scan(&v) })
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			return v
		},
	}
}

// dropOther drops a database that a test made beside its own.
func dropOther(db *pgtest.Database, name string) error {
	return run(context.Background(), db.URL(), "DROP DATABASE "+name+" WITH (FORCE)")
}

// makeTables makes Django's tables of sessions and users.
func makeTables(t testing.TB, url string) {
	t.Helper()
	schema, err := os.ReadFile("testdata/pg_small.sql")
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), url, string(schema)); err != nil {
		t.Fatal(err)
	}
}
