// Package broker makes this process the server that a Django site's channel layer talks to: it speaks as much of the
// Redis protocol as channels_redis needs, in both of its forms, so that a site without Redis needs none.
//
// Start with [New], which returns the layer of this process, and [Layer.Serve], which lets others in. Events
// go straight between the two. Django has its answer before what it sends to a group is handed to the members, so that it
// waits for one as for ten thousand; only where a thousand of its messages wait already, it waits for room.
//
// It is no Redis for other data: commands and scripts that no channel layer uses are refused. Nothing is kept on disk;
// when the process ends, all is forgotten, as with a Redis that is restarted.
//
// Clients are strangers: the size of commands, their number, the memory for keys, and for what is on its way are bounded.
//
// Python: the other end of channels_redis.core.RedisChannelLayer and
// channels_redis.pubsub.RedisPubSubChannelLayer, 4.0 to 4.3.
package broker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/wireformat"
)

// Layer is a [channellayer.Layer] and a [channellayer.Listener], and the server that others share it through.
//
// It needs not be told which form the site uses: it takes part in both. It is never cut off from itself, so that its channels
// never get a channellayer.GapType.
type Layer struct {
	// Set at birth, never changed.
	config     Config
	codec      *wireformat.Codec // of the core form
	topicCodec *wireformat.Codec // of the pub/sub form
	capacities channellayer.Capacities
	names      names
	local      *channellayer.Local
	database   *database
	inbox      *inbox // of messages from outside, for channels of this process
	data       map[string]spec
	session    map[string]own
	metrics    *metrics
	memory     budget
	buffers    budget
	ended      chan struct{} // closed by Close

	closing atomic.Bool
	clients clients

	mu     sync.Mutex        // guards the field below, and every membership in local
	hashed map[string]string // the suffixes of representatives with a hash, and their groups
}

// New returns a Layer that nobody else can reach yet. It panics where Config.Registerer has the metrics of another Layer
// already.
func New(c Config) (*Layer, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	crypter, err := wireformat.NewCrypter(c.SymmetricEncryptionKeys, c.Expiry+10*time.Second)
	if err != nil {
		return nil, fmt.Errorf("broker: symmetric_encryption_keys: %w", err)
	}
	ageless, err := wireformat.NewCrypter(c.SymmetricEncryptionKeys, 0)
	if err != nil {
		return nil, fmt.Errorf("broker: symmetric_encryption_keys: %w", err)
	}
	l := &Layer{
		config:     c,
		codec:      &wireformat.Codec{Format: c.SerializerFormat, Crypter: crypter, PrefixLength: c.RandomPrefixLength, MaxMessage: c.MaxMessage},
		topicCodec: &wireformat.Codec{Format: c.SerializerFormat, Crypter: ageless, MaxMessage: c.MaxMessage},
		capacities: channellayer.NewCapacities(c.Capacity, c.ChannelCapacity),
		names:      newNames(c.Prefix, c.RandomPrefixLength, c.Expiry),
		data:       dataCommands(),
		session:    sessionCommands(),
		ended:      make(chan struct{}),
		hashed:     make(map[string]string),
	}
	l.memory.limit, l.buffers.limit = c.MaxMemory, c.MaxBuffers
	l.database = newDatabase(l.names, &l.memory)
	l.inbox = newInbox(l.handOut)
	l.local = channellayer.NewLocal(l.tally)
	l.metrics = newMetrics(c.Registerer, l)
	return l, nil
}

// Ready returns nil until the layer is closed.
func (l *Layer) Ready(ctx context.Context) error { return l.usable(ctx) }

// usable returns why nothing can be done now.
func (l *Layer) usable(ctx context.Context) error {
	if l.closing.Load() {
		return channellayer.ErrClosed
	}
	return ctx.Err()
}

// NewChannel implements [channellayer.Layer].
func (l *Layer) NewChannel(ctx context.Context, r channellayer.Receiver) (string, error) {
	if err := l.usable(ctx); err != nil {
		return "", err
	}
	return l.local.Open(l.names.channels, l.capacities, r), nil
}

// CloseChannel implements [channellayer.Layer].
func (l *Layer) CloseChannel(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ended := l.local.Close(name); len(ended) > 0 {
		l.endLocked(ended)
	}
}

// GroupAdd implements [channellayer.Layer]. It returns [channellayer.ErrNoChannel] for a channel of this process
// that is not open.
func (l *Layer) GroupAdd(ctx context.Context, group, channel string) error {
	if err := l.checkNames(ctx, group, channel); err != nil {
		return err
	}
	if l.names.isOurs(channel) {
		return l.join(group, channel)
	}
	if l.memory.full() {
		return errMemoryFull
	}
	l.do(func(t *tx) {
		t.add(t.names.groups+group, channel, t.seconds())
		t.expire(t.names.groups+group, roundUp(l.config.GroupExpiry))
	})
	return nil
}

// join makes an open channel of this process a member of a group. With the first one, the process becomes one.
func (l *Layer) join(group, channel string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	first, err := l.local.Join(group, channel)
	if err != nil || !first {
		return err
	}
	name := l.names.representative(group)
	if suffix := name[len(l.names.channels):]; suffix != groupSuffix+group {
		l.hashed[suffix] = group
	}
	l.database.do(func(t *tx) { t.keyspace.pinned(t.names.groups+group, name, t.now) })
	return nil
}

// GroupDiscard implements [channellayer.Layer].
func (l *Layer) GroupDiscard(ctx context.Context, group, channel string) error {
	if err := l.checkNames(ctx, group, channel); err != nil {
		return err
	}
	if l.names.isOurs(channel) {
		l.leave(group, channel)
		return nil
	}
	l.do(func(t *tx) { t.remove(t.names.groups+group, channel) })
	return nil
}

func (l *Layer) leave(group, channel string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.local.Leave(group, channel) {
		l.endLocked([]string{group})
	}
}

// endLocked takes the process out of groups that have no open channel any more.
func (l *Layer) endLocked(groups []string) {
	l.database.do(func(t *tx) {
		for _, group := range groups {
			t.keyspace.pinned(t.names.groups+group, "", t.now)
			if name := l.names.representative(group); len(l.hashed) > 0 {
				delete(l.hashed, name[len(l.names.channels):])
			}
		}
	})
}

// represented returns the group that a channel of this process stands for, if it does for one.
func (l *Layer) represented(suffix string) (group string, ok bool) {
	if len(suffix) < len(groupSuffix) {
		return "", false
	}
	switch suffix[:len(groupSuffix)] {
	case groupSuffix:
		return suffix[len(groupSuffix):], true
	case hashSuffix:
		l.mu.Lock()
		defer l.mu.Unlock()
		group, ok = l.hashed[suffix]
		return group, ok
	}
	return "", false
}

// checkNames is what GroupAdd and GroupDiscard ask of their arguments.
func (l *Layer) checkNames(ctx context.Context, group, channel string) error {
	if err := channellayer.CheckGroupName(group); err != nil {
		return err
	}
	if err := channellayer.CheckChannelName(channel); err != nil {
		return err
	}
	return l.usable(ctx)
}
