package pglayer

import (
	"context"
	"encoding/base64"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/belleville/belleville/channellayer/membership"
)

// listen keeps up a connection that listens, until ctx is done.
func (l *Layer) listen(ctx context.Context) {
	var b backoff
	for {
		err := l.session(ctx, &b)
		if ctx.Err() != nil {
			return
		}
		l.link.lost(err)
		l.pool.Reset() // those connections are likely to be dead too
		pause(ctx, b.next())
	}
}

// session connects, listens, proves that it hears, and waits until something breaks.
func (l *Layer) session(ctx context.Context, b *backoff) error {
	start, cancel := context.WithTimeout(ctx, l.config.ConnectTimeout)
	defer cancel()
	conn, err := l.connect(start)
	if err != nil {
		return unavailable(err)
	}
	reading, stop := context.WithCancel(ctx)
	broken := make(chan error, 1)
	var reader sync.WaitGroup
	defer func() {
		stop()
		reader.Wait()
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // the server notices in any case
	}()
	if err := l.begin(start, conn); err != nil {
		return unavailable(err)
	}
	l.link.fresh()
	reader.Go(func() { broken <- read(reading, conn) })
	if err := l.prove(start, broken); err != nil {
		return err
	}
	l.takePulse(start)
	if err := l.registerAll(ctx); err != nil {
		return err
	}
	b.reset()
	early := l.local.Channels() > 0 // who was not told that the layer is ready may have missed something
	if first := l.link.ready(); !first || early {
		l.gap(membership.Everyone)
	}
	return l.keep(ctx, broken)
}

// connect opens the connection that listens, and does nothing else: it is never in a transaction.
func (l *Layer) connect(ctx context.Context) (*pgx.Conn, error) {
	config := l.pool.Config().ConnConfig.Copy()
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { l.heard(n) }
	return pgx.ConnectConfig(ctx, config)
}

// begin finds out whether the database has what the layer needs, and listens.
func (l *Layer) begin(ctx context.Context, conn *pgx.Conn) error {
	var noMessages, noMembers, noTrigger, readOnly bool
	if err := conn.QueryRow(ctx, l.sql.missing).Scan(&noMessages, &noMembers, &noTrigger, &readOnly); err != nil {
		return err
	}
	switch {
	case readOnly:
		return &RefusedError{"it is a standby, which can neither LISTEN nor take messages"}
	case noMessages:
		return &MissingError{"the table channels_postgres_message"}
	case noMembers:
		return &MissingError{"the table channels_postgres_groupchannel"}
	case noTrigger:
		return &MissingError{"the trigger that notifies " + notifyChannel + " of each message (channels_postgres 1.1)"}
	}
	// The lock is shared: Postgres may not know yet that the connection before has ended.
	if _, err := conn.Exec(ctx, l.sql.lock, lockClass, lockOf(l.names.id)); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, "LISTEN "+notifyChannel)
	return err
}

// read reads notifications, which go to heard, until the connection breaks.
func read(ctx context.Context, conn *pgx.Conn) error {
	for {
		if err := conn.PgConn().WaitForNotification(ctx); err != nil {
			return unavailable(err)
		}
	}
}

// prove waits until something that was sent over another connection is heard.
func (l *Layer) prove(ctx context.Context, broken <-chan error) error {
	canary, _ := l.sendCanary()
	if canary == nil {
		return errBusy
	}
	sent := canary.done
	for {
		select {
		case <-l.link.returned:
			return nil
		case <-sent:
			if canary.err != nil {
				return canary.err
			}
			sent = nil
		case err := <-broken:
			return err
		case <-ctx.Done():
			if sent != nil {
				return errBusy
			}
			return &DeafError{}
		}
	}
}

// sendCanary has one sent, and reports whether too many have not come back. What cannot be sent does not come back.
func (l *Layer) sendCanary() (sent *item[*sending], deaf bool) {
	number, deaf := l.link.nextCanary()
	if deaf {
		return nil, true
	}
	expires := strconv.FormatFloat(l.clock.epoch()+l.config.Expiry.Seconds(), 'f', 6, 64)
	nothing := base64.StdEncoding.EncodeToString([]byte{0xC0})
	notice := "-" + strconv.FormatInt(number, 10) + ":" + l.names.prefix + canarySuffix + ":" + nothing + ":" + expires
	return l.outbox.add(&sending{manner: notifying, notice: notice}), false
}

// keep sends canaries until something breaks, and returns what. It waits for nothing else, so that it notices in time.
func (l *Layer) keep(ctx context.Context, broken <-chan error) error {
	ticks := time.NewTicker(l.config.Heartbeat)
	defer ticks.Stop()
	for {
		if _, deaf := l.sendCanary(); deaf {
			return errDeaf
		}
		select {
		case <-ticks.C:
		case err := <-broken:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tolerableSkew is how far a clock may be off before somebody is told.
const tolerableSkew = 5 * time.Second

// clock is the database's, as far as this machine knows it. Between two pulses it goes on by itself: it does not move
// where somebody sets this machine's clock.
type clock struct {
	known atomic.Pointer[reading] // nil before the first pulse
}

// reading is what the database's clock showed at a time.
type reading struct{ at, theirs time.Time }

func (c *clock) set(r reading) { c.known.Store(&r) }

func (c *clock) now() time.Time {
	r := c.known.Load()
	if r == nil {
		return time.Now()
	}
	return r.theirs.Add(time.Since(r.at))
}

func (c *clock) epoch() float64 { return float64(c.now().UnixMicro()) / 1e6 }

// watch takes the database's pulse, until ctx is done.
func (l *Layer) watch(ctx context.Context) {
	ticks := time.NewTicker(l.config.Heartbeat)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		if l.link.status() == nil {
			l.takePulse(ctx)
		}
	}
}

// takePulse compares the clocks, and sees how full the queue of notifications is.
func (l *Layer) takePulse(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.config.Heartbeat)
	defer cancel()
	before := time.Now()
	var theirs, usage float64
	if err := l.pool.QueryRow(ctx, l.sql.pulse).Scan(&theirs, &usage); err != nil {
		return // the canaries will tell
	}
	took := time.Since(before)
	if took > l.config.Heartbeat/2 {
		return // too long to say when the answer was made
	}
	middle := before.Add(took / 2)
	ahead := seconds(theirs - float64(middle.UnixMicro())/1e6)
	l.clock.set(reading{middle, middle.Round(0).Add(ahead)})
	l.metrics.skew.Set(-ahead.Seconds())
	l.metrics.queueUsage.Set(usage)
	if ahead.Abs() > tolerableSkew {
		l.warnings.say(l.config.Logger, "channel layer: this machine's clock differs from that of the database, which is used", "seconds", -ahead.Seconds())
	}
	if usage > 0.5 {
		l.warnings.say(l.config.Logger, "channel layer: the database's queue of notifications fills up; look for a listener that stays in a transaction", "usage", usage)
	}
}
