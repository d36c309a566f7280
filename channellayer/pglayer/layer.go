// Package pglayer is the channel layer of channels_postgres: it lets this process share groups and channels with a
// Django site that uses PostgresChannelLayer, and with other processes like this one.
//
// Start with [New].
//
// A process is one member of a group, whatever the number of its connections in it, so that group_send costs
// Django the same for one as for ten thousand. Every process hears every notification; those for others cost
// little. Between processes like this one a message that fits goes with its notification alone, without a row.
//
// What comes out of Postgres is data from outside: a message is bounded before it is decoded, and one that holds no
// event is counted and left behind. The tables and the trigger are those of the Django app, and only looked for.
//
// Python: channels_postgres.core.PostgresChannelLayer, 1.1.
package pglayer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/membership"
	"github.com/belleville/belleville/channellayer/wireformat"
)

// Layer is a [channellayer.Layer] and a [channellayer.Listener].
//
// A membership is ended by the process that has made it: what GroupAdd has made here, Django's group_discard does not
// end. A channel that was added here and by Django to the same group may get events twice for some seconds.
type Layer struct {
	// Set at birth, never changed.
	config      Config
	codec       *wireformat.Codec
	capacities  channellayer.Capacities
	names       nodeNames
	sql         statements
	pool        *pgxpool.Pool // all but the connection that listens
	local       *channellayer.Local
	memberships *membership.Table
	arrivals    *arrivals
	listeners   *listeners
	outbox      *gatherer[*sending]
	registry    *gatherer[string] // of groups that the process becomes a member of
	link        *link
	metrics     *metrics
	used        *heap[int64]  // rows that were handed out
	ghosts      *heap[string] // channels of ours that are closed, and may be members
	ended       chan struct{} // closed by Close
	stop        context.CancelFunc
	running     sync.WaitGroup

	clock    clock
	numbers  atomic.Int64 // of notifications without a row
	closing  atomic.Bool
	foreign  atomic.Bool // somebody else has made one of our channels a member of a group by its own name
	warnings warnings
}

// New connects to Postgres and returns a Layer, which the caller ends with Close. A Postgres that is away is waited for
// in the background, and [Layer.Ready] tells. One that refuses is a [RefusedError], one without the tables a
// [MissingError], and a pooler on which LISTEN hears nothing a [DeafError]. New panics where Config.Registerer has the
// metrics of another Layer already.
func New(ctx context.Context, c Config) (*Layer, error) {
	l, err := newLayer(ctx, c.withDefaults())
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	for _, serve := range []func(context.Context){l.outbox.serve, l.registry.serve, l.handOut, l.listen, l.watch, l.tidy} {
		l.running.Go(func() { serve(running) })
	}
	select {
	case <-l.link.tried:
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), l.Close())
	}
	if err := l.link.status(); isLasting(err) {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// isLasting reports whether an error stays until somebody repairs something.
func isLasting(err error) bool {
	_, refused := errors.AsType[*RefusedError](err)
	_, missing := errors.AsType[*MissingError](err)
	_, deaf := errors.AsType[*DeafError](err)
	return refused || missing || deaf
}

// newLayer makes a Layer that does nothing yet.
func newLayer(ctx context.Context, c Config) (*Layer, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	database, err := c.Database.parse()
	if err != nil {
		return nil, err
	}
	database.MaxConns = int32(c.PoolSize)
	database.ConnConfig.ConnectTimeout = c.ConnectTimeout
	crypter, err := wireformat.NewCrypter(c.SymmetricEncryptionKeys, c.Expiry+10*time.Second)
	if err != nil {
		return nil, fmt.Errorf("pglayer: symmetric_encryption_keys: %w", err)
	}
	schema := ""
	if c.Schema != "" {
		schema = pgx.Identifier{c.Schema}.Sanitize()
	}
	l := &Layer{
		config:     c,
		codec:      &wireformat.Codec{Format: wireformat.Msgpack, Crypter: crypter, MaxMessage: c.MaxMessage},
		capacities: channellayer.NewCapacities(c.Capacity, c.ChannelCapacity),
		names:      newNodeNames(c.NodeName),
		sql:        newStatements(schema),
		arrivals:   newArrivals(),
		listeners:  newListeners(),
		used:       new(heap[int64]),
		ghosts:     new(heap[string]),
		ended:      make(chan struct{}),
	}
	l.local = channellayer.NewLocal(l.tally)
	l.memberships = membership.New(l.local, l.names.suffix)
	l.outbox = newGatherer(l.sendAll)
	l.registry = newGatherer(l.registerSome)
	l.metrics = newMetrics(c.Registerer, l)
	l.link = newLink(l.metrics, c.Logger)
	if l.pool, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), database); err != nil {
		return nil, unavailable(err)
	}
	return l, nil
}

// Ready returns nil where what the layer sent to itself came back, and otherwise what is wrong.
func (l *Layer) Ready(ctx context.Context) error {
	if err := l.usable(ctx); err != nil {
		return err
	}
	return l.link.status()
}

// usable returns why nothing can be done now.
func (l *Layer) usable(ctx context.Context) error {
	if l.closing.Load() {
		return channellayer.ErrClosed
	}
	return ctx.Err()
}

// Close takes the process out of all groups, as far as Postgres is there, and ends the layer. Channels get nothing
// more.
func (l *Layer) Close() error {
	if l.closing.Swap(true) {
		return nil
	}
	l.memberships.End()
	close(l.ended)
	l.stop()
	l.running.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if l.link.status() == nil {
		l.removeUsed(ctx)
		_, _ = l.pool.Exec(ctx, l.sql.bury, l.names.prefix) // where that fails, the other nodes do it
	}
	l.pool.Close()
	return nil
}

// NewChannel implements [channellayer.Layer].
func (l *Layer) NewChannel(ctx context.Context, r channellayer.Receiver) (string, error) {
	if err := l.usable(ctx); err != nil {
		return "", err
	}
	return l.memberships.Open(l.names.prefix, l.capacities, r)
}

// CloseChannel implements [channellayer.Layer].
func (l *Layer) CloseChannel(name string) {
	l.memberships.Close(name)
	if l.foreign.Load() && l.isOurs(name) {
		l.ghosts.add(name)
	}
}

// isOurs reports whether a channel is of this process.
func (l *Layer) isOurs(channel string) bool {
	id, ok := nodeOf(channel)
	return ok && id == l.names.id
}
