package redislayer

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/membership"
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
	taken   bool // whether some are being handed out
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
	a.waiting, a.bytes, a.taken = nil, 0, len(a.waiting) > 0
	return messages
}

// busy reports whether there are messages that were not handed out yet.
func (a *arrivals) busy() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.taken || len(a.waiting) > 0
}

// done says that what was taken is handed out.
func (a *arrivals) done() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.taken = false
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
		for messages := s.arrivals.take(); len(messages) > 0; {
			n := together(messages)
			s.dispatch(messages[:n])
			messages = messages[n:]
		}
		s.arrivals.done()
		signal(s.arrivals.room)
	}
}

// together returns how many of the first messages may be one event, for channels in several lanes: they have the same
// score, which one script has given them.
func together(messages []message) int {
	n := 1
	for n < len(messages) && messages[n].score == messages[0].score && messages[n].lane != messages[n-1].lane {
		n++
	}
	return n
}

// opened is an event with its channels.
type opened struct {
	event    channellayer.Event
	channels []string
	message  message
}

// dispatch hands messages to their receivers. Whatever they hold, the next ones follow.
func (s *shard) dispatch(messages []message) {
	now := time.Now()
	var events []opened
	for _, m := range messages {
		e, channels, err := s.layer.codec.Open(m.data, now)
		if err != nil {
			s.layer.metrics.invalid(err)
			s.layer.warnings.unread(s.logger, err)
			continue
		}
		if len(channels) == 1 && channels[0] == s.layer.lanes[m.lane].name+canarySuffix {
			s.canaryCame(m.lane, e)
			continue
		}
		if i := slices.IndexFunc(events, func(o opened) bool { return reflect.DeepEqual(o.event, e) }); i >= 0 {
			events[i].channels = append(events[i].channels, channels...)
			continue
		}
		events = append(events, opened{e, channels, m})
	}
	for _, o := range events {
		s.dispatchEvent(o, now)
	}
}

func (s *shard) dispatchEvent(o opened, now time.Time) {
	l := s.layer
	if o.message.age >= l.config.Expiry-l.config.Expiry/10 && now.Sub(s.stale) > l.config.Expiry {
		s.stale = now
		l.gap() // others that waited as long were removed by their senders, or will be
	}
	d := channellayer.NewDelivery(o.event, o.message.came.Add(l.config.Expiry-o.message.age))
	if d.Expired(now) {
		l.metrics.droppedExpired.Inc()
		return
	}
	slices.Sort(o.channels) // the same name a million times is one
	l.handOut(slices.Compact(o.channels), d)
}

// handOut hands d to channels of this process: representatives of groups, and connections. A connection that is in
// the group by both gets it once.
func (l *Layer) handOut(channels []string, d *channellayer.Delivery) {
	var groups []string
	for _, name := range channels {
		_, suffix, _ := strings.Cut(name, "!")
		if group, ok := l.groups.Represented(suffix); ok {
			groups = append(groups, group)
			l.deliverGroup(group, d)
		}
	}
	for _, name := range channels {
		_, suffix, _ := strings.Cut(name, "!")
		if !membership.IsRepresentative(suffix) {
			l.foreign.Store(true)
			if l.groups.IsMember(name, groups...) {
				continue
			}
			err := l.deliverChannel(name, d) // a channel that is full misses it, which is counted
			if errors.Is(err, channellayer.ErrNoChannel) && len(groups) == 1 {
				l.bury(ghost{group: groups[0], closed: name})
			}
		}
	}
}

// deliverGroup hands d to the open channels of a group.
func (l *Layer) deliverGroup(group string, d *channellayer.Delivery) {
	if l.local.DeliverGroup(group, d) == 0 {
		l.metrics.droppedNoChannel.Inc()
		l.groups.Linger(group) // a membership that nobody needs
	}
}

// deliverChannel hands d to one open channel.
func (l *Layer) deliverChannel(name string, d *channellayer.Delivery) error {
	err := l.local.Deliver(name, d)
	l.metrics.outcome(err)
	return err
}
