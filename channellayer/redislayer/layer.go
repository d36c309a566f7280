// Package redislayer is the channel layer of channels_redis: it lets this process share groups and channels with a
// Django site that uses RedisChannelLayer, and with other processes like this one.
//
// Start with [New].
//
// A process is one member of a group, whatever the number of its connections in it, so that group_send costs
// Django the same for one as for ten thousand. Events go to a process's own channels without Redis.
//
// What comes out of Redis is data from outside: a message is bounded before it is decoded, and one that holds no
// event is counted and left behind.
//
// Python: channels_redis.core.RedisChannelLayer, 4.0 to 4.3.
package redislayer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/membership"
	"github.com/belleville/belleville/channellayer/wireformat"
)

// GapType is channellayer.GapType: every open channel gets such an event after the connection to a host was lost,
// once it is back and the channel's groups are known to Redis again.
const GapType = channellayer.GapType

// nodeCapacity is how many events other processes like this one may let wait in an inbox. Their receivers bound what
// each connection takes; the site's capacity is for inboxes that Django reads.
const nodeCapacity = 10_000

// Layer is a [channellayer.Layer] and a [channellayer.Listener].
//
// A membership is renewed, and ended, by the process that has made it: one that Django makes of a channel here lasts
// for the group expiry, and what GroupAdd has made here, Django's group_discard does not end.
type Layer struct {
	// Set at birth, never changed.
	config     Config
	codec      *wireformat.Codec
	capacities channellayer.Capacities
	names      nodeNames
	keys       keys
	scripts    scripts
	local      *channellayer.Local
	groups     *membership.Table
	lanes      []lane
	inboxKeys  []string // of the lanes: those that Django knows, then those for other Bellevilles
	shards     []*shard
	links      []*link // of the shards
	metrics    *metrics
	ghosts     chan ghost    // bounded; a ghost that finds no place is met again
	ended      chan struct{} // closed by Close
	stop       context.CancelFunc
	running    sync.WaitGroup

	opened   atomic.Uint64 // how many channels there ever were
	next     atomic.Uint64 // the host for the next event to a plain channel
	closing  atomic.Bool
	foreign  atomic.Bool // a peer has made one of our connections a member of a group by its own name
	warnings warnings
	checked  seen // other nodes that were alive a moment ago
}

