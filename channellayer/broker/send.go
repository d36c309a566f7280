package broker

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/wireformat"
)

// errMemoryFull means that an event was not sent because Config.MaxMemory is used up.
var errMemoryFull = errors.New("broker: there is no memory for another message")

// Send implements [channellayer.Layer].
func (l *Layer) Send(ctx context.Context, channel string, e channellayer.Event) error {
	if err := channellayer.CheckChannelName(channel); err != nil {
		return err
	}
	if err := l.check(ctx, e); err != nil {
		return err
	}
	l.metrics.sentChannel.Inc()
	if l.names.isOurs(channel) {
		if err := l.deliverChannel(channel, l.delivery(e.Clone())); errors.Is(err, channellayer.ErrFull) {
			return err
		}
		return nil // and a channel that is not open misses it, which was counted
	}
	serialized, err := l.codec.Encode(e)
	if err != nil {
		return err
	}
	if !channellayer.IsLocal(channel) {
		if l.publish(channel, serialized) > 0 {
			return nil
		}
		if strings.HasPrefix(channel, l.names.specific) {
			l.metrics.droppedNoChannel.Inc()
			return nil // a channel of the pub/sub form that nobody has
		}
		return l.push([]message{{l.names.key(channel), l.seal(serialized.Plain()), l.capacities.Of(channel)}})
	}
	return l.push([]message{{l.names.key(channel), l.seal(serialized.To(channel)), l.capacities.Of(channel)}})
}

// GroupSend implements [channellayer.Layer]. Members in this process get e at once; Django's get a message each, or a
// process's together.
func (l *Layer) GroupSend(ctx context.Context, group string, e channellayer.Event) error {
	if err := channellayer.CheckGroupName(group); err != nil {
		return err
	}
	if err := l.check(ctx, e); err != nil {
		return err
	}
	l.metrics.sentGroup.Inc()
	if l.local.Members(group) > 0 {
		l.local.DeliverGroup(group, l.delivery(e.Clone()))
	}
	names, subscribed := l.others(group)
	if len(names) == 0 && !subscribed {
		return nil
	}
	serialized, err := l.codec.Encode(e)
	if err != nil {
		return err
	}
	if subscribed {
		l.publish(l.names.topics+group, serialized)
	}
	if err = l.push(l.messages(names, serialized)); errors.Is(err, channellayer.ErrFull) {
		return nil // which was counted
	}
	return err
}

// check is what Send and GroupSend ask of an event.
func (l *Layer) check(ctx context.Context, e channellayer.Event) error {
	if err := e.Check(); err != nil {
		return err
	}
	return l.usable(ctx)
}

// others returns the members of a group that are not of this process, and whether somebody is subscribed to it.
func (l *Layer) others(group string) (channels []string, subscribed bool) {
	l.do(func(t *tx) {
		name := t.names.groups + group
		t.removeBetween(name, lowest(), bound{t.seconds() - l.config.GroupExpiry.Seconds(), true})
		if k := t.get(name); k != nil {
			for e := range k.set.span(0, k.set.len()) {
				channels = append(channels, e.member)
			}
		}
		subscribed = t.hasSubscribers(t.names.topics + group)
	})
	return channels, subscribed
}

// hasSubscribers reports whether a client would get what is published.
func (t *tx) hasSubscribers(topic string) bool {
	if len(t.topics[topic]) > 0 {
		return true
	}
	for pattern := range t.patterns {
		if matches(pattern, topic) {
			return true
		}
	}
	return false
}

// publish hands a message to the clients that are subscribed to a topic, and returns how many they are.
func (l *Layer) publish(topic string, serialized wireformat.Body) (n int) {
	subscribed := false
	l.do(func(t *tx) { subscribed = t.hasSubscribers(topic) })
	if !subscribed {
		return 0
	}
	sealed := l.topicCodec.Seal(serialized.Plain(), time.Now())
	l.do(func(t *tx) { n = t.toClients(topic, sealed) })
	return n
}

func (l *Layer) seal(serialized []byte) string { return l.codec.Seal(serialized, time.Now()) }

// message is what is put on a key.
type message struct {
	key, text string
	capacity  int
}

// messages makes the messages for channels of other processes: one for each key.
func (l *Layer) messages(channels []string, serialized wireformat.Body) []message {
	byKey := make(map[string][]string, len(channels))
	var order []string
	for _, name := range channels {
		key := l.names.key(name)
		if byKey[key] == nil {
			order = append(order, key)
		}
		byKey[key] = append(byKey[key], name)
	}
	list := make([]message, 0, len(order))
	for _, key := range order {
		names := byKey[key]
		list = append(list, message{key, l.seal(serialized.ToAll(names)), l.capacities.Of(names[0])})
	}
	return list
}

// push puts messages on their keys. It returns [channellayer.ErrFull] where one of them was full.
func (l *Layer) push(list []message) error {
	full := 0
	if len(list) > 0 && l.memory.full() {
		l.metrics.refused.WithLabelValues("memory").Inc()
		return errMemoryFull
	}
	l.do(func(t *tx) {
		for _, m := range list {
			full += 1 - truth(t.push(m.key, m.text, m.capacity, l.config.Expiry))
		}
	})
	if full > 0 {
		l.metrics.refusedFull.Add(float64(full))
		return channellayer.ErrFull
	}
	return nil
}
