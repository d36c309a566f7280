package pglayer_test

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/pglayer"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/pgtest"
)

// awaitState waits until a layer is ready or not, and returns how long that took.
func awaitState(t *testing.T, l *pglayer.Layer, ready bool) time.Duration {
	t.Helper()
	start := time.Now()
	ticks := time.NewTicker(2 * time.Millisecond)
	defer ticks.Stop()
	for (l.Ready(t.Context()) == nil) != ready {
		if time.Since(start) > 40*time.Second {
			t.Fatalf("ready is %t after %v, want %t", !ready, time.Since(start), ready)
		}
		<-ticks.C
	}
	return time.Since(start)
}

// metric returns the sum of the series of a metric.
func metric(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	must(t, err)
	sum := 0.0
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// TestF07 is that row of the table of faults.
func TestF07(t *testing.T) {
	tests := []struct {
		name  string
		cut   func(*testing.T, *pgtest.Database, *proxy)
		limit time.Duration // until it is noticed
	}{
		{"the connection that listens is terminated", func(t *testing.T, d *pgtest.Database, _ *proxy) {
			d.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")
		}, soon()},
		{"connections are reset", func(_ *testing.T, _ *pgtest.Database, p *proxy) { p.reset() }, soon()},
		{"packets are dropped", func(_ *testing.T, _ *pgtest.Database, p *proxy) { p.stall(make(chan struct{})) }, 8 * time.Second},
		{"everything is accepted and swallowed", func(_ *testing.T, _ *pgtest.Database, p *proxy) { p.swallowAll() }, 8 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // it waits most of the time
			d := site(t)
			p, through := startProxy(t, role(t, d))
			reg := prometheus.NewRegistry()
			c := at(through)
			c.Registerer, c.ConnectTimeout = reg, 0
			l, other := open(t, c), open(t, at(role(t, d)))
			name, q := channel(t, l, "room")
			must(t, other.GroupSend(t.Context(), "room", said(1)))
			want(t, q, said(1))
			start := time.Now()
			tt.cut(t, d, p)
			var sending sync.WaitGroup
			sending.Go(func() {
				for n := range 50 {
					if err := other.GroupSend(t.Context(), "room", said(100+n)); err != nil {
						t.Error(err)
					}
				}
			})
			noticed := awaitNoticed(t, reg, start)
			sending.Wait()
			p.unstall()
			back := awaitState(t, l, true)
			came, e := 0, next(t, q)
			for ; e.Type() != channellayer.GapType; e = next(t, q) { // those that were still heard
				came++
			}
			row(t, noticed <= tt.limit && came <= 50, "F07", tt.name, fmt.Sprintf("noticed after %v, back %v later; %d of 50 came, the gap was told", noticed, back, came),
				fmt.Sprint("noticed within ", tt.limit, "; every gap told"))
			must(t, other.GroupSend(t.Context(), "room", said(2)))
			for e = next(t, q); e["n"] != int64(2); e = next(t, q) { // what came after the connection was back, before it was ready
			}
			must(t, other.Send(t.Context(), name, said(3)))
			want(t, q, said(3))
			if gaps := metric(t, reg, "pglayer_gaps_total"); gaps != 1 {
				t.Errorf("%v gaps were counted, want 1", gaps)
			}
		})
	}
}

// awaitNoticed waits until a layer has counted a loss, and returns how long that was after start.
func awaitNoticed(t *testing.T, reg *prometheus.Registry, start time.Time) time.Duration {
	t.Helper()
	ticks := time.NewTicker(2 * time.Millisecond)
	defer ticks.Stop()
	for metric(t, reg, "pglayer_connections_lost_total") == 0 {
		if time.Since(start) > 40*time.Second {
			t.Fatal("the loss was not noticed")
		}
		<-ticks.C
	}
	return time.Since(start)
}

// soon is within what a cut is noticed: in the full table of faults, and on a busy machine.
func soon() time.Duration {
	if os.Getenv("BELLEVILLE_CHAOS") == "full" {
		return 100 * time.Millisecond
	}
	return 3 * time.Second
}

