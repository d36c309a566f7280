package redislayer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/membership"
	"github.com/belleville/belleville/channellayer/wireformat"
)

// PubSubLayer is the channel layer of channels_redis that uses Redis's pub/sub: a [channellayer.Layer] and a
// [channellayer.Listener]. Nothing waits in Redis: who does not listen misses what is sent, and every listener to a
// plain channel gets each event. Only this process adds its channels to groups.
//
// A process subscribes once to a group, whatever the number of its channels in it, and with one pattern to all its
// channels.
//
// Python: channels_redis.pubsub.RedisPubSubChannelLayer, 4.0 to 4.3.
type PubSubLayer struct {
	// Set at birth, never changed.
	config     Config
	codec      *wireformat.Codec
	capacities channellayer.Capacities
	prefix     string // of the names of channels
	local      *channellayer.Local
	groups     *membership.Table
	plain      *subscribers
	hosts      []*topics
	links      []*link
	metrics    *metrics
	ended      chan struct{} // closed by Close
	stop       context.CancelFunc
	running    sync.WaitGroup

	closing  atomic.Bool
	warnings warnings
}

// NewPubSub is [New] for a site that uses RedisPubSubChannelLayer.
func NewPubSub(ctx context.Context, c Config) (*PubSubLayer, error) {
	l, err := newPubSubLayer(c.withDefaults())
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	for _, h := range l.hosts {
		l.running.Go(func() { h.serve(running) })
		l.running.Go(func() { h.run(running, h.session) })
	}
	l.running.Go(func() { l.tidy(running) })
	if err := firstTry(ctx, l.links); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// newPubSubLayer makes a PubSubLayer that does nothing yet.
func newPubSubLayer(c Config) (*PubSubLayer, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	crypter, err := wireformat.NewCrypter(c.SymmetricEncryptionKeys, 0)
	if err != nil {
		return nil, fmt.Errorf("redislayer: symmetric_encryption_keys: %w", err)
	}
	names := newNodeNames(c.NodeName, 1, 1)
	l := &PubSubLayer{
		config:     c,
		codec:      &wireformat.Codec{Format: c.SerializerFormat, Crypter: crypter, MaxMessage: c.MaxMessage},
		capacities: channellayer.NewCapacities(c.Capacity, c.ChannelCapacity),
		prefix:     c.Prefix + names.prefix,
		plain:      newSubscribers(),
		ended:      make(chan struct{}),
	}
	if err := channellayer.CheckChannelName(l.prefix + strings.Repeat("x", channellayer.TailLen)); err != nil {
		return nil, fmt.Errorf("redislayer: prefix: %w", err)
	}
	l.local = channellayer.NewLocal(l.tally)
	l.groups = membership.New(l.local, names.suffix)
	var clients []*client
	for i, h := range c.Hosts {
		client, err := newClient(i, h, c.Timeout)
		if err != nil {
			return nil, err
		}
		clients = append(clients, client)
	}
	l.metrics = newMetrics(c.Registerer, gauges{l.local, 0})
	for _, client := range clients {
		h := newTopics(client, l)
		l.hosts, l.links = append(l.hosts, h), append(l.links, h.link)
	}
	return l, nil
}

// Ready returns nil where every host is connected and what the layer sent to itself came back, and otherwise
// what is wrong with the first that is not.
func (l *PubSubLayer) Ready(ctx context.Context) error {
	if err := l.usable(ctx); err != nil {
		return err
	}
	return allReady(l.links)
}

func (l *PubSubLayer) usable(ctx context.Context) error {
	if l.closing.Load() {
		return channellayer.ErrClosed
	}
	return ctx.Err()
}

// Close ends the layer. Channels get nothing more.
func (l *PubSubLayer) Close() error {
	if l.closing.Swap(true) {
		return nil
	}
	l.groups.End()
	close(l.ended)
	l.stop()
	l.running.Wait()
	for _, h := range l.hosts {
		h.client.close()
	}
	return nil
}

// NewChannel implements [channellayer.Layer].
func (l *PubSubLayer) NewChannel(ctx context.Context, r channellayer.Receiver) (string, error) {
	if err := l.usable(ctx); err != nil {
		return "", err
	}
	return l.groups.Open(l.prefix, l.capacities, r)
}

// CloseChannel implements [channellayer.Layer].
func (l *PubSubLayer) CloseChannel(name string) { l.groups.Close(name) }

// Send implements [channellayer.Layer]. No channel is ever full in Redis, and one that nobody listens to loses e.
func (l *PubSubLayer) Send(ctx context.Context, channel string, e channellayer.Event) error {
	if err := channellayer.CheckChannelName(channel); err != nil {
		return err
	}
	l.metrics.sentChannel.Inc()
	return l.publish(ctx, channel, e)
}

// GroupSend implements [channellayer.Layer].
func (l *PubSubLayer) GroupSend(ctx context.Context, group string, e channellayer.Event) error {
	if err := channellayer.CheckGroupName(group); err != nil {
		return err
	}
	l.metrics.sentGroup.Inc()
	return l.publish(ctx, l.topic(group), e)
}

func (l *PubSubLayer) publish(ctx context.Context, topic string, e channellayer.Event) error {
	serialized, err := l.codec.Encode(e)
	if err != nil {
		return err
	}
	if err := l.usable(ctx); err != nil {
		return err
	}
	return l.host(topic).publish(ctx, topic, l.codec.Seal(serialized.Plain(), time.Now()))
}

// GroupAdd implements [channellayer.Layer]. It returns [channellayer.ErrNoChannel] for every channel but those that are
// open in this process.
func (l *PubSubLayer) GroupAdd(ctx context.Context, group, channel string) error {
	if err := checkNames(ctx, group, channel); err != nil {
		return err
	}
	if err := l.usable(ctx); err != nil {
		return err
	}
	return l.groups.Join(ctx, group, channel, func(ctx context.Context, group string) error {
		topic := l.topic(group)
		return l.host(topic).subscribe(ctx, []string{topic})
	})
}

// GroupDiscard implements [channellayer.Layer].
func (l *PubSubLayer) GroupDiscard(ctx context.Context, group, channel string) error {
	if err := checkNames(ctx, group, channel); err != nil {
		return err
	}
	if err := l.usable(ctx); err != nil {
		return err
	}
	l.groups.Leave(group, channel)
	return nil
}

// Listen implements [channellayer.Listener]. Every listener gets each event; one that is full misses it.
func (l *PubSubLayer) Listen(ctx context.Context, channel string, r channellayer.Receiver) error {
	if err := channellayer.CheckChannelName(channel); err != nil {
		return err
	}
	if err := l.usable(ctx); err != nil {
		return err
	}
	s := &subscriber{receiver: r, capacity: l.capacities.Of(channel)}
	l.plain.add(channel, s)
	// Where the host is away, the session that finds it again subscribes.
	err := l.host(channel).subscribe(ctx, []string{channel})
	if err != nil && ctx.Err() == nil {
		l.config.Logger.Warn("channel layer: cannot listen yet", "error", err)
	}
	select {
	case <-ctx.Done():
		err = ctx.Err()
	case <-l.ended:
		err = channellayer.ErrClosed
	}
	if last := l.plain.remove(channel, s); last {
		_ = l.host(channel).unsubscribe(context.WithoutCancel(ctx), []string{channel}) // the worst is an event that nobody takes
	}
	return err
}

// topic returns what the events of a group are published under.
func (l *PubSubLayer) topic(group string) string { return l.config.Prefix + "__group__" + group }

// host returns the host that is responsible for a topic.
func (l *PubSubLayer) host(topic string) *topics { return l.hosts[shardOf(topic, len(l.hosts))] }

// tell hands an event of a type to all channels, unless the type is "".
func (l *PubSubLayer) tell(typ string) {
	if typ == "" {
		return
	}
	d := channellayer.NewDelivery(channellayer.Event{"type": typ}, time.Time{})
	l.local.DeliverGroup(membership.Everyone, d)
}

// tally is the layer's [channellayer.Tally].
func (l *PubSubLayer) tally(d *channellayer.Delivery, delivered, dropped int) {
	l.metrics.tally(d, delivered, dropped)
}

// dispatch hands out what came under a topic.
func (l *PubSubLayer) dispatch(h *topics, topic string, data []byte, came time.Time) {
	e, _, err := l.codec.Open(data, time.Now())
	if err != nil {
		l.metrics.invalid(err)
		l.warnings.unread(h.logger, err)
		return
	}
	if topic == h.canaryTopic() {
		h.canaryCame(e)
		return
	}
	d := channellayer.NewDelivery(e, came.Add(l.config.Expiry))
	if group, ok := strings.CutPrefix(topic, l.topic("")); ok {
		l.local.DeliverGroup(group, d)
		return
	}
	if strings.HasPrefix(topic, l.prefix) {
		l.metrics.outcome(l.local.Deliver(topic, d))
		return
	}
	for _, s := range l.plain.of(topic) {
		if s.receiver.Receive(d, s.capacity) {
			l.metrics.delivered.Inc()
		} else {
			l.metrics.droppedFull.Inc()
		}
	}
}

// tidy ends the subscriptions to the groups that have lingered long enough, until ctx is done.
func (l *PubSubLayer) tidy(ctx context.Context) {
	ticks := time.NewTicker(min(time.Second, max(l.config.Linger/2, time.Millisecond)))
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		for _, group := range l.groups.StartLeaving(time.Now().Add(-l.config.Linger), mostLeaving) {
			topic := l.topic(group)
			l.groups.DoneLeaving([]string{group}, l.host(topic).unsubscribe(ctx, []string{topic}))
		}
	}
}

