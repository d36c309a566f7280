package pgtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/internal/parts"
)

// cleaning is how long a test's clean-up may take.
const cleaning = time.Minute

// shared starts the cluster of this process's tests, once. It is the package's one variable, for a test has no
// other place to leave something for the next one. Nobody closes the cluster: its guard does when the process ends.
var shared = sync.OnceValues(func() (*Cluster, error) { return NewCluster(context.Background()) })

// databases numbers the databases of this process.
var databases atomic.Int64

// A Database is an empty database for one test, which ends with the test.
type Database struct {
	// Name is its name in the cluster.
	Name string

	cluster *Cluster
}

// Open makes a fresh database in the cluster that all tests of the process share. Without PostgreSQL it skips the
// test, or fails it in CI.
func Open(t testing.TB) *Database {
	t.Helper()
	c, err := shared()
	parts.Need(t, "PostgreSQL", err)
	d := c.Open(t)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleaning)
		defer cancel()
		c.refuseOwner(t, d.Name)
		if err := errors.Join(c.DropDatabase(ctx, d.Name), c.dropRole(ctx, d.Name)); err != nil {
			t.Error(err)
		}
	})
	return d
}

// OpenCluster makes a cluster that belongs to the test alone, which may stop and start it. Without PostgreSQL it
// skips the test, or fails it in CI.
func OpenCluster(t testing.TB) *Cluster {
	t.Helper()
	c, err := NewCluster(t.Context())
	parts.Need(t, "PostgreSQL", err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleaning)
		defer cancel()
		c.refuseOwner(t, "")
		if err := c.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Open makes a fresh database in the cluster.
func (c *Cluster) Open(t testing.TB) *Database {
	t.Helper()
	d := &Database{Name: fmt.Sprintf("test_%d", databases.Add(1)), cluster: c}
	if err := c.CreateDatabase(t.Context(), d.Name); err != nil {
		t.Fatal(err)
	}
	return d
}

// URL names the database over TCP, as in postgres://user:password@127.0.0.1:5432/name.
func (d *Database) URL() string { return d.cluster.URL(d.Name) }

// SocketURL names the database over the cluster's unix socket.
func (d *Database) SocketURL() string { return d.cluster.SocketURL(d.Name) }

// Exec runs sql in the database: one statement with args, or any number of statements without.
func (d *Database) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	err := d.connected(t.Context(), func(conn *pgx.Conn) error {
		if len(args) == 0 {
			return conn.PgConn().Exec(t.Context(), sql).Close()
		}
		_, err := conn.Exec(t.Context(), sql, args...)
		return err
	})
	if err != nil {
		t.Fatalf("run SQL: %v", err)
	}
}

// Value is the one value that a query gives, as pgx decodes it. It fails the test when there is no row.
func (d *Database) Value(t testing.TB, sql string, args ...any) any {
	t.Helper()
	var value any
	err := d.connected(t.Context(), func(conn *pgx.Conn) error {
		return conn.QueryRow(t.Context(), sql, args...).Scan(&value)
	})
	if err != nil {
		t.Fatalf("query: %v", err)
	}
	return value
}

func (d *Database) connected(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, d.URL())
	if err != nil {
		return err
	}
	return errors.Join(do(conn), conn.Close(ctx))
}
