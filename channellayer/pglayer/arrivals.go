package pglayer

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/membership"
)

const (
	// What may wait in this process.
	mostWaiting = 20_000
	mostBytes   = 64 << 20

	// mostFetched is how many rows are fetched at once: each may hold a megabyte.
	mostFetched = 16

	// fetchTries is how often a row is asked for while the database fails.
	fetchTries = 3
)

// arrivals are the notifications for this process that wait to be handed out. Whoever reads them off the connection
// waits for nobody. Where there are too many they are dropped, counted, and announced as a gap.
type arrivals struct {
	work chan struct{} // holds something while notifications may be waiting

	mu       sync.Mutex // guards the fields below
	waiting  []payload
	bytes    int
	deepest  int // the most that ever waited
	overflew bool
}

func newArrivals() *arrivals { return &arrivals{work: make(chan struct{}, 1)} }

func (a *arrivals) put(p payload) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) >= mostWaiting || a.bytes >= mostBytes {
		a.overflew = true
		return false
	}
	a.waiting = append(a.waiting, p)
	a.bytes += len(p.message)
	a.deepest = max(a.deepest, len(a.waiting))
	return true
}

func (a *arrivals) take() (waiting []payload, overflew bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	waiting, overflew = a.waiting, a.overflew
	a.waiting, a.bytes, a.overflew = nil, 0, false
	return waiting, overflew
}

// depth returns how many wait, and how many ever did at most.
func (a *arrivals) depth() (now, most int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.waiting), a.deepest
}

// heard takes a notification from the goroutine that reads the connection, which it does not hold up.
func (l *Layer) heard(n *pgconn.Notification) {
	if n.Channel != notifyChannel {
		return
	}
	p, err := parsePayload(n.Payload)
	if err != nil {
		if n.Payload != shutdown {
			l.metrics.droppedInvalid.Inc()
		}
		return
	}
	if p.id > 0 {
		l.metrics.newestRow.Set(float64(p.id))
	}
	switch {
	case p.channel == l.names.prefix+canarySuffix:
		l.link.canaryCame(-p.id)
	case l.isOurs(p.channel):
		if !l.arrivals.put(p) {
			l.metrics.droppedBacklog.Inc()
		}
		signal(l.arrivals.work)
	case !l.listeners.wake(p.channel):
		l.metrics.others.Inc()
	}
}

// shutdown is what channels_postgres sends to end its own listeners, all of which would hear it from us too.
const shutdown = "1:shutdown"

// handOut hands out what was heard, until ctx is done.
func (l *Layer) handOut(ctx context.Context) {
	for {
		select {
		case <-l.arrivals.work:
		case <-ctx.Done():
			return
		}
		waiting, overflew := l.arrivals.take()
		for len(waiting) > 0 && ctx.Err() == nil {
			waiting = l.handOutSome(ctx, waiting)
		}
		if overflew {
			l.gap(membership.Everyone)
		}
	}
}

// handOutSome hands out the first notifications that wait, up to those whose rows were not fetched with the first,
// and returns the rest.
func (l *Layer) handOutSome(ctx context.Context, waiting []payload) []payload {
	var ids []int64
	n := 0
	for ; n < len(waiting); n++ {
		if waiting[n].message != "" {
			continue
		}
		if len(ids) == mostFetched {
			break
		}
		ids = append(ids, waiting[n].id)
	}
	var rows map[int64]row
	var err error
	if len(ids) > 0 {
		rows, err = l.fetch(ctx, ids)
	}
	for _, p := range waiting[:n] {
		if p.message != "" {
			l.handInline(p)
			continue
		}
		r, there := rows[p.id]
		switch {
		case there:
			l.dispatch(p.channel, r.message, r.left)
		case err != nil:
			l.metrics.droppedUnfetched.Inc()
			l.gap(l.groupOf(p.channel))
		default: // a process of Django's that started has taken it
			l.metrics.droppedTaken.Inc()
			l.gap(l.groupOf(p.channel))
		}
	}
	return waiting[n:]
}

