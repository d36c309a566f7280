package pglayer

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/channellayer"
)

const (
	// taken is how many messages of a plain channel are in the hands of a listener at most: so many are lost where the
	// process dies.
	taken = 10

	// lookAgain is how often a listener looks for messages without having been told of one.
	lookAgain = 2 * time.Second
)

// listeners are those that wait for messages to plain channels.
type listeners struct {
	mu        sync.Mutex                 // guards the field below
	byChannel map[string][]chan struct{} // each holds something when there may be a message
}

func newListeners() *listeners { return &listeners{byChannel: make(map[string][]chan struct{})} }

func (s *listeners) add(channel string, wakeups chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byChannel[channel] = append(s.byChannel[channel], wakeups)
}

func (s *listeners) remove(channel string, wakeups chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left []chan struct{}
	for _, other := range s.byChannel[channel] {
		if other != wakeups {
			left = append(left, other)
		}
	}
	if s.byChannel[channel] = left; len(left) == 0 {
		delete(s.byChannel, channel)
	}
}

// wake wakes those that listen to a channel, and reports whether there are any.
func (s *listeners) wake(channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, wakeups := range s.byChannel[channel] {
		signal(wakeups)
	}
	return len(s.byChannel[channel]) > 0
}

// Listen implements [channellayer.Listener], over a connection of its own. While r is full, events wait in the table,
// but for the few that were taken. While a worker of Django's receives from the channel it gets everything, and this one
// waits for its end; then it takes what is there and not stale, as a worker of Django's would.
func (l *Layer) Listen(ctx context.Context, channel string, r channellayer.Receiver) error {
	if err := channellayer.CheckChannelName(channel); err != nil {
		return err
	}
	if err := l.usable(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case <-l.ended:
			cancel(channellayer.ErrClosed)
		case <-ctx.Done():
		}
	})
	n := &listener{layer: l, channel: channel, receiver: r, capacity: l.capacities.Of(channel), wakeups: make(chan struct{}, 1)}
	l.listeners.add(channel, n.wakeups)
	defer l.listeners.remove(channel, n.wakeups)
	var b backoff
	for ctx.Err() == nil {
		if err := n.session(ctx, &b); err != nil && ctx.Err() == nil {
			l.warnings.say(l.config.Logger, "channel layer: a listener lost Postgres, trying again", "error", unavailable(err))
			pause(ctx, b.next())
		}
	}
	err := context.Cause(ctx)
	waiting.Wait()
	return err
}

// listener takes the events of a plain channel.
type listener struct {
	layer    *Layer
	channel  string
	receiver channellayer.Receiver
	capacity int
	wakeups  chan struct{}
}

// session listens over one connection until that breaks.
func (n *listener) session(ctx context.Context, b *backoff) error {
	l := n.layer
	start, cancel := context.WithTimeout(ctx, l.config.ConnectTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(start, l.pool.Config().ConnConfig.Copy())
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // the server notices in any case
	}()
	ticks := time.NewTicker(lookAgain)
	defer ticks.Stop()
	for alone := false; ctx.Err() == nil; {
		if !alone {
			if err := n.query(ctx, func(ctx context.Context) error {
				return conn.QueryRow(ctx, l.sql.receiverLock, receiverLock(n.channel)).Scan(&alone)
			}); err != nil {
				return err
			}
			b.reset()
		}
		more := false
		if alone {
			if more, err = n.takeSome(ctx, conn); err != nil {
				return err
			}
		}
		if more {
			continue
		}
		select {
		case <-n.wakeups:
		case <-ticks.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// query runs one query, which the end of ctx does not cut off: it might have taken something.
func (n *listener) query(ctx context.Context, run func(context.Context) error) error {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.layer.config.Timeout)
	defer cancel()
	return run(limited)
}

// message is a row that was taken out of the table.
type message struct {
	ID      int64
	Message []byte
	Left    float64
}

// takeSome takes messages and hands them on. It reports whether there may be more.
func (n *listener) takeSome(ctx context.Context, conn *pgx.Conn) (more bool, err error) {
	var messages []message
	err = n.query(ctx, func(ctx context.Context) error {
		rows, err := conn.Query(ctx, n.layer.sql.take, n.channel, taken)
		if err != nil {
			return err
		}
		messages, err = pgx.CollectRows(rows, pgx.RowToStructByPos[message])
		return err
	})
	if err != nil {
		return false, err
	}
	came := time.Now()
	for i, m := range messages {
		if !n.offer(ctx, m, came) {
			n.putBack(ctx, conn, messages[i:], came)
			return false, nil
		}
	}
	return len(messages) == taken, nil
}

// offer hands a message to the receiver, as often as it takes. It reports false where ctx ended first.
func (n *listener) offer(ctx context.Context, m message, came time.Time) bool {
	l := n.layer
	e, _, err := l.codec.Open(m.Message, l.clock.now())
	if err != nil {
		l.metrics.invalid(err)
		l.warnings.unread(l.config.Logger, err)
		return true
	}
	d := channellayer.NewDelivery(e, came.Add(seconds(m.Left)))
	for ctx.Err() == nil {
		if d.Expired(time.Now()) {
			l.metrics.droppedExpired.Inc()
			return true
		}
		if n.receiver.Receive(d, n.capacity) {
			l.metrics.delivered.Inc()
			return true
		}
		pause(ctx, 10*time.Millisecond)
	}
	return false
}

// putBack gives messages back to the table, in their place.
func (n *listener) putBack(ctx context.Context, conn *pgx.Conn, messages []message, came time.Time) {
	held := time.Since(came)
	for _, m := range messages {
		err := n.query(ctx, func(ctx context.Context) error {
			_, err := conn.Exec(ctx, n.layer.sql.putBack, m.ID, n.channel, m.Message, seconds(m.Left)-held)
			return err
		})
		if err != nil {
			n.layer.metrics.droppedNoChannel.Inc()
		}
	}
}
