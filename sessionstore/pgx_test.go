package sessionstore_test

import (
	"context"
	"errors"
	"os"
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

// dropOther drops a database that a test made beside its own.
func dropOther(db *pgtest.Database, name string) error {
	return run(context.Background(), db.URL(), "DROP DATABASE "+name+" WITH (FORCE)")
}

// makeTables makes Django's tables of sessions and users.
func makeTables(t testing.TB, url djangocompat.Secret) {
	t.Helper()
	schema, err := os.ReadFile("testdata/pg_small.sql")
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), url.Reveal(), string(schema)); err != nil {
		t.Fatal(err)
	}
}