// row is a message that was in the table.
type row struct {
	message []byte
	left    time.Duration // until it is stale
}

// fetch takes rows out of the table.
func (l *Layer) fetch(ctx context.Context, ids []int64) (map[int64]row, error) {
	var err error
	for range fetchTries {
		var rows map[int64]row
		if rows, err = l.fetchOnce(ctx, ids); err == nil || ctx.Err() != nil {
			return rows, err
		}
		if said, ok := errors.AsType[*pgconn.PgError](err); !pgconn.SafeToRetry(err) && (!ok || !strings.HasPrefix(said.Code, "57P")) {
			return nil, err // it may have been done
		}
	}
	return nil, err
}

func (l *Layer) fetchOnce(ctx context.Context, ids []int64) (map[int64]row, error) {
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	answer, err := l.pool.Query(ctx, l.sql.fetch, ids)
	if err != nil {
		return nil, err
	}
	rows := make(map[int64]row)
	var id int64
	var message []byte
	var left float64
	_, err = pgx.ForEachRow(answer, []any{&id, &message, &left}, func() error {
		rows[id] = row{message, seconds(left)}
		return nil
	})
	return rows, err
}

// handInline hands out a message that came with its notification, and has its row removed.
func (l *Layer) handInline(p payload) {
	if p.id > 0 {
		l.used.add(p.id)
	}
	message, err := p.decode()
	if err != nil {
		l.metrics.droppedInvalid.Inc()
		return
	}
	l.dispatch(p.channel, message, seconds(p.expires-l.clock.epoch()))
}

// dispatch hands a message to the channel of ours that it is for, or to the group that this stands for.
func (l *Layer) dispatch(channel string, message []byte, left time.Duration) {
	if left <= 0 {
		l.metrics.droppedExpired.Inc()
		l.warnings.say(l.config.Logger, "channel layer: events are stale when they come; compare expiry and the clocks of the senders with that of the database")
		return
	}
	e, _, err := l.codec.Open(message, l.clock.now())
	if err != nil {
		l.metrics.invalid(err)
		l.warnings.unread(l.config.Logger, err)
		return
	}
	d := channellayer.NewDelivery(e, time.Now().Add(left))
	if group, ok := l.memberships.Represented(strings.TrimPrefix(channel, l.names.prefix)); ok {
		l.deliverGroup(group, d)
		return
	}
	l.foreign.Store(true)
	l.deliver(channel, d)
}

// deliver hands out an event for one of our channels. One that is closed may still be a member of groups by its name.
func (l *Layer) deliver(channel string, d *channellayer.Delivery) {
	err := l.local.Deliver(channel, d)
	l.metrics.outcome(err)
	if errors.Is(err, channellayer.ErrNoChannel) {
		l.ghosts.add(channel)
	}
}

func (l *Layer) deliverGroup(group string, d *channellayer.Delivery) {
	if l.local.DeliverGroup(group, d) == 0 && channellayer.CheckGroupName(group) == nil {
		l.memberships.Linger(group) // a membership that nobody needs, if it is there
	}
}

// groupOf returns the group that one of our channels stands for, or Everyone where it stands for none.
func (l *Layer) groupOf(channel string) string {
	if group, ok := l.memberships.Represented(strings.TrimPrefix(channel, l.names.prefix)); ok {
		return group
	}
	return membership.Everyone
}

// tally is the layer's [channellayer.Tally].
func (l *Layer) tally(d *channellayer.Delivery, delivered, dropped int) {
	l.metrics.tally(d, delivered, dropped)
}

// gap tells the channels of a group that they may have missed something.
func (l *Layer) gap(group string) {
	d := channellayer.NewDelivery(channellayer.Event{"type": channellayer.GapType}, time.Time{})
	l.metrics.gaps.Inc()
	l.local.DeliverGroup(group, d)
}

// seconds returns a time that Postgres gave, within bounds.
func seconds(s float64) time.Duration {
	const most = float64(24 * 365 * 10 * time.Hour)
	return time.Duration(min(max(s*float64(time.Second), -most), most))
}
