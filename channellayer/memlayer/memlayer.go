// Package memlayer is the channel layer of a single process: for development, for tests, and for a site whose
// only process on the layer is Belleville. Nothing reaches Django or another process.
//
// Start with [New].
//
// Python: channels.layers.InMemoryChannelLayer, without three of its defects: here workers can listen to
// plain channels, an event that became stale takes its channel out of no group, and Config.Capacities works.
package memlayer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer"
)

// Config says how much a Layer keeps, and for how long. The zero Config is a good one, with the values that
// Channels has.
type Config struct {
	// Capacity is how many events may wait in a channel. Default: 100.
	Capacity int

	// Capacities says otherwise for the channels that its globs match; the first that does counts.
	Capacities []channellayer.Capacity

	// Expiry is how long an event may wait. Default: one minute.
	Expiry time.Duration

	// GroupExpiry is how long a plain channel stays in a group, unless it is added again. An open
	// channel stays for as long as it is open. Default: one day.
	GroupExpiry time.Duration

	// Registerer is where the metrics are registered. Default: nowhere.
	Registerer prometheus.Registerer
}

func (c Config) withDefaults() Config {
	if c.Capacity == 0 {
		c.Capacity = 100
	}
	if c.Expiry == 0 {
		c.Expiry = time.Minute
	}
	if c.GroupExpiry == 0 {
		c.GroupExpiry = 24 * time.Hour
	}
	return c
}

// Layer is a [channellayer.Layer] and a [channellayer.Listener].
type Layer struct {
	// Set at birth, never changed.
	config     Config
	capacities channellayer.Capacities
	prefix     string // of the names of channels
	local      *channellayer.Local
	plain      *plainChannels
	members    *plainMembers
	metrics    *metrics
}

// New returns a Layer. It panics where Config.Registerer has the metrics of another Layer already.
func New(c Config) *Layer {
	c = c.withDefaults()
	l := &Layer{
		config:     c,
		capacities: channellayer.NewCapacities(c.Capacity, c.Capacities),
		prefix:     "specific." + randomHex() + "!",
		plain:      newPlainChannels(),
		members:    newPlainMembers(c.GroupExpiry),
	}
	l.local = channellayer.NewLocal(l.tally)
	l.metrics = newMetrics(c.Registerer, l)
	return l
}

// NewChannel implements [channellayer.Layer].
func (l *Layer) NewChannel(ctx context.Context, r channellayer.Receiver) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return l.local.Open(l.prefix, l.capacities, r), nil
}

// CloseChannel implements [channellayer.Layer].
func (l *Layer) CloseChannel(name string) {
	l.local.Close(name)
}

// Send implements [channellayer.Layer]. An event for a process's own channel that is not open is lost, as
// with Channels: nobody will ever read it. It is counted.
func (l *Layer) Send(ctx context.Context, channel string, e channellayer.Event) error {
	if err := channellayer.CheckChannelName(channel); err != nil {
		return err
	}
	d, err := l.delivery(ctx, e)
	if err != nil {
		return err
	}
	l.metrics.sentChannel.Inc()
	err = l.deliver(channel, d)
	if errors.Is(err, channellayer.ErrNoChannel) {
		return nil
	}
	return err
}

// GroupAdd implements [channellayer.Layer]. It returns [channellayer.ErrNoChannel] for a process's own channel
// that is not open.
func (l *Layer) GroupAdd(ctx context.Context, group, channel string) error {
	if err := check(ctx, group, channel); err != nil {
		return err
	}
	if !channellayer.IsLocal(channel) {
		l.members.add(group, channel, time.Now())
		return nil
	}
	_, err := l.local.Join(group, channel)
	return err
}

// GroupDiscard implements [channellayer.Layer].
func (l *Layer) GroupDiscard(ctx context.Context, group, channel string) error {
	if err := check(ctx, group, channel); err != nil {
		return err
	}
	if channellayer.IsLocal(channel) {
		l.local.Leave(group, channel)
	} else {
		l.members.discard(group, channel)
	}
	return nil
}

// GroupSend implements [channellayer.Layer].
func (l *Layer) GroupSend(ctx context.Context, group string, e channellayer.Event) error {
	if err := channellayer.CheckGroupName(group); err != nil {
		return err
	}
	d, err := l.delivery(ctx, e)
	if err != nil {
		return err
	}
	l.metrics.sentGroup.Inc()
	l.local.DeliverGroup(group, d)
	for _, channel := range l.members.of(group, time.Now()) {
		_ = l.deliver(channel, d) // a member that is full misses the event, which deliver counted
	}
	return nil
}

// Listen implements [channellayer.Listener]. While r is full, events wait in the layer.
func (l *Layer) Listen(ctx context.Context, channel string, r channellayer.Receiver) error {
	if err := channellayer.CheckChannelName(channel); err != nil {
		return err
	}
	capacity := l.capacities.Of(channel)
	mailbox := l.plain.listen(channel)
	defer l.plain.leave(mailbox)
	for {
		d, err := l.plain.next(ctx, mailbox)
		if err != nil {
			return err
		}
		if r.Receive(d, capacity) {
			l.metrics.delivered.Inc()
			continue
		}
		l.plain.putBack(mailbox, d)
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// pause waits until it is worth asking a full receiver again.
func pause(ctx context.Context) error {
	t := time.NewTimer(10 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// delivery makes a delivery of a copy of e: who sends an event may go on to change it.
func (l *Layer) delivery(ctx context.Context, e channellayer.Event) (*channellayer.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := e.Check(); err != nil {
		return nil, err
	}
	return channellayer.NewDelivery(e.Clone(), time.Now().Add(l.config.Expiry)), nil
}

// tally is the layer's [channellayer.Tally].
func (l *Layer) tally(_ *channellayer.Delivery, delivered, dropped int) {
	l.metrics.delivered.Add(float64(delivered))
	l.metrics.droppedFull.Add(float64(dropped))
}

// deliver brings d to a channel of any kind, and counts what became of it. In a plain one it waits for a
// listener, which will count it.
func (l *Layer) deliver(channel string, d *channellayer.Delivery) error {
	if !channellayer.IsLocal(channel) {
		if !l.plain.put(channel, d, l.capacities.Of(channel)) {
			l.metrics.droppedFull.Inc()
			return channellayer.ErrFull
		}
		return nil
	}
	err := l.local.Deliver(channel, d)
	if errors.Is(err, channellayer.ErrNoChannel) {
		l.metrics.droppedNoChannel.Inc()
	}
	return err
}

// check is what GroupAdd and GroupDiscard ask of their arguments.
func check(ctx context.Context, group, channel string) error {
	if err := channellayer.CheckGroupName(group); err != nil {
		return err
	}
	if err := channellayer.CheckChannelName(channel); err != nil {
		return err
	}
	return ctx.Err()
}

// randomHex returns 16 hexadecimal digits that no other Layer has.
func randomHex() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
