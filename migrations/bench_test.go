package migrations_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/migrations"
)

// What Django does, as scripts of pgbench; each statement is a transaction, as in Django.
var workloads = []struct{ name, script string }{
	{"save", `\set i random(1, 1000)
\set k random(1, 1000000000)
UPDATE django_session SET session_data = repeat('x', 300) || :k, expire_date = now() + interval '14 days' WHERE session_key = lpad(:i::text, 32, '0');
`},
	{"login_logout", `\set i random(1, 1000)
\set k random(1000000, 1000000000000)
INSERT INTO django_session VALUES (lpad(:k::text, 32, '0'), repeat('x', 300), now() + interval '14 days') ON CONFLICT DO NOTHING;
UPDATE auth_user SET last_login = now() WHERE id = :i;
DELETE FROM django_session WHERE session_key = lpad(:k::text, 32, '0');
`},
	{"user", `\set i random(1, 1000)
\set k random(1, 1000000000)
UPDATE auth_user SET first_name = 'n' || :k WHERE id = :i;
`},
}

// BenchmarkTriggers measures what the triggers cost Django: the transactions a second that pgbench gets, without
// them, with those of live_sessions, and with that of live_sessions_updates too, in turn in one run. The database
// writes to disk as a site's does, and somebody listens. Run it with -benchtime=1x.
func BenchmarkTriggers(b *testing.B) {
	programs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
	if len(programs) == 0 {
		parts.Need(b, "pgbench", fmt.Errorf("%w: pgbench (Debian's package postgresql)", parts.ErrMissing))
	}
	db := siteOnDisk(b)
	conn, err := pgx.Connect(b.Context(), db.URL())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(b.Context()))
	sets := liveSets(b, conn, djangoTables)
	listen(b, db)
	for _, w := range workloads {
		script := filepath.Join(b.TempDir(), w.name+".sql")
		if err := os.WriteFile(script, []byte(w.script), 0o600); err != nil {
			b.Fatal(err)
		}
		for _, writers := range []int{1, 16} {
			for n, state := range []string{"no_triggers", "live_sessions", "live_sessions_updates"} {
				b.Run(fmt.Sprintf("%s/writers=%d/%s", w.name, writers, state), func(b *testing.B) {
					install(b, conn, sets, n)
					tps := 0.0
					for b.Loop() {
						tps = run(b, programs[len(programs)-1], script, db.URL(), writers)
					}
					b.ReportMetric(tps, "transactions/s")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}

// siteOnDisk is a database with Django's tables and a thousand users and sessions, which is written to disk.
func siteOnDisk(b *testing.B) *pgtest.Database {
	b.Helper()
	db := pgtest.OpenCluster(b).Open(b)
	pgtest.Schema(b, db, pgtest.Django52)
	for _, sql := range []string{"ALTER SYSTEM SET fsync = on", "ALTER SYSTEM SET full_page_writes = on", "SELECT pg_reload_conf()"} {
		db.Exec(b, sql)
	}
	db.Exec(b, `INSERT INTO auth_user (id, username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)
SELECT i, 'user' || i, 'secret', false, '', '', '', false, true, now() FROM generate_series(1, 1000) i;
INSERT INTO django_session SELECT lpad(i::text, 32, '0'), repeat('x', 300), now() + interval '14 days' FROM generate_series(1, 1000) i;`)
	return db
}

// listen listens as belleville does.
func listen(b *testing.B, db *pgtest.Database) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), db.URL())
	if err != nil {
		b.Fatal(err)
	}
	if _, err := conn.Exec(b.Context(), "LISTEN belleville_live"); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := conn.WaitForNotification(ctx); err != nil {
				return
			}
		}
	}()
	b.Cleanup(func() { cancel(); <-done; _ = conn.Close(context.Background()) })
}

// install makes the first n sets, and removes the others.
func install(b *testing.B, conn *pgx.Conn, sets []migrations.Set, n int) {
	b.Helper()
	for i, s := range sets {
		do := migrations.Down
		if i < n {
			do = migrations.Up
		}
		if err := do(b.Context(), conn, s); err != nil {
			b.Fatal(err)
		}
	}
}

// run runs pgbench for three seconds, and returns its transactions a second.
func run(b *testing.B, program, script, url string, writers int) float64 {
	b.Helper()
	args := []string{"--no-vacuum", "--protocol=prepared", "--time=3", "--file=" + script, "--client=" + strconv.Itoa(writers), "--jobs=" + strconv.Itoa(min(writers, 2)), url}
	out, err := exec.CommandContext(b.Context(), program, args...).CombinedOutput()
	m := regexp.MustCompile(`tps = ([0-9.]+)`).FindSubmatch(out)
	if err != nil || m == nil {
		b.Fatalf("pgbench: %v\n%s", err, out)
	}
	tps, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return tps
}