// subscribers are those that listen to plain channels.
type subscribers struct {
	mu        sync.Mutex // guards the field below
	byChannel map[string][]*subscriber
}

type subscriber struct {
	receiver channellayer.Receiver
	capacity int
}

func newSubscribers() *subscribers {
	return &subscribers{byChannel: make(map[string][]*subscriber)}
}

func (p *subscribers) add(channel string, s *subscriber) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byChannel[channel] = append(p.byChannel[channel][:len(p.byChannel[channel]):len(p.byChannel[channel])], s)
}

// remove reports whether nobody listens to the channel any more.
func (p *subscribers) remove(channel string, s *subscriber) (last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var left []*subscriber
	for _, other := range p.byChannel[channel] {
		if other != s {
			left = append(left, other)
		}
	}
	if p.byChannel[channel] = left; len(left) == 0 {
		delete(p.byChannel, channel)
	}
	return len(left) == 0
}

// of returns those that listen to a channel; nobody changes the list.
func (p *subscribers) of(channel string) []*subscriber {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byChannel[channel]
}

// channels returns the channels that somebody listens to.
func (p *subscribers) channels() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for name := range p.byChannel {
		names = append(names, name)
	}
	return names
}

// errNoSession means that there is no connection to subscribe on.
var errNoSession = errors.New("it is not connected")

// do runs a command on the connection that is subscribed, if there is one.
func (h *topics) do(ctx context.Context, command func(rueidis.DedicatedClient) rueidis.Completed) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	conn := h.current()
	if conn == nil {
		return h.client.unavailable(errNoSession)
	}
	limited, cancel := context.WithTimeout(ctx, h.client.timeout)
	defer cancel()
	err := conn.Do(limited, command(conn)).Error()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return h.client.unavailable(err)
	}
}