// TestF08 is that row of the table of faults.
func TestF08(t *testing.T) {
	d := site(t)
	for _, mode := range []pgtest.PoolMode{pgtest.TransactionPooling, pgtest.StatementPooling} {
		t.Run(string(mode)+" pooling is found out", func(t *testing.T) {
			c := pglayer.Config{Database: pglayer.Database{URL: djangocompat.NewSecret(pgtest.Bouncer(t, d, mode))}}
			start := time.Now()
			l, err := pglayer.New(t.Context(), c)
			if err == nil {
				t.Fatal(errors.Join(errors.New("New succeeded, want a DeafError"), l.Close()))
			}
			if _, deaf := errors.AsType[*pglayer.DeafError](err); !deaf || !strings.Contains(err.Error(), "pgbouncer") {
				t.Errorf("New: %v, want a DeafError that names pgbouncer", err)
			}
			took := time.Since(start)
			row(t, took <= 3*time.Second, "F08", string(mode)+" pooling", fmt.Sprint("refused and named after ", took), "3s")
		})
	}
	t.Run("session pooling works", func(t *testing.T) {
		c := at(pgtest.Bouncer(t, d, pgtest.SessionPooling))
		c.PoolSize = 1 // the pooler has two connections
		l, other := open(t, c), open(t, at(role(t, d)))
		_, q := channel(t, l, "room")
		must(t, other.GroupSend(t.Context(), "room", said(1)))
		want(t, q, said(1))
	})
}

func TestRefused(t *testing.T) {
	d := site(t)
	empty := pgtest.Open(t)
	with := func(edit func(*url.URL)) string {
		u, err := url.Parse(role(t, d))
		must(t, err)
		edit(u)
		return u.String()
	}
	const secret = "canary-4711"
	untriggered := site(t)
	untriggered.Exec(t, "DROP TRIGGER channels_postgres_notify_trigger ON channels_postgres_message")
	tests := []struct {
		name string
		url  string
		want string
	}{
		{"a wrong password", with(func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), secret) }), "password is wrong"},
		{"an unknown user", with(func(u *url.URL) { u.User = url.UserPassword(secret, secret) }), "password is wrong"},
		{"an unknown database", with(func(u *url.URL) { u.Path = "/" + secret }), "no database of that name"},
		{"a database without the tables", role(t, empty), "manage.py migrate channels_postgres"},
		{"a table without the trigger", role(t, untriggered), "the trigger"},
		{"a URL of another kind", "redis://:" + secret + "@h", "URL is none"},
		{"an option that libpq does not know", role(t, d) + "&sslrootcert=/" + secret + "&sslmode=verify-full", "option"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := pglayer.New(t.Context(), at(tt.url))
			if err == nil {
				t.Fatal(errors.Join(errors.New("New succeeded"), l.Close()))
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("New: %v, want an error with %q and without the secret", err, tt.want)
			}
		})
	}
}

func TestPostgresAwayAtTheStart(t *testing.T) {
	cluster := pgtest.OpenCluster(t)
	d := cluster.Open(t)
	install(t, d.URL())
	c := at(role(t, d))
	must(t, cluster.Stop(t.Context()))
	l := open(t, c)
	if err := l.Ready(t.Context()); !errors.Is(err, pglayer.ErrUnavailable) {
		t.Errorf("Ready: %v, want ErrUnavailable", err)
	}
	name, q := channel(t, l)
	if err := l.GroupAdd(t.Context(), "room", name); !errors.Is(err, pglayer.ErrUnavailable) {
		t.Errorf("GroupAdd: %v, want ErrUnavailable", err)
	}
	if err := l.GroupSend(t.Context(), "room", said(1)); !errors.Is(err, pglayer.ErrUnavailable) {
		t.Errorf("GroupSend: %v, want ErrUnavailable", err)
	}
	must(t, cluster.Start(t.Context()))
	awaitState(t, l, true)
	want(t, q, channellayer.Event{"type": channellayer.GapType})
	must(t, l.GroupAdd(t.Context(), "room", name))
	must(t, l.GroupSend(t.Context(), "room", said(2)))
	want(t, q, said(2))
}

