package changes_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite" // the driver

	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/sessionstore/changes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake triggers stand for those of the set live_sessions, whose own tests are with the migrations.
const fakeTriggers = `CREATE TABLE t (x int);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER belleville_session_ended AFTER DELETE ON t FOR EACH ROW EXECUTE PROCEDURE f();
CREATE TRIGGER belleville_user_changed AFTER UPDATE ON t FOR EACH ROW EXECUTE PROCEDURE f();
CREATE TRIGGER belleville_user_deleted AFTER DELETE ON t FOR EACH ROW EXECUTE PROCEDURE f();`

// quick makes a test's probes frequent.
var quick = changes.Config{Sessions: "t", Users: "t", ProbeInterval: 100 * time.Millisecond, StartTimeout: 2 * time.Second}

// ear is a Listener that runs, and what it hears.
type ear struct {
	listener *changes.Listener
	heard    chan changes.Change
	ended    chan error // what Run returned
}

// listen makes a Listener of a database, whose probes go over another connection of their own. Both have Belleville's
// role.
func listen(t *testing.T, listenURL, probeURL string, cfg changes.Config) *ear {
	t.Helper()
	as := func(owner string) string { return pgtest.Restricted(t, owner) + "&application_name=belleville" }
	listenURL, probeURL = as(listenURL), as(probeURL)
	connect := func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, listenURL) }
	notify := func(ctx context.Context, channel, payload string) error {
		conn, err := pgx.Connect(ctx, probeURL)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		_, err = conn.Exec(ctx, "SELECT pg_notify($1, $2)", pgx.QueryExecModeExec, channel, payload)
		return err
	}
	return run(t, changes.Postgres(connect, notify, cfg))
}

// run runs a Listener for as long as the test lasts.
func run(t *testing.T, l *changes.Listener) *ear {
	t.Helper()
	e := &ear{l, make(chan changes.Change, 1000), make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.ended <- e.listener.Run(ctx, func(c changes.Change) { e.heard <- c })
	}()
	t.Cleanup(func() { cancel(); <-done })
	return e
}

// hears waits for the next change.
func (e *ear) hears(t *testing.T, want changes.Kind) changes.Change {
	t.Helper()
	select {
	case c := <-e.heard:
		if c.Kind != want {
			t.Fatalf("heard of %v, want %v", c.Kind, want)
		}
		return c
	case err := <-e.ended:
		t.Fatalf("Run = %v before it heard of %v", err, want)
	case <-time.After(20 * time.Second):
		t.Fatalf("did not hear of %v", want)
	}
	return changes.Change{}
}

func TestANotificationIsHeard(t *testing.T) {
	db := pgtest.Open(t)
	db.Exec(t, fakeTriggers)
	e := listen(t, db.URL(), db.URL(), quick)
	e.hears(t, changes.Anything) // from the beginning
	db.Exec(t, "NOTIFY belleville_live, 's0123456789abcdef:1700000000123'")
	c := e.hears(t, changes.Session)
	if want := [8]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}; c.Hash != want || c.Committed.UnixMilli() != 1_700_000_000_123 {
		t.Errorf("heard %x at %v", c.Hash, c.Committed)
	}
	db.Exec(t, "NOTIFY belleville_live, 'u0123456789abcdef'")
	e.hears(t, changes.User)
	if !e.listener.Proven() {
		t.Error("it is not proven that it hears")
	}
}

func TestANotificationOfAnybodyElseIsIgnored(t *testing.T) {
	db := pgtest.Open(t)
	db.Exec(t, fakeTriggers)
	e := listen(t, db.URL(), db.URL(), quick)
	e.hears(t, changes.Anything)
	for _, payload := range []string{"", "s", "x0123456789abcdef", "s0123456789abcdeg", "s0123456789abcdef!", "p:other:1", "s0123456789abcdef:x"} {
		db.Exec(t, "SELECT pg_notify('belleville_live', $1)", payload)
	}
	db.Exec(t, "NOTIFY belleville_live, 'u0123456789abcdef:1'")
	e.hears(t, changes.User)
}

func TestMetricsAreWellFormed(t *testing.T) {
	reg := prometheus.NewRegistry()
	changes.SQLite(nil, changes.Config{Registerer: reg})
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

func TestWithoutTriggersOnTheSitesTablesNothingTells(t *testing.T) {
	tests := []struct{ name, sql string }{
		{"no triggers", "CREATE TABLE t (x int)"},
		{"no table", ""},
		{"triggers of the same names on a table in another schema", "CREATE SCHEMA other; SET search_path = other; " + fakeTriggers + " SET search_path = public; CREATE TABLE t (x int)"},
		{"triggers on another table", strings.ReplaceAll(fakeTriggers, " t ", " other ") + " CREATE TABLE t (x int)"},
		{"triggers that are disabled", fakeTriggers + " ALTER TABLE t DISABLE TRIGGER belleville_user_deleted"},
		{"triggers that fire for replication only", fakeTriggers + " ALTER TABLE t ENABLE REPLICA TRIGGER belleville_user_deleted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			db := pgtest.Open(t)
			if tt.sql != "" {
				db.Exec(t, tt.sql)
			}
			e := listen(t, db.URL(), db.URL(), quick)
			if err := <-e.ended; !errors.Is(err, changes.ErrNoTriggers) {
				t.Errorf("Run = %v, want ErrNoTriggers", err)
			}
		})
	}
}

