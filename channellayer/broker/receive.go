package broker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// do runs f on the database, and then does what it means for this process's own channels. Messages for them wait in the
// inbox; a change of a membership is made at once, after the messages that were sent before it.
func (l *Layer) do(f func(*tx)) {
	for _, e := range l.database.do(f) {
		switch e.kind {
		case arrived, published:
			l.inbox.add(e)
		case joined:
			l.inbox.settle()
			_ = l.joinForeign(e.name, e.text) // a channel that is not open any more stays out, as it would be taken out again
		case left:
			l.inbox.settle()
			l.leave(e.name, e.text)
		}
	}
}

// handOut hands out a message of the inbox.
func (l *Layer) handOut(e effect) {
	if e.kind == published {
		l.published(e.name, e.text)
		return
	}
	l.arrived(e.text)
}

// joinForeign is join where another process names the group and the channel.
func (l *Layer) joinForeign(group, channel string) error {
	if err := channellayer.CheckGroupName(group); err != nil {
		return err
	}
	return l.join(group, channel)
}

// arrived hands out a message that was put into this process's inbox.
func (l *Layer) arrived(text string) {
	e, channels, err := l.codec.Open([]byte(text), time.Now())
	if err != nil {
		l.metrics.invalid(err)
		return
	}
	d := l.delivery(e)
	slices.Sort(channels) // the same name a million times is one
	for _, name := range slices.Compact(channels) {
		suffix, ours := strings.CutPrefix(name, l.names.channels)
		if !ours {
			l.metrics.droppedNoChannel.Inc()
			continue
		}
		if group, ok := l.represented(suffix); ok {
			l.local.DeliverGroup(group, d)
			continue
		}
		_ = l.deliverChannel(name, d) // a channel that is full misses it, which is counted
	}
}

// published hands out a message that was published to a group, or to a channel of this process.
func (l *Layer) published(topic, text string) {
	e, _, err := l.topicCodec.Open([]byte(text), time.Now())
	if err != nil {
		l.metrics.invalid(err)
		return
	}
	if group, ok := strings.CutPrefix(topic, l.names.topics); ok {
		l.local.DeliverGroup(group, l.delivery(e))
		return
	}
	_ = l.deliverChannel(topic, l.delivery(e)) // a channel that is full misses it, which is counted
}

// delivery makes a delivery of e, which nobody changes any more.
func (l *Layer) delivery(e channellayer.Event) *channellayer.Delivery {
	return channellayer.NewDelivery(e, time.Now().Add(l.config.Expiry))
}

// tally is the layer's [channellayer.Tally].
func (l *Layer) tally(_ *channellayer.Delivery, delivered, dropped int) {
	l.metrics.delivered.Add(float64(delivered))
	l.metrics.droppedFull.Add(float64(dropped))
}

func (l *Layer) deliverChannel(name string, d *channellayer.Delivery) error {
	err := l.local.Deliver(name, d)
	if errors.Is(err, channellayer.ErrNoChannel) {
		l.metrics.droppedNoChannel.Inc()
	}
	return err
}

// Listen implements [channellayer.Listener]. While r is full, events wait in the broker.
func (l *Layer) Listen(ctx context.Context, channel string, r channellayer.Receiver) error {
	if err := channellayer.CheckChannelName(channel); err != nil {
		return err
	}
	if err := l.usable(ctx); err != nil {
		return err
	}
	l.do(func(t *tx) { t.listening[channel]++ })
	defer l.do(func(t *tx) {
		if t.listening[channel]--; t.listening[channel] == 0 {
			delete(t.listening, channel)
		}
	})
	key, capacity := l.names.key(channel), l.capacities.Of(channel)
	for {
		got, err := l.next(ctx, key)
		if err != nil {
			return err
		}
		if l.handOver(got, r, capacity) {
			continue
		}
		l.do(func(t *tx) {
			t.add(key, got.member, got.score)
			t.expire(key, roundUp(l.config.Expiry))
		})
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// next waits for the next message on a key, and takes it.
func (l *Layer) next(ctx context.Context, key string) (entry, error) {
	w := newWaiter([]string{key})
	l.do(func(t *tx) { t.wait(w) })
	select {
	case <-w.ended:
	case <-ctx.Done():
	case <-l.ended:
	}
	err := l.usable(ctx)
	l.do(func(t *tx) {
		if t.stop(w); err != nil {
			t.giveBack(w)
		}
	})
	return w.got, err
}

// handOver hands a message of a plain channel to who listens, and reports whether it is done with.
func (l *Layer) handOver(got entry, r channellayer.Receiver, capacity int) bool {
	if got.score <= float64(time.Now().Add(-l.config.Expiry).UnixMicro())/1e6 {
		l.metrics.droppedExpired.Inc()
		return true
	}
	e, _, err := l.codec.Open([]byte(got.member), time.Now())
	if err != nil {
		l.metrics.invalid(err)
		return true
	}
	if r.Receive(l.delivery(e), capacity) {
		l.metrics.delivered.Inc()
		return true
	}
	return false
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