// New connects to the hosts and returns a Layer, which the caller ends with Close. It tries each host once; one that is
// away is waited for in the background, and [Layer.Ready] tells. A host that refuses, as for a wrong password,
// is a [RefusedError]. New panics where Config.Registerer has the metrics of another Layer already.
func New(ctx context.Context, c Config) (*Layer, error) {
	l, err := newLayer(c.withDefaults())
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	for _, s := range l.shards {
		l.running.Go(func() { s.serve(running) })
		l.running.Go(func() { s.run(running, s.session) })
	}
	l.running.Go(func() { l.tidy(running) })
	if err := firstTry(ctx, l.links); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// newLayer makes a Layer that does nothing yet.
func newLayer(c Config) (*Layer, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	crypter, err := wireformat.NewCrypter(c.SymmetricEncryptionKeys, c.Expiry+10*time.Second)
	if err != nil {
		return nil, fmt.Errorf("redislayer: symmetric_encryption_keys: %w", err)
	}
	l := &Layer{
		config:     c,
		codec:      &wireformat.Codec{Format: c.SerializerFormat, Crypter: crypter, PrefixLength: c.RandomPrefixLength, MaxMessage: c.MaxMessage},
		capacities: channellayer.NewCapacities(c.Capacity, c.ChannelCapacity),
		names:      newNodeNames(c.NodeName, c.Lanes, len(c.Hosts)),
		keys:       keys{c.Prefix},
		scripts:    newScripts(),
		ghosts:     make(chan ghost, 64),
		ended:      make(chan struct{}),
	}
	l.local = channellayer.NewLocal(l.tally)
	l.groups = membership.New(l.local, l.names.suffix)
	if len(l.names.inboxes) < c.Lanes {
		return nil, fmt.Errorf("redislayer: %d hosts are too many", len(c.Hosts))
	}
	for i, name := range l.names.inboxes {
		l.lanes = append(l.lanes, lane{i, name, l.keys.inbox(name)})
		l.inboxKeys = append(l.inboxKeys, l.keys.inbox(name))
	}
	for _, name := range l.names.inboxes {
		l.inboxKeys = append(l.inboxKeys, l.keys.address(name))
	}
	var clients []*client
	for i, h := range c.Hosts {
		client, err := newClient(i, h, c.Timeout)
		if err != nil {
			return nil, err
		}
		clients = append(clients, client)
	}
	l.metrics = newMetrics(c.Registerer, gauges{l.local, c.Lanes})
	for _, client := range clients {
		s := newShard(client, l)
		l.shards, l.links = append(l.shards, s), append(l.links, s.link)
	}
	return l, nil
}

// Ready returns nil where every host is connected and what the layer sent to itself came back, and otherwise
// what is wrong with the first that is not.
func (l *Layer) Ready(ctx context.Context) error {
	if err := l.usable(ctx); err != nil {
		return err
	}
	return allReady(l.links)
}

// usable returns why nothing can be done now.
func (l *Layer) usable(ctx context.Context) error {
	if l.closing.Load() {
		return channellayer.ErrClosed
	}
	return ctx.Err()
}

// Close takes the process out of all groups, as far as Redis is there, and ends the layer. Channels get nothing more.
func (l *Layer) Close() error {
	if l.closing.Swap(true) {
		return nil
	}
	l.groups.End()
	close(l.ended)
	l.stop()
	l.running.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	lingering := l.groups.StartLeaving(time.Now(), math.MaxInt)
	var leaving sync.WaitGroup
	for _, s := range l.shards {
		leaving.Go(func() {
			s.leaveAll(ctx, lingering)
			s.client.close()
		})
	}
	leaving.Wait()
	return nil
}

// NewChannel implements [channellayer.Layer].
func (l *Layer) NewChannel(ctx context.Context, r channellayer.Receiver) (string, error) {
	if err := l.usable(ctx); err != nil {
		return "", err
	}
	return l.groups.Open(l.names.inbox(l.opened.Add(1)), l.capacities, r)
}

// CloseChannel implements [channellayer.Layer].
func (l *Layer) CloseChannel(name string) { l.groups.Close(name) }

// GroupAdd implements [channellayer.Layer]. It returns [channellayer.ErrNoChannel] for a channel of this process
// that is not open.
func (l *Layer) GroupAdd(ctx context.Context, group, channel string) error {
	if err := checkNames(ctx, group, channel); err != nil {
		return err
	}
	if err := l.usable(ctx); err != nil {
		return err
	}
	if l.isOurs(channel) {
		return l.groups.Join(ctx, group, channel, l.register)
	}
	s := l.shard(group)
	_, err := s.client.run(ctx, l.scripts.add, []string{l.keys.group(group)}, []string{seconds(l.config.GroupExpiry), channel})
	return err
}

// register makes the process a member of a group.
func (l *Layer) register(ctx context.Context, group string) error {
	return l.shard(group).register(ctx, []string{group})
}

// GroupDiscard implements [channellayer.Layer]. What GroupAdd did here cannot be undone in another process.
func (l *Layer) GroupDiscard(ctx context.Context, group, channel string) error {
	if err := checkNames(ctx, group, channel); err != nil {
		return err
	}
	if err := l.usable(ctx); err != nil {
		return err
	}
	if l.isOurs(channel) && l.groups.Leave(group, channel) && !l.foreign.Load() {
		return nil
	}
	return l.shard(group).remove(ctx, group, []string{channel})
}

// isOurs reports whether a channel is of this process.
func (l *Layer) isOurs(channel string) bool {
	id, ok := nodeOf(channel)
	return ok && id == l.names.id
}

// shard returns the host that is responsible for a group, or for what is before "!" in a channel's name.
func (l *Layer) shard(name string) *shard { return l.shards[shardOf(name, len(l.shards))] }

// tally is the layer's [channellayer.Tally].
func (l *Layer) tally(d *channellayer.Delivery, delivered, dropped int) {
	l.metrics.tally(d, delivered, dropped)
}

// gap tells all channels that they may have missed something.
func (l *Layer) gap() {
	d := channellayer.NewDelivery(channellayer.Event{"type": GapType}, time.Time{})
	l.metrics.gaps.Inc()
	l.local.DeliverGroup(membership.Everyone, d)
}