func TestTriggersOfAnOlderVersionAreHeardAndNamed(t *testing.T) {
	const newer = `CREATE TRIGGER belleville_session_shortened AFTER UPDATE ON t FOR EACH ROW EXECUTE PROCEDURE f();
CREATE TRIGGER belleville_sessions_truncated AFTER TRUNCATE ON t FOR EACH STATEMENT EXECUTE PROCEDURE f();
CREATE TRIGGER belleville_users_truncated AFTER TRUNCATE ON t FOR EACH STATEMENT EXECUTE PROCEDURE f();`
	for name, sql := range map[string]string{"older": fakeTriggers, "all": fakeTriggers + newer} {
		t.Run(name, func(t *testing.T) {
			db := pgtest.Open(t)
			db.Exec(t, sql)
			log := new(said)
			cfg := quick
			cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
			e := listen(t, db.URL(), db.URL(), cfg)
			e.hears(t, changes.Anything)
			if told := strings.Contains(log.text(), "older version"); told != (name == "older") {
				t.Errorf("it was told that they are older: %v", told)
			}
			db.Exec(t, "NOTIFY belleville_live, 'a:1700000000123'")
			if c := e.hears(t, changes.Anything); c.Committed.IsZero() {
				t.Error("it is not known when a table was emptied")
			}
		})
	}
}

// said is a log.
type said struct {
	mu  sync.Mutex // guards the field below
	all strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

func (s *said) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

func TestF08APoolerThatSwallowsLISTENIsNamedAtOnce(t *testing.T) {
	db := pgtest.Open(t)
	db.Exec(t, fakeTriggers)
	bouncer := pgtest.Bouncer(t, db, pgtest.TransactionPooling)
	began := time.Now()
	e := listen(t, bouncer, db.URL(), changes.Config{Sessions: "t", Users: "t", StartTimeout: 2 * time.Second})
	if err := <-e.ended; !errors.Is(err, changes.ErrDeaf) {
		t.Errorf("Run = %v, want ErrDeaf", err)
	}
	t.Logf("found out after %v", time.Since(began).Round(time.Millisecond))
}

func TestAfterACutAnythingMayHaveChanged(t *testing.T) {
	faults := []struct {
		name string
		cut  func(*proxy)
	}{
		{"F07: a reset", (*proxy).reset},
		{"F07: a link that swallows", (*proxy).swallow},
	}
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			db := pgtest.Open(t)
			db.Exec(t, fakeTriggers)
			p := newProxy(t, db.URL())
			e := listen(t, p.url, db.URL(), quick)
			e.hears(t, changes.Anything)
			tt.cut(p)
			e.hears(t, changes.Anything)
			db.Exec(t, "NOTIFY belleville_live, 's0123456789abcdef:1'")
			e.hears(t, changes.Session)
		})
	}
}

func TestADatabaseThatIsAwayIsWaitedFor(t *testing.T) {
	cluster := pgtest.OpenCluster(t)
	db := cluster.Open(t)
	db.Exec(t, fakeTriggers)
	e := listen(t, db.URL(), db.URL(), quick)
	e.hears(t, changes.Anything)
	if err := cluster.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.hears(t, changes.Anything)
}

func TestAFileIsAskedWhetherItHasChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db.sqlite3")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE t (x int)"); err != nil {
		t.Fatal(err)
	}
	readers, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer readers.Close()
	l := changes.SQLite(readers.Conn, quick)
	e := run(t, l)
	e.hears(t, changes.Anything)
	for range 3 {
		if _, err := db.Exec("INSERT INTO t VALUES (1)"); err != nil {
			t.Fatal(err)
		}
		e.hears(t, changes.Anything)
	}
}

// proxy is a TCP proxy in front of a database.
type proxy struct {
	url string

	mu    sync.Mutex // guards the fields below
	links []*link
}

// link is one connection through a proxy.
type link struct {
	client, server net.Conn
	mu             sync.Mutex
	swallows       bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, server := new(proxy), u.Host
	u.Host = l.Addr().String()
	p.url = u.String()
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			k := &link{client: client, server: upstream}
			p.mu.Lock()
			p.links = append(p.links, k)
			p.mu.Unlock()
			running.Go(func() { _, _ = io.Copy(upstream, client); upstream.Close() })
			running.Go(func() { _, _ = io.Copy(k, upstream); client.Close() })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.each(func(k *link) { k.client.Close(); k.server.Close() })
		running.Wait()
	})
	return p
}

// Write passes on what the server says, unless it is swallowed.
func (k *link) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.swallows {
		return len(b), nil
	}
	return k.client.Write(b)
}

func (p *proxy) each(f func(*link)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.links {
		f(k)
	}
}

// reset breaks off the connections that are open.
func (p *proxy) reset() {
	p.each(func(k *link) {
		_ = k.client.(*net.TCPConn).SetLinger(0)
		k.client.Close()
		k.server.Close()
	})
}

// swallow drops what the server says on the connections that are open.
func (p *proxy) swallow() {
	p.each(func(k *link) {
		k.mu.Lock()
		k.swallows = true
		k.mu.Unlock()
	})
}
