package redislayer

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belleville/belleville/channellayer"
)

const (
	// What may wait in this process, from each host.
	mostWaiting = 10_000
	mostBytes   = 32 << 20
)

// lane is one of the inboxes that this process has on each host.
type lane struct {
	index int
	name  string // of its channels, up to "!"
	key   string // in Redis
}

// message is what came out of an inbox.
type message struct {
	lane  int
	data  []byte
	score float64
	came  time.Time
	age   time.Duration // how long it was in the inbox, at most
}

// arrivals are the messages that came from one host and wait to be handed out, in the order in which they were sent.
// Whoever takes them out of Redis waits for nobody else; beyond mostWaiting they stay there, where senders see that
// the inbox is full.
type arrivals struct {
	work chan struct{} // holds something while messages may be waiting
	room chan struct{} // holds something after messages were taken

	mu      sync.Mutex // guards the fields below
	waiting []message
	bytes   int
}

func newArrivals() *arrivals {
	return &arrivals{work: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// put lets messages wait. Who puts has called awaitRoom before.
func (a *arrivals) put(messages []message) {
	a.add(messages)
	signal(a.work)
}

func (a *arrivals) add(messages []message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, messages...)
	for _, m := range messages {
		a.bytes += len(m.data)
	}
}

// awaitRoom waits until messages can be put, or until ctx is done.
func (a *arrivals) awaitRoom(ctx context.Context) error {
	for !a.hasRoom() {
		select {
		case <-a.room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (a *arrivals) hasRoom() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.waiting) < mostWaiting && a.bytes < mostBytes
}

// take takes all that waits.
func (a *arrivals) take() []message {
	a.mu.Lock()
	defer a.mu.Unlock()
	messages := a.waiting
	a.waiting, a.bytes = nil, 0
	return messages
}

// signal puts something into a chan of one place.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// serve hands out what comes from a host, until ctx is done.
func (s *shard) serve(ctx context.Context) {
	for {
		select {
		case <-s.arrivals.work:
		case <-ctx.Done():
			return
		}
		for _, m := range s.arrivals.take() {
			s.dispatch(m)
		}
		signal(s.arrivals.room)
	}
}

// dispatch hands one message to its receivers. Whatever it holds, the next one follows.
func (s *shard) dispatch(m message) {
	l := s.layer
	now := time.Now()
	e, channels, err := l.codec.open(m.data, now)
	if err != nil {
		l.metrics.invalid(err)
		return
	}
	d := channellayer.NewDelivery(e, m.came.Add(l.config.Expiry-m.age))
	slices.Sort(channels)
	channels = slices.Compact(channels) // the same name a million times is one
	if len(channels) == 1 && channels[0] == l.lanes[m.lane].name+canarySuffix {
		s.canaryCame(m.lane, e)
		return
	}
	if d.Expired(now) {
		l.metrics.droppedExpired.Inc()
		return
	}
	l.handOut(channels, d)
}

// handOut hands d to channels of this process: representatives of groups, and connections. A connection that is in
// the group by both gets it once.
func (l *Layer) handOut(channels []string, d *channellayer.Delivery) {
	var groups []string
	for _, name := range channels {
		_, suffix, _ := strings.Cut(name, "!")
		if group, ok := l.groups.represented(suffix); ok {
			groups = append(groups, group)
			l.deliverGroup(group, d)
		}
	}
	for _, name := range channels {
		_, suffix, _ := strings.Cut(name, "!")
		if !isRepresentative(suffix) {
			l.groups.foreign.Store(true)
			if !l.groups.isMemberOfAny(groups, name) {
				_ = l.deliverChannel(name, d) // a channel that is full misses it, which is counted
			}
		}
	}
}

// deliverGroup hands d to the open channels of a group.
func (l *Layer) deliverGroup(group string, d *channellayer.Delivery) {
	delivered, dropped := l.local.DeliverGroup(group, d)
	l.metrics.delivered.Add(float64(delivered))
	l.metrics.droppedFull.Add(float64(dropped))
	if delivered+dropped == 0 {
		l.metrics.droppedNoChannel.Inc()
		l.groups.linger(group) // a membership that nobody needs
	}
}

// deliverChannel hands d to one open channel.
func (l *Layer) deliverChannel(name string, d *channellayer.Delivery) error {
	err := l.local.Deliver(name, d)
	switch err {
	case nil:
		l.metrics.delivered.Inc()
	case channellayer.ErrFull:
		l.metrics.droppedFull.Inc()
	default:
		l.metrics.droppedNoChannel.Inc()
	}
	return err
}

// isRepresentative reports whether a channel with a suffix stands for the node in a group.
func isRepresentative(suffix string) bool {
	return strings.HasPrefix(suffix, groupSuffix) || strings.HasPrefix(suffix, hashSuffix)
}
