package pgtest_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/internal/pgtest"
)

func TestOpen(t *testing.T) {
	first, second := pgtest.Open(t), pgtest.Open(t)

	t.Run("a fresh database has no tables", func(t *testing.T) {
		const count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
		if got := first.Value(t, count); got != int64(0) {
			t.Errorf("%d tables, want 0", got)
		}
	})
	t.Run("databases do not see each other's tables", func(t *testing.T) {
		first.Exec(t, "CREATE TABLE mine (n int); INSERT INTO mine VALUES (1), (2)")
		if got := first.Value(t, "SELECT sum(n) FROM mine WHERE n > $1", 0); got != int64(3) {
			t.Errorf("sum in the first database = %v, want 3", got)
		}
		if got := second.Value(t, "SELECT to_regclass('mine')::text"); got != nil {
			t.Errorf("the second database has %v, want no such table", got)
		}
	})
	t.Run("databases share one cluster", func(t *testing.T) {
		if a, b := host(t, first.URL()), host(t, second.URL()); a != b {
			t.Errorf("clusters at %s and %s, want one", a, b)
		}
	})
	t.Run("the unix socket leads to the same database", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), first.SocketURL())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		var name string
		if err := conn.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil || name != first.Name {
			t.Errorf("database = %q, %v, want %q", name, err, first.Name)
		}
	})
	t.Run("a wrong password is refused", func(t *testing.T) {
		u, err := url.Parse(first.URL())
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(u.User.Username(), "wrong")
		if conn, err := pgx.Connect(t.Context(), u.String()); err == nil {
			t.Errorf("connected, want an error; closing: %v", conn.Close(t.Context()))
		}
	})
}

func TestOpenDropsItsDatabase(t *testing.T) {
	var name string
	t.Run("a test", func(t *testing.T) { name = pgtest.Open(t).Name })
	if got := pgtest.Open(t).Value(t, "SELECT count(*) FROM pg_database WHERE datname = $1", name); got != int64(0) {
		t.Errorf("%v databases called %s after the test, want none", got, name)
	}
}

func host(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func TestClusterStopsAndStarts(t *testing.T) {
	c := pgtest.OpenCluster(t)
	d := c.Open(t)
	d.Exec(t, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
	conn, err := pgx.Connect(t.Context(), d.URL())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("an open connection lives after Stop, want it broken")
	}
	if _, err := pgx.Connect(t.Context(), d.URL()); err == nil {
		t.Error("a connection was accepted after Stop, want it refused")
	}
	if err := c.Stop(t.Context()); err == nil {
		t.Error("a second Stop() = nil, want an error")
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := d.Value(t, "SELECT n FROM kept"); got != int32(7) {
		t.Errorf("after Start, at the same URL, n = %v, want 7", got)
	}
}

func TestClusterCloseLeavesNothing(t *testing.T) {
	tests := []struct {
		name   string
		before func(context.Context, *pgtest.Cluster) error
	}{
		{"a running cluster", func(context.Context, *pgtest.Cluster) error { return nil }},
		{"a stopped cluster", func(ctx context.Context, c *pgtest.Cluster) error { return c.Stop(ctx) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pgtest.Open(t) // skips where there is no PostgreSQL
			temporary := passableDir(t)
			t.Setenv("TMPDIR", temporary)
			c, err := pgtest.NewCluster(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(tt.before(t.Context(), c), c.Close(t.Context())); err != nil {
				t.Fatal(err)
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("left in the temporary folder: %v, %v, want nothing", left, err)
			}
			if _, err := pgx.Connect(t.Context(), c.URL("postgres")); err == nil {
				t.Error("a connection was accepted after Close, want it refused")
			}
		})
	}
}

// TestClusterEndsWithItsProcess runs this test binary again, as a process that opens a database and is then killed.
func TestClusterEndsWithItsProcess(t *testing.T) {
	if os.Getenv("PGTEST_VICTIM") != "" {
		pgtest.Open(t)
		os.Stdout.WriteString("open\n")
		select {} // until killed
	}
	pgtest.Open(t) // skips where there is no PostgreSQL
	temporary := passableDir(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestClusterEndsWithItsProcess$")
	cmd.Env = append(os.Environ(), "PGTEST_VICTIM=yes", "TMPDIR="+temporary)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // also where the test fails half-way
	word := make([]byte, len("open\n"))
	if _, err := out.Read(word); err != nil || string(word) != "open\n" {
		t.Fatalf("the process said %q, %v, want \"open\"", word, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	waitUntil(t, "the cluster's folder is gone", func() bool {
		left, err := filepath.Glob(filepath.Join(temporary, "pgtest-*"))
		return err == nil && len(left) == 0
	})
}

// passableDir is a temporary folder like /tmp: unlike t.TempDir, PostgreSQL's user may enter and write.
func passableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "passable-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("waited 30 s in vain until %s", what)
		}
	}
}

func TestSchema(t *testing.T) {
	tests := []struct {
		site  pgtest.Site
		users int64
	}{
		{pgtest.Django32, 0},
		{pgtest.Django52, 0},
		{pgtest.Django52Data, 7},
	}
	for _, tt := range tests {
		t.Run(string(tt.site), func(t *testing.T) {
			d := pgtest.Open(t)
			pgtest.Schema(t, d, tt.site)
			if got := d.Value(t, "SELECT count(*) FROM auth_user"); got != tt.users {
				t.Errorf("%v users, want %d", got, tt.users)
			}
			d.Value(t, "SELECT count(*) FROM django_session WHERE session_key = $1 AND expire_date > now()", "x")
		})
	}
}

func TestBouncer(t *testing.T) {
	d := pgtest.Open(t)
	tests := []struct {
		mode    pgtest.PoolMode
		allowed bool
	}{
		{pgtest.SessionPooling, true},
		{pgtest.TransactionPooling, true},
		{pgtest.StatementPooling, false},
	}
	for _, tt := range tests {
		t.Run(string(tt.mode), func(t *testing.T) {
			u := pgtest.Bouncer(t, d, tt.mode)
			config, err := pgx.ParseConfig(u)
			if err != nil {
				t.Fatal(err)
			}
			config.DefaultQueryExecMode = pgx.QueryExecModeExec
			conn, err := pgx.ConnectConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context())
			var name string
			if err := conn.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil || name != d.Name {
				t.Errorf("database = %q, %v, want %q", name, err, d.Name)
			}
			_, err = conn.Exec(t.Context(), "BEGIN")
			if allowed := err == nil; allowed != tt.allowed {
				t.Errorf("a transaction in this mode: %v, want allowed %v", err, tt.allowed)
			}
		})
	}
	t.Run("clients share the cluster's connections", func(t *testing.T) {
		u := pgtest.Bouncer(t, d, pgtest.TransactionPooling)
		pids := make(map[uint32]bool)
		for range 5 {
			conn, err := pgx.Connect(t.Context(), u+"&default_query_exec_mode=exec")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context())
			var pid uint32
			if err := conn.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
				t.Fatal(err)
			}
			pids[pid] = true
		}
		if len(pids) > 2 {
			t.Errorf("5 clients used %d connections, want at most 2", len(pids))
		}
	})
}

func TestErrorsNeverHoldThePassword(t *testing.T) {
	c := pgtest.OpenCluster(t)
	u, err := url.Parse(c.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = c.CreateDatabase(t.Context(), "any")
	if err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("CreateDatabase() on a stopped cluster = %v, want an error without the password", err)
	}
}
