package redislayer

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/membership"
	"github.com/belleville/belleville/channellayer/wireformat"
)

// Send implements [channellayer.Layer]. An event for a channel of this process does not go through Redis.
func (l *Layer) Send(ctx context.Context, channel string, e channellayer.Event) error {
	if err := channellayer.CheckChannelName(channel); err != nil {
		return err
	}
	serialized, err := l.check(ctx, e)
	if err != nil {
		return err
	}
	l.metrics.sentChannel.Inc()
	if l.isOurs(channel) {
		if err := l.deliverChannel(channel, l.delivery(e)); errors.Is(err, channellayer.ErrFull) {
			return err
		}
		return nil // and a channel that is not open misses it, which was counted
	}
	b := newBatch()
	if channellayer.IsLocal(channel) {
		s := l.shard(channellayer.NonLocalName(channel)) // where the receiver looks; Django's own send often errs
		b.add(s.client.index, l.keys.address(channel), l.seal(serialized.To(channel)), l.capacity(channel))
	} else {
		i := int(l.next.Add(1) % uint64(len(l.shards)))
		b.add(i, l.keys.inbox(channel), l.seal(serialized.Plain()), l.capacity(channel))
	}
	full, err := l.pushAll(ctx, b)
	if full > 0 {
		l.metrics.refusedFull.Inc()
		return channellayer.ErrFull
	}
	return err
}

// GroupSend implements [channellayer.Layer]. It asks Redis who is in the group, hands e to the members in this
// process, and puts one message on the inbox of every other one.
func (l *Layer) GroupSend(ctx context.Context, group string, e channellayer.Event) error {
	if err := channellayer.CheckGroupName(group); err != nil {
		return err
	}
	serialized, err := l.check(ctx, e)
	if err != nil {
		return err
	}
	l.metrics.sentGroup.Inc()
	names, err := l.shard(group).members(ctx, group)
	if err != nil {
		return err
	}
	ours, others := l.split(names)
	l.handOutGroup(group, ours, l.delivery(e))
	l.meet(group, others)
	full, err := l.pushAll(ctx, l.batchFor(others, serialized))
	l.metrics.refusedFull.Add(float64(full))
	return err
}

// check is what Send and GroupSend ask of an event.
func (l *Layer) check(ctx context.Context, e channellayer.Event) (wireformat.Body, error) {
	serialized, err := l.codec.Encode(e)
	if err != nil {
		return serialized, err
	}
	return serialized, l.usable(ctx)
}

// delivery makes a delivery of a copy of e: who sends an event may go on to change it.
func (l *Layer) delivery(e channellayer.Event) *channellayer.Delivery {
	return channellayer.NewDelivery(e.Clone(), time.Now().Add(l.config.Expiry))
}

func (l *Layer) seal(serialized []byte) string { return l.codec.Seal(serialized, time.Now()) }

// capacity returns how many messages may wait in the inbox of a channel.
func (l *Layer) capacity(channel string) int {
	c := l.capacities.Of(channel)
	if _, node := nodeOf(channel); node {
		return max(c, nodeCapacity)
	}
	return c
}

// split parts the members of a group into those of this process and the others.
func (l *Layer) split(names []string) (ours, others []string) {
	for _, name := range names {
		if l.isOurs(name) {
			ours = append(ours, name)
		} else {
			others = append(others, name)
		}
	}
	return ours, others
}

// handOutGroup hands d to the members of a group in this process: those that joined here, and the connections that a
// peer has added by name.
func (l *Layer) handOutGroup(group string, ours []string, d *channellayer.Delivery) {
	l.local.DeliverGroup(group, d)
	for _, name := range ours {
		_, suffix, _ := strings.Cut(name, "!")
		if membership.IsRepresentative(suffix) {
			continue
		}
		l.foreign.Store(true)
		if l.groups.IsMember(name, group) {
			continue
		}
		if err := l.deliverChannel(name, d); errors.Is(err, channellayer.ErrNoChannel) {
			l.bury(ghost{group: group, closed: name})
		}
	}
}

// batchFor makes the messages for the members of a group in other processes: one for each key.
func (l *Layer) batchFor(names []string, serialized wireformat.Body) *batch {
	byKey := make(map[string][]string, len(names))
	var order []string
	for _, name := range names {
		key := l.keys.address(name)
		if byKey[key] == nil {
			order = append(order, key)
		}
		byKey[key] = append(byKey[key], name)
	}
	b := newBatch()
	for _, key := range order {
		channels := byKey[key]
		s := l.shard(channellayer.NonLocalName(channels[0]))
		b.add(s.client.index, key, l.seal(serialized.ToAll(channels)), l.capacity(channels[0]))
	}
	return b
}

// batch is what one event becomes: messages for keys, by host.
type batch struct {
	shards map[int]*pushes
}

// pushes are the arguments of the script push.
type pushes struct {
	keys, messages, capacities []string
}

func newBatch() *batch { return &batch{make(map[int]*pushes)} }

func (b *batch) add(shard int, key, message string, capacity int) {
	p := b.shards[shard]
	if p == nil {
		p = new(pushes)
		b.shards[shard] = p
	}
	p.keys = append(p.keys, key)
	p.messages = append(p.messages, message)
	p.capacities = append(p.capacities, strconv.Itoa(capacity))
}

// pushAll sends a batch, to all hosts at once, and returns how many keys were full.
func (l *Layer) pushAll(ctx context.Context, b *batch) (full int, err error) {
	if len(b.shards) == 1 {
		for i, p := range b.shards {
			full, err = l.shards[i].push(ctx, p)
		}
		return full, err
	}
	var mu sync.Mutex // guards full and err
	var sending sync.WaitGroup
	for i, p := range b.shards {
		sending.Go(func() {
			n, pushErr := l.shards[i].push(ctx, p)
			mu.Lock()
			defer mu.Unlock()
			full += n
			err = errors.Join(err, pushErr)
		})
	}
	sending.Wait()
	return full, err
}
