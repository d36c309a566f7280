package pglayer

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/membership"
)

const (
	// inlineMost is the size in bytes of the largest message that surely fits into a notification, with a name of
	// any length and in lines of base64.
	inlineMost = 5600

	// byRowLeast is the size of the smallest message for which no trigger of channels_postgres tries that. What is in
	// between may not fit, so that the trigger fails, of 1.1.3 and before for all of them, and is put in so that it cannot.
	byRowLeast = 7169

	// mostTogether is about how many bytes of messages go together.
	mostTogether = 4 << 20
)

// manner is how a message is sent.
type manner int

const (
	inline    manner = iota // with a notification that holds it, and with a row for those who want one
	byRow                   // with a row, and a notification that names it
	forced                  // with a row, and a notification that is made to name it
	plain                   // with a row, to a channel that is no process's own
	notifying               // without anything else
)

// mannerOf returns how a message for several channels is sent.
func mannerOf(size int) manner {
	switch {
	case size <= inlineMost:
		return inline
	case size >= byRowLeast:
		return byRow
	default:
		return forced
	}
}

// sending is a message on its way out.
type sending struct {
	manner  manner
	group   string // its key, or ""
	channel string // or ""
	message []byte
	notice  string   // of one that only notifies
	ours    []string // set when it was sent: our own channels that are members by name
}

// Send implements [channellayer.Layer].
func (l *Layer) Send(ctx context.Context, channel string, e channellayer.Event) error {
	if err := channellayer.CheckChannelName(channel); err != nil {
		return err
	}
	message, err := l.encode(e)
	if err != nil {
		return err
	}
	if err := l.usable(ctx); err != nil {
		return err
	}
	l.metrics.sentChannel.Inc()
	if l.isOurs(channel) {
		err := l.local.Deliver(channel, l.fresh(e))
		l.metrics.outcome(err)
		if errors.Is(err, channellayer.ErrNoChannel) {
			return nil
		}
		return err
	}
	s := &sending{channel: channel, message: message, manner: mannerOf(len(message))}
	if !channellayer.IsLocal(channel) && s.manner != forced {
		s.manner = plain
	}
	return l.outbox.do(ctx, s)
}

// GroupSend implements [channellayer.Layer].
func (l *Layer) GroupSend(ctx context.Context, group string, e channellayer.Event) error {
	if err := l.checkGroupName(group); err != nil {
		return err
	}
	message, err := l.encode(e)
	if err != nil {
		return err
	}
	if err := l.usable(ctx); err != nil {
		return err
	}
	l.metrics.sentGroup.Inc()
	s := &sending{group: l.groupKey(group), message: message, manner: mannerOf(len(message))}
	if err := l.outbox.do(ctx, s); err != nil {
		return err
	}
	d := l.fresh(e)
	l.deliverGroup(group, d)
	for _, name := range s.ours {
		if l.foreign.Store(true); !l.memberships.IsMember(name, group) {
			l.deliver(name, d)
		}
	}
	return nil
}

// encode makes a message of an event, which it checks.
func (l *Layer) encode(e channellayer.Event) ([]byte, error) {
	body, err := l.codec.Encode(e)
	if err != nil {
		return nil, err
	}
	return []byte(l.codec.Seal(body.Plain(), l.clock.now())), nil
}

// fresh returns the delivery of an event that was sent here, and that may be changed by its sender.
func (l *Layer) fresh(e channellayer.Event) *channellayer.Delivery {
	return channellayer.NewDelivery(e.Clone(), time.Now().Add(l.config.Expiry))
}

// sendAll sends messages in their order, those together that are sent in the same manner.
func (l *Layer) sendAll(ctx context.Context, items []*item[*sending]) {
	for len(items) > 0 {
		n, bytes := 1, len(items[0].what.message)
		for n < len(items) && items[n].what.manner == items[0].what.manner && bytes < mostTogether {
			bytes += len(items[n].what.message)
			n++
		}
		l.sendSome(ctx, items[:n])
		items = items[n:]
	}
}

func (l *Layer) sendSome(ctx context.Context, items []*item[*sending]) {
	switch items[0].what.manner {
	case inline, byRow:
		l.sendTogether(ctx, items)
	case plain:
		l.sendPlain(ctx, items)
	case forced:
		for _, it := range items {
			it.err = l.within(ctx, func(ctx context.Context) error { return l.sendForced(ctx, it.what) })
		}
	case notifying:
		for _, it := range items {
			it.err = l.within(ctx, func(ctx context.Context) error {
				_, err := l.pool.Exec(ctx, l.sql.notify, it.what.notice)
				return err
			})
		}
	}
}

