package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/belleville/belleville/internal/pgtest"
)

// killPostmaster kills the cluster of a database with SIGKILL, and returns when all of it is gone.
func killPostmaster(t *testing.T, db *pgtest.Database) {
	t.Helper()
	dir, _ := db.Value(t, "SELECT current_setting('data_directory')").(string)
	text, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	must(t, err)
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	must(t, err)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
}

// TestF01 kills Postgres under open sockets and starts it again.
func TestF01(t *testing.T) {
	cluster := pgtest.OpenCluster(t)
	s := openSite(t, cluster.Open(t))
	s.migrate("up", "live_sessions")
	b := serve(t, s.db.URL(), "BELLEVILLE_LIVE_TRIGGERS=required")
	logins := s.logins("u", size(1000, 50), 1, 24*time.Hour)
	c, in := enter(t, b.addr, logins, 10)
	t.Log(in)
	everybody := func(*login) bool { return true }
	n, memory := len(c.sockets), b.memory()
	killPostmaster(t, s.db)
	k := knock(b.addr, "/ws/room/", logins, 50)
	pass(size(5*time.Second, 2*time.Second))
	all, failed, otherwise := k.stop()
	start := func() error { return cluster.Start(t.Context()) }
	for err := start(); err != nil; err = start() { // what is left of the old one is just ending
		pass(100 * time.Millisecond)
	}
	back := time.Now()
	ended := logins[:5] // before the server listens again, as like as not
	for _, l := range ended {
		s.db.Exec(t, "DELETE FROM django_session WHERE session_key = $1", l.Key)
		l.cause = "deleted"
	}
	most := s.watchConnections()
	after := knock(b.addr, "/ws/room/", logins[5:], 100)
	waitUntil(t, "a handshake succeeds", func() bool { after.mu.Lock(); defer after.mu.Unlock(); return !after.lastIn.IsZero() })
	first := time.Since(back)
	checked := waitUntil(t, "the sockets of the sessions that ended are closed", func() bool {
		return c.open(func(l *login) bool { return l.cause != "" }) == 0
	})
	after.stop()
	peak := most()
	want := n - 10*len(ended)
	row(t, c.open(everybody) == want && otherwise == 0, "F01", fmt.Sprintf("Postgres killed under %d sockets", n),
		fmt.Sprintf("%d of %d sockets open; %d of %d handshakes failed meanwhile, %d of them otherwise than with 503 and Retry-After", c.open(everybody), want, failed, all, otherwise), "none lost, none refused otherwise")
	row(t, first <= size(time.Second, 10*time.Second), "F01", "the first good handshake after Postgres accepts", seconds(first), "1 s in full")
	row(t, checked <= size(5*time.Second, 20*time.Second), "F01", "sessions that were deleted before it was listened again", "sockets closed after "+seconds(checked), "5 s in full")
	row(t, peak <= poolSize+1 && b.memory() <= memory*11/10+16, "F01", "peak", fmt.Sprintf("%d Postgres connections; %d MiB, and %d MiB before", peak, b.memory(), memory), fmt.Sprintf("%d connections, 10 %% and 16 MiB more memory", poolSize+1))
}

