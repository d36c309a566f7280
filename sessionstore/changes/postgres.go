package changes

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// mostMisses is how many probes may not come back before a connection counts as deaf.
const mostMisses = 2

// Postgres makes a Listener on a connection of its own, which connect opens: one to PostgreSQL itself. Probes are
// sent with notify, over another connection, which may be a pooler's.
func Postgres(connect func(ctx context.Context) (*pgx.Conn, error), notify Notify, cfg Config) *Listener {
	p := &postgres{connect: connect, notify: notify, cfg: cfg.withDefaults(), node: rand.Text()[:16]}
	l := newListener(p, cfg)
	p.metrics = l.metrics
	return l
}

// Notify sends a notification. SQL: SELECT pg_notify(channel, payload).
type Notify func(ctx context.Context, channel, payload string) error

// postgres is a source that LISTENs.
type postgres struct {
	connect func(ctx context.Context) (*pgx.Conn, error)
	notify  Notify
	cfg     Config
	node    string // tells our probes from those of others
	metrics *metrics
	told    bool // that the triggers are of an older version
}

// fatal implements source.
func (*postgres) fatal(err error) bool { return errors.Is(err, ErrNoTriggers) }

// listen implements source.
func (p *postgres) listen(ctx context.Context, tell func(Change), heard func(saves bool)) error {
	starting, cancel := context.WithTimeout(ctx, p.cfg.StartTimeout)
	defer cancel()
	conn, err := p.connect(starting)
	if err != nil {
		return errors.New("changes: no connection") // its text may hold what is secret
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // it may be broken
	}()
	saves, err := p.lookForTriggers(starting, conn)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(starting, "LISTEN "+Channel); err != nil {
		return fmt.Errorf("changes: LISTEN: %s", codeOf(err))
	}
	return p.hear(ctx, conn, tell, func() { heard(saves) })
}

// codeOf is what may be told of an error of the database: its code, or that there was no connection.
func codeOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return "SQLSTATE " + e.Code
	}
	return "the connection is broken"
}

// hear waits for notifications until the connection breaks or is deaf.
func (p *postgres) hear(ctx context.Context, conn *pgx.Conn, tell func(Change), heard func()) error {
	pr := prober{source: p, patience: p.cfg.StartTimeout}
	defer pr.sending.Wait()
	ctx, cancel := context.WithCancel(ctx) // ends the sending of a probe
	defer cancel()
	pr.send(ctx)
	for {
		waiting, stop := context.WithDeadline(ctx, pr.next)
		n, err := conn.WaitForNotification(waiting)
		stop()
		switch {
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !time.Now().Before(pr.next) && !conn.IsClosed():
			if pr.missed() {
				return ErrDeaf
			}
			pr.send(ctx)
		case err != nil:
			return fmt.Errorf("changes: %s", codeOf(err))
		case pr.returned(n.Payload):
			heard()
		case strings.HasPrefix(n.Payload, probePrefix): // another node's
		default:
			c, ok := parse(n.Payload)
			if !ok {
				p.metrics.ignored.Inc()
				continue
			}
			tell(c)
		}
	}
}

// probePrefix begins the payload of a probe.
const probePrefix = "p:"

// prober sends probes to itself, and notes which come back. It is owned by the goroutine that hears.
type prober struct {
	source   *postgres
	patience time.Duration // for the first
	number   int64
	next     time.Time // when it looks again
	back     bool      // the last one came back
	heard    bool      // any came back on this connection
	misses   int
	sending  sync.WaitGroup
	sent     chan bool // whether the last one could be sent
}

// send sends a probe, without waiting for that.
func (pr *prober) send(ctx context.Context) {
	pr.number++
	pr.back = false
	pr.next = time.Now().Add(pr.source.cfg.ProbeInterval)
	if !pr.heard {
		pr.next = time.Now().Add(pr.patience)
	}
	payload := probePrefix + pr.source.node + ":" + strconv.FormatInt(pr.number, 10)
	sent := make(chan bool, 1)
	pr.sent = sent
	pr.sending.Go(func() { sent <- pr.source.notify(ctx, Channel, payload) == nil })
}

// returned reports whether a notification is the last probe.
func (pr *prober) returned(payload string) bool {
	if payload != probePrefix+pr.source.node+":"+strconv.FormatInt(pr.number, 10) {
		return false
	}
	pr.back, pr.heard, pr.misses = true, true, 0
	// The first probe waits longer than the others; with it back, the next one is due as usual.
	if due := time.Now().Add(pr.source.cfg.ProbeInterval); pr.next.After(due) {
		pr.next = due
	}
	return true
}

// missed notes whether the last probe came back, and reports whether the connection is deaf. One that could not be
// sent says nothing: the database may be away, which the connection will learn.
func (pr *prober) missed() bool {
	if pr.back {
		return false
	}
	select {
	case ok := <-pr.sent:
		if ok {
			pr.misses++
		}
	default: // it is still being sent, for a whole interval: another connection waits
	}
	return pr.misses >= mostMisses || pr.misses > 0 && !pr.heard
}
