package chaos_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/pgtest"
)

// through returns the URL of a database by way of a proxy, and the proxy.
func through(t *testing.T, databaseURL string) (string, *proxy) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	must(t, err)
	p := startProxy(t, u.Host)
	u.Host = p.listener.Addr().String()
	return u.String(), p
}

// TestF07 cuts the connection over which it is heard that sessions end, in three ways. Fifty sessions end meanwhile.
func TestF07(t *testing.T) {
	tests := []struct {
		name  string
		cut   func(*proxy)
		limit time.Duration
	}{
		{"reset", func(p *proxy) { p.reset() }, size(100*time.Millisecond, 5*time.Second)},
		{"packets are dropped", func(p *proxy) { p.silence() }, size(10*time.Second, 20*time.Second)},
		{"a proxy accepts and swallows", func(p *proxy) { p.silence(); p.swallow() }, size(10*time.Second, 20*time.Second)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := openSite(t, pgtest.Open(t))
			s.migrate("up", "live_sessions")
			listenURL, p := through(t, pgtest.Restricted(t, s.db.URL()))
			b := serve(t, s.db.URL(), "BELLEVILLE_DATABASE_LISTEN_URL="+listenURL, "BELLEVILLE_LIVE_TRIGGERS=required", "BELLEVILLE_LIVE_RECHECK_INTERVAL=1h")
			logins := s.logins("u", 60, 1, 24*time.Hour)
			c, _ := enter(t, b.addr, logins, 1)
			lost := func() bool { return b.metric("changes_lost_total", "") > 0 }
			began := time.Now()
			tt.cut(p)
			for _, l := range logins[:50] {
				l.cause = "deleted"
			}
			s.db.Exec(t, "DELETE FROM django_session WHERE session_key = ANY($1)", keysOf(logins[:50]))
			waitUntil(t, "it is noticed", lost)
			noticed := time.Since(began)
			p.heal()
			healed := time.Now()
			waitUntil(t, "all ended sessions are closed", func() bool { return c.open(func(l *login) bool { return l.cause != "" }) == 0 })
			stay := c.open(func(l *login) bool { return l.cause == "" })
			row(t, noticed <= tt.limit && stay == 10, "F07", "the connection that LISTENs: "+tt.name,
				fmt.Sprintf("noticed after %s; 50 of 50 sessions that ended meanwhile found, %s after it was healed; %d of 10 others open", seconds(noticed), seconds(time.Since(healed)), stay),
				fmt.Sprintf("%v; none hidden", tt.limit))
		})
	}
}

func keysOf(logins []*login) []string {
	keys := make([]string, len(logins))
	for i, l := range logins {
		keys[i] = l.Key
	}
	return keys
}

// TestF08 starts a server whose connection that is to LISTEN leads to a pooler.
func TestF08(t *testing.T) {
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	(&site{t: t, db: db}).migrate("up", "live_sessions")
	b := prepare(t, pgtest.Bouncer(t, db, pgtest.TransactionPooling))
	began := time.Now()
	b.run("serve")
	err := b.command.Wait()
	took := time.Since(began)
	said, readErr := os.ReadFile(b.log)
	must(t, readErr)
	row(t, err != nil && strings.Contains(string(said), "a pooler stands in between") && took <= size(3500*time.Millisecond, 10*time.Second), "F08", "serve behind pgbouncer in transaction mode",
		"refused after "+seconds(took)+", start of the program included; the reason named", "3 s to find out, and the start")
}

// TestF09 asks for sessions through a pooler in transaction mode, as twenty at a time.
func TestF09(t *testing.T) {
	s := openSite(t, pgtest.Open(t))
	s.migrate("up", "live_sessions")
	logins := s.logins("u", size(2000, 200), 1, 24*time.Hour)
	b := serve(t, pgtest.Bouncer(t, s.db, pgtest.TransactionPooling), "BELLEVILLE_DATABASE_LISTEN_URL="+pgtest.Restricted(t, s.db.URL()), "BELLEVILLE_LIVE_TRIGGERS=required", "BELLEVILLE_LIVE_RECHECK_INTERVAL=1s")
	_, in := enter(t, b.addr, logins, 1)
	pass(3 * time.Second) // re-checks go the same way
	faults := b.metric("sessions_database_errors_total", "")
	row(t, len(in.refused) == 0 && faults == 0, "F09", fmt.Sprintf("%d sessions through pgbouncer in transaction mode, at once, and re-checks", len(logins)), fmt.Sprintf("%v; %d queries, %.0f errors", in, b.queries(), faults), "none fails")
}

// TestF20Postgres changes the address that a name leads to, while what is at the old one has gone.
func TestF20Postgres(t *testing.T) {
	s := openSite(t, pgtest.Open(t))
	u, err := url.Parse(pgtest.Restricted(t, s.db.URL()))
	must(t, err)
	old := startProxy(t, u.Host)
	_, port, err := net.SplitHostPort(old.listener.Addr().String())
	must(t, err)
	next := startProxyAt(t, "127.0.0.2:"+port, u.Host)
	u.Host = net.JoinHostPort(renamed, port)
	logins := s.logins("u", 50, 1, 24*time.Hour)
	b := prepare(t, u.String(), "BELLEVILLE_LIVE_TRIGGERS=off")
	lead := ownHosts(t, b)
	lead("127.0.0.1")
	b.start()
	enter(t, b.addr, logins[:1], 1)
	must(t, old.listener.Close())
	old.cut()
	lead("127.0.0.2")
	began := time.Now()
	k := knock(b.addr, "/ws/room/", logins, 20)
	waitUntil(t, "a handshake succeeds", func() bool { k.mu.Lock(); defer k.mu.Unlock(); return !k.lastIn.IsZero() })
	back := time.Since(began)
	all, failed, otherwise := k.stop()
	row(t, back <= 10*time.Second && otherwise == 0 && next.accepted() > 0, "F20", "the name of Postgres leads to another address", fmt.Sprintf("in again after %s, over the new address; %d of %d failed before, %d otherwise than with 503", seconds(back), failed, all, otherwise), "10 s: Go keeps what /etc/hosts says for 5 s")
}