// TestF31 is that row of the table of faults: equal notifications of one transaction are one, to Postgres.
func TestF31(t *testing.T) {
	d := site(t)
	l, other := open(t, at(role(t, d))), open(t, at(role(t, d)))
	_, q := channel(t, l, "room")
	var sending sync.WaitGroup
	for range 100 { // which go together, as they come while others are under way
		sending.Go(func() { must(t, other.GroupSend(t.Context(), "room", said(7))) })
	}
	sending.Wait()
	for range 100 {
		want(t, q, said(7))
	}
	must(t, other.GroupSend(t.Context(), "room", said(8)))
	want(t, q, said(8))
	name := "SELECT channel FROM channels_postgres_groupchannel LIMIT 1"
	d.Exec(t, "INSERT INTO channels_postgres_message (channel, message, expire) SELECT ("+name+"), decode('82a474797065a473616964a16e07', 'hex'), now() + interval '1 minute' FROM generate_series(1, 10)")
	for range 10 {
		want(t, q, said(7))
	}
	row(t, true, "F31", "equal events in one transaction", "100 of 100 of ours, 10 of 10 of Django's", "all")
}

// row prints a line of the table of faults, and fails the test unless ok.
func row(t *testing.T, ok bool, id, what, figure, limit string) {
	t.Helper()
	verdict := "pass"
	if !ok {
		verdict = "FAIL"
		t.Errorf("%s: %s: %s, want %s", id, what, figure, limit)
	}
	fmt.Printf("%s %s | %s | %s | %s\n", id, verdict, what, figure, limit)
}

func TestPoison(t *testing.T) {
	d := site(t)
	reg := prometheus.NewRegistry()
	c := at(role(t, d))
	c.Registerer, c.MaxMessage = reg, 1<<16
	l := open(t, c)
	theirs := startPeer(t, d.URL(), nil)
	name, q := channel(t, l, "room")
	for _, bytes := range []string{"", "00", "c1", "dfffffffff", "81a474797065", "82a474797065a473616964a16e", strings.Repeat("91", 5000), strings.Repeat("00", 1<<17)} {
		theirs.do(nil, "", "poison", name, bytes)
	}
	if dropped := d.Value(t, `SELECT 1 FROM (SELECT pg_notify('channels_postgres_messages', p) FROM unnest(ARRAY[
		'', ':', '1:shutdown', 'x:y', '7:`+name+`:***:1', '7:`+name+`:AAAA:NaN', '7:`+name+`:AAAA:1e400', '-5:`+name+`', '99999999999999999999:`+name+`']) p) s LIMIT 1`); dropped == nil {
		t.Error("unreachable")
	}
	theirs.do(nil, "", "poison", name, "8301a178a474797065a473616964a16e07") // a key that is a number
	if e := next(t, q); e.Type() != "said" || e["n"] != int64(7) {
		t.Errorf("a message with a key that is a number: got %v, want it with that key as a text", e)
	}
	theirs.do(nil, `{'type': 'said', 'n': 9}`, "group_send", "room")
	want(t, q, said(9))
	if n := metric(t, reg, "pglayer_events_dropped_total"); n < 8 {
		t.Errorf("%v messages were counted as dropped, want at least 8", n)
	}
	if err := l.Ready(t.Context()); err != nil {
		t.Errorf("Ready: %v", err)
	}
}

// TestF27 is that row of the table of faults: a process of Django's that starts takes all rows.
func TestF27(t *testing.T) {
	d := site(t)
	l := open(t, at(role(t, d)))
	name, q := channel(t, l, "room")
	conn, err := pgx.Connect(t.Context(), d.URL())
	must(t, err)
	defer conn.Close(t.Context())
	// The row is gone before anybody hears of it.
	_, err = conn.Exec(t.Context(), fmt.Sprintf(`DO $$ BEGIN
		INSERT INTO channels_postgres_message (channel, message, expire) VALUES ('%s', decode(repeat('00', 9000), 'hex'), now() + interval '1 minute');
		DELETE FROM channels_postgres_message; END $$`, name))
	must(t, err)
	want(t, q, channellayer.Event{"type": channellayer.GapType})
	row(t, true, "F27", "a process of Django's takes our row", "the gap was told", "an announced gap")
}

// TestLingeringBackend has Postgres believe for a while that the connection before is still there.
func TestLingeringBackend(t *testing.T) {
	d := site(t)
	p, through := startProxy(t, role(t, d))
	c := at(through)
	c.ConnectTimeout, c.Heartbeat = 0, 300*time.Millisecond
	l, other := open(t, c), open(t, at(role(t, d)))
	_, q := channel(t, l, "room")
	p.abandon()
	want(t, q, channellayer.Event{"type": channellayer.GapType})
	must(t, other.GroupSend(t.Context(), "room", said(1)))
	want(t, q, said(1))
}