// TestF02 terminates the server's connections again and again, under handshakes.
func TestF02(t *testing.T) {
	s := openSite(t, pgtest.Open(t))
	logins := s.logins("u", 100, 1, 24*time.Hour)
	b := serve(t, s.db.URL())
	k := knock(b.addr, "/ws/room/", logins, 200)
	terminated := int64(0)
	for range size(30, 3) {
		pass(time.Second)
		n, _ := s.db.Value(t, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'belleville' AND datname = current_database()").(int64)
		terminated += n
	}
	all, failed, otherwise := k.stop()
	row(t, terminated > 0 && float64(failed) <= 0.005*float64(all) && otherwise == 0, "F02", fmt.Sprintf("%d backends terminated, once a second, under 200 handshakes a second", terminated),
		fmt.Sprintf("%d of %d failed, %d of them otherwise than with 503 and Retry-After; p99 %s", failed, all, otherwise, seconds(k.p99())), "0.5 %, each with 503 and Retry-After")
}

// TestF10 takes all connections that Postgres has, and gives some back.
func TestF10(t *testing.T) {
	cluster := pgtest.OpenCluster(t)
	s := openSite(t, cluster.Open(t))
	logins := s.logins("u", 50, 1, 24*time.Hour)
	b := serve(t, s.db.URL(), "BELLEVILLE_LIVE_TRIGGERS=off")
	held := takeAll(t, s.db)
	_, err := held[0].Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'belleville'")
	must(t, err)
	for full := false; !full; {
		conn, err := pgx.Connect(t.Context(), s.db.URL())
		if full = isFull(err); full {
			break
		}
		must(t, err)
		held = append(held, conn)
	}
	k := knock(b.addr, "/ws/room/", logins, 50)
	pass(size(5*time.Second, time.Second))
	all, failed, otherwise := k.stop()
	row(t, failed > 0 && otherwise == 0, "F10", fmt.Sprintf("all %d connections of Postgres are taken", len(held)), fmt.Sprintf("%d of %d handshakes failed, %d of them otherwise than with 503 and Retry-After", failed, all, otherwise), "503 and Retry-After")
	for _, conn := range held[len(held)-10:] {
		must(t, conn.Close(t.Context()))
	}
	freed := time.Now()
	again := knock(b.addr, "/ws/room/", logins, 50)
	waitUntil(t, "a handshake succeeds", func() bool { again.mu.Lock(); defer again.mu.Unlock(); return !again.lastIn.IsZero() })
	back := time.Since(freed)
	pass(time.Second)
	again.stop()
	var n int
	must(t, held[0].QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'belleville'").Scan(&n))
	row(t, back <= size(time.Second, 10*time.Second) && n <= poolSize, "F10", "ten of them are free again", fmt.Sprintf("the first handshake after %s, %d connections", seconds(back), n), fmt.Sprintf("1 s in full, %d connections", poolSize))
}

// takeAll opens connections until there are no more. They end with the test.
func takeAll(t *testing.T, db *pgtest.Database) []*pgx.Conn {
	t.Helper()
	var held []*pgx.Conn
	for {
		conn, err := pgx.Connect(t.Context(), db.URL())
		if isFull(err) {
			return held
		}
		must(t, err)
		t.Cleanup(func() { _ = conn.Close(context.Background()) }) // it may be closed
		held = append(held, conn)
	}
}

// isFull reports whether Postgres has no more connections.
func isFull(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "53300"
}

// TestF11 locks the table of users, so that every query of it hangs.
func TestF11(t *testing.T) {
	s := openSite(t, pgtest.Open(t))
	s.migrate("up", "live_sessions")
	s.migrate("up", "live_sessions_updates")
	b := serve(t, s.db.URL(), "BELLEVILLE_LIVE_TRIGGERS=required", "BELLEVILLE_LIVE_CACHE_AGE=1m")
	logins := s.logins("u", 100, 1, 24*time.Hour)
	known, unknown := logins[:50], logins[50:]
	c, _ := enter(t, b.addr, known, 2)
	conn, err := pgx.Connect(t.Context(), s.db.URL())
	must(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err = conn.Exec(t.Context(), "BEGIN; LOCK TABLE auth_user IN ACCESS EXCLUSIVE MODE")
	must(t, err)
	kinds := map[string]*knocking{
		"remembered":  knock(b.addr, "/ws/room/", known, 20),
		"unknown":     knock(b.addr, "/ws/room/", unknown, 20),
		"who need no": knock(b.addr, "/ws/anyone/", []*login{nil}, 20),
	}
	stop := publish(t, b.addr, known[0], 100*time.Millisecond)
	pass(size(30*time.Second, 4*time.Second))
	heard := 0
	for _, k := range c.sockets {
		if _, _, _, newest := k.end(); time.Since(time.UnixMilli(newest)) < 2*time.Second {
			heard++
		}
	}
	stop()
	figures := make(map[string][3]int)
	for name, k := range kinds {
		all, failed, otherwise := k.stop()
		figures[name] = [3]int{all, failed, otherwise}
	}
	_, err = conn.Exec(t.Context(), "ROLLBACK")
	must(t, err)
	again := knock(b.addr, "/ws/room/", unknown, 50)
	back := waitUntil(t, "a handshake succeeds", func() bool { again.mu.Lock(); defer again.mu.Unlock(); return !again.lastIn.IsZero() })
	again.stop()
	u := kinds["unknown"]
	ok := figures["remembered"][1] == 0 && figures["who need no"][1] == 0 && figures["unknown"][2] == 0 && heard == len(c.sockets)
	row(t, ok, "F11", "auth_user is locked",
		fmt.Sprintf("%d of %d sockets heard on; handshakes failed: %d of %d of users who are remembered (p99 %s), %d of %d that need no user, %d of %d of others (p99 %s), %d of them otherwise than with 503",
			heard, len(c.sockets), figures["remembered"][1], figures["remembered"][0], seconds(kinds["remembered"].p99()), figures["who need no"][1], figures["who need no"][0],
			figures["unknown"][1], figures["unknown"][0], seconds(u.p99()), figures["unknown"][2]),
		"those who need no query are unaffected, others get 503")
	row(t, u.p99() <= size(2500*time.Millisecond, 10*time.Second) && back <= size(2*time.Second, 10*time.Second), "F11", "who waits", fmt.Sprintf("503 after %s (p99); in again %s after the lock was gone", seconds(u.p99()), seconds(back)), "2.5 s; 2 s in full")
}
