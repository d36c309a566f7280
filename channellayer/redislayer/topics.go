package redislayer

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/membership"
)

// errEnded means that the connection that is subscribed was closed, without a reason given.
var errEnded = errors.New("the connection has ended")

// topics are what a PubSubLayer is subscribed to on one of its hosts, over one connection.
type topics struct {
	// Set at birth, never changed.
	*link
	layer    *PubSubLayer
	canaries canaries
	work     chan struct{} // holds something while messages may be waiting

	mu      sync.Mutex // guards the fields below
	conn    rueidis.DedicatedClient
	waiting []published // bounded by mostWaiting and mostBytes; beyond it, messages are dropped and counted
	bytes   int
	taken   bool // whether some are being handed out
}

// published is a message with its topic.
type published struct {
	topic string
	data  string
	came  time.Time
}

func newTopics(c *client, l *PubSubLayer) *topics {
	return &topics{link: newLink(c, l.config.Logger, l.metrics.lost), layer: l, work: make(chan struct{}, 1)}
}

// session connects, subscribes, and waits until something breaks.
func (h *topics) session(ctx context.Context, b *backoff) error {
	redis, err := h.client.connect(ctx)
	if err != nil {
		return err
	}
	conn, release := redis.Dedicate()
	defer release()
	broken := conn.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: h.came})
	defer conn.Close()
	h.use(conn)
	defer h.use(nil)
	if err := h.subscribeAll(ctx); err != nil {
		return err
	}
	b.reset()
	h.canaries.reset(1)
	l := h.layer
	early := l.local.Channels() > 0 // who was not told that the layer is ready may have missed something
	if first := h.found(); !first || early {
		l.metrics.gaps.Inc()
		l.tell(l.config.OnReconnect)
		l.tell(GapType)
	}
	err = h.keep(ctx, broken)
	if ctx.Err() == nil {
		l.tell(l.config.OnDisconnect)
	}
	return h.client.unavailable(err)
}

// subscribeAll subscribes to all that this process wants to hear on the host.
func (h *topics) subscribeAll(ctx context.Context) error {
	l := h.layer
	l.groups.Doubt()
	err := h.do(ctx, func(conn rueidis.DedicatedClient) rueidis.Completed {
		return conn.B().Psubscribe().Pattern(l.prefix + "*").Build()
	})
	if err != nil {
		return err
	}
	var some []string
	add := func(topic string) error {
		if l.host(topic) != h {
			return nil
		}
		if some = append(some, topic); len(some) < manyGroups {
			return nil
		}
		topics := some
		some = nil
		return h.subscribe(ctx, topics)
	}
	for group := range l.local.Groups() {
		if group == membership.Everyone {
			continue
		}
		if err := add(l.topic(group)); err != nil {
			return err
		}
	}
	for _, channel := range l.plain.channels() {
		if err := add(channel); err != nil {
			return err
		}
	}
	if len(some) == 0 {
		return nil
	}
	return h.subscribe(ctx, some)
}

func (h *topics) subscribe(ctx context.Context, topics []string) error {
	return h.do(ctx, func(conn rueidis.DedicatedClient) rueidis.Completed {
		return conn.B().Subscribe().Channel(topics...).Build()
	})
}

func (h *topics) unsubscribe(ctx context.Context, topics []string) error {
	return h.do(ctx, func(conn rueidis.DedicatedClient) rueidis.Completed {
		return conn.B().Unsubscribe().Channel(topics...).Build()
	})
}

func (h *topics) publish(ctx context.Context, topic, message string) error {
	return h.publishOver(ctx, nil, topic, message)
}

// publishOver is publish over a connection, or over the usual one where that is nil.
func (h *topics) publishOver(ctx context.Context, way rueidis.Client, topic, message string) error {
	_, err := h.client.do(ctx, func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
		if way != nil {
			redis = way
		}
		return redis.Do(ctx, redis.B().Publish().Channel(topic).Message(message).Build())
	})
	return err
}

// keep sends canaries until something breaks, and returns what.
func (h *topics) keep(ctx context.Context, broken <-chan error) error {
	ticks := time.NewTicker(h.layer.config.Heartbeat / fifths)
	defer ticks.Stop()
	for fifth := 0; ; fifth = (fifth + 1) % fifths {
		if h.canaries.due(fifth) && h.sendCanary(ctx) {
			return errDeaf
		}
		select {
		case <-ticks.C:
		case err := <-broken:
			if err == nil {
				err = errEnded
			}
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sendCanary sends one, and reports whether too many have not come back. One that may wait behind others in this process
// is not missed: it is busy, not deaf.
func (h *topics) sendCanary(ctx context.Context) (deaf bool) {
	if h.canaries.waiting() && h.busy() {
		return false
	}
	way, err := h.client.fresh()
	if err != nil {
		way = nil
	} else {
		defer way.Close()
	}
	numbers, missed, deaf := h.canaries.send()
	h.layer.metrics.canariesMissed.Add(float64(missed))
	if deaf {
		return true
	}
	for _, number := range numbers {
		serialized, err := h.layer.codec.Encode(channellayer.Event{"type": canaryType, "n": number})
		if err != nil {
			return true
		}
		_ = h.publishOver(ctx, way, h.canaryTopic(), h.layer.codec.Seal(serialized.Plain(), time.Now())) // what was not sent does not come back
	}
	return false
}

func (h *topics) canaryTopic() string {
	return h.layer.prefix + canarySuffix + strconv.Itoa(h.client.index)
}

// canaryCame takes note of a canary.
func (h *topics) canaryCame(e channellayer.Event) {
	lag, _, ok := h.canaries.back(0, e["n"])
	if !ok {
		return
	}
	h.layer.metrics.lag.WithLabelValues(strconv.Itoa(h.client.index), "0").Set(lag.Seconds())
	h.ready()
}

// came takes a message from the goroutine that reads the connection, which it does not hold up.
func (h *topics) came(m rueidis.PubSubMessage) {
	if h.put(published{m.Channel, m.Message, time.Now()}) {
		signal(h.work)
	} else {
		h.layer.metrics.droppedBacklog.Inc()
	}
}

func (h *topics) put(p published) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) >= mostWaiting || h.bytes >= mostBytes {
		return false
	}
	h.waiting = append(h.waiting, p)
	h.bytes += len(p.data)
	return true
}

func (h *topics) take() []published {
	h.mu.Lock()
	defer h.mu.Unlock()
	waiting := h.waiting
	h.waiting, h.bytes, h.taken = nil, 0, len(h.waiting) > 0
	return waiting
}

// busy reports whether there are messages that were not handed out yet.
func (h *topics) busy() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.taken || len(h.waiting) > 0
}

// done says that what was taken is handed out.
func (h *topics) done() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taken = false
}

// serve hands out what comes from the host, until ctx is done.
func (h *topics) serve(ctx context.Context) {
	for {
		select {
		case <-h.work:
		case <-ctx.Done():
			return
		}
		for _, p := range h.take() {
			h.layer.dispatch(h, p.topic, []byte(p.data), p.came)
		}
		h.done()
	}
}

// use makes conn the connection that is subscribed.
func (h *topics) use(conn rueidis.DedicatedClient) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conn = conn
}

func (h *topics) current() rueidis.DedicatedClient {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.conn
}