// within does something within the time that Postgres has to answer.
func (l *Layer) within(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	err := do(ctx)
	if errors.Is(err, channellayer.ErrFull) {
		return channellayer.ErrFull
	}
	return unavailable(err)
}

// sendTogether sends messages with one statement. Where that is refused, as one of them may be, each goes alone.
func (l *Layer) sendTogether(ctx context.Context, items []*item[*sending]) {
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	err := l.sendStatement(ctx, items)
	if _, refused := errors.AsType[*pgconn.PgError](err); refused && len(items) > 1 {
		for i := range items {
			items[i].err = unavailable(l.sendStatement(ctx, items[i:i+1]))
		}
		return
	}
	fail(items, unavailable(err))
}

func (l *Layer) sendStatement(ctx context.Context, items []*item[*sending]) error {
	groups, channels := make([]string, len(items)), make([]string, len(items))
	messages := make([][]byte, len(items))
	for i, it := range items {
		groups[i], channels[i], messages[i] = it.what.group, it.what.channel, it.what.message
	}
	rows, err := l.pool.Query(ctx, l.sql.send, groups, channels, messages, l.numbers.Load(), l.names.prefix, nodePrefix,
		l.config.Expiry, items[0].what.manner == inline)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		var ours string
		l.numbers.Add(1)
		if err := rows.Scan(&n, &ours, nil); err != nil {
			return err
		}
		if n >= 1 && n <= int64(len(items)) && ours != "" {
			items[n-1].what.addOurs(ours, l.names)
		}
	}
	return rows.Err()
}

// addOurs notes that one of our channels is a member by its name. That the node is one is known.
func (s *sending) addOurs(channel string, names nodeNames) {
	suffix := strings.TrimPrefix(channel, names.prefix)
	if !membership.IsRepresentative(suffix) {
		s.ours = append(s.ours, channel)
	}
}

// sendForced sends a message in two steps that nobody sees one of.
func (l *Layer) sendForced(ctx context.Context, s *sending) error {
	return pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		if s.channel != "" && !channellayer.IsLocal(s.channel) {
			var room bool
			if err := tx.QueryRow(ctx, l.sql.room, l.roomOf(s.channel)...).Scan(&room); err != nil {
				return err
			}
			if !room {
				l.metrics.refusedFull.Inc()
				return channellayer.ErrFull
			}
		}
		rows, err := tx.Query(ctx, l.sql.insert, s.group, s.channel, s.message, l.config.Expiry, l.names.prefix)
		if err != nil {
			return err
		}
		var ids []int64
		var id int64
		var ours string
		_, err = pgx.ForEachRow(rows, []any{&id, &ours}, func() error {
			if ours == "" {
				ids = append(ids, id)
			} else {
				s.addOurs(ours, l.names)
			}
			return nil
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		_, err = tx.Exec(ctx, l.sql.trim, ids, len(s.message))
		return err
	})
}

// roomOf returns what the question is about whether a plain channel takes one more.
func (l *Layer) roomOf(channel string) []any {
	lock := uint64(receiverLock(channel))
	return []any{channel, l.capacities.Of(channel), int64(lock >> 32), int64(lock & 0xFFFFFFFF)}
}

// sendPlain sends messages to channels that are no process's own, in one round trip.
func (l *Layer) sendPlain(ctx context.Context, items []*item[*sending]) {
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	batch := new(pgx.Batch)
	for _, it := range items {
		batch.Queue(l.sql.sendPlain, append(l.roomOf(it.what.channel), it.what.message, l.config.Expiry)...)
	}
	answers := l.pool.SendBatch(ctx, batch)
	for _, it := range items {
		tag, err := answers.Exec()
		if err == nil && tag.RowsAffected() == 0 {
			l.metrics.refusedFull.Inc()
			it.err = channellayer.ErrFull
			continue
		}
		it.err = unavailable(err)
	}
	if err := answers.Close(); err != nil { // none was committed
		fail(items, unavailable(err))
	}
}

// groupKey returns what the rows of a group have. Python: PostgresChannelLayer._group_key.
func (l *Layer) groupKey(group string) string { return l.config.Prefix + ":group:" + group }
