package memlayer

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// plainChannels are the channels that belong to no process: the events sent to them wait, each in the mailbox
// of its channel, until somebody listens or they are stale.
type plainChannels struct {
	mu        sync.Mutex // guards the fields below, and those of the mailboxes
	mailboxes map[string]*mailbox
	sweepIn   int // how many puts come before the next sweep
	stale     int // events that were dropped
}

// mailbox is a plain channel in which events wait or to which somebody listens.
type mailbox struct {
	// Set at birth, never changed.
	name  string
	ready chan struct{} // holds something while events may be waiting

	// Guarded by plainChannels.mu.
	waiting   []*channellayer.Delivery // at most the channel's capacity; more is refused
	listeners int
}

func newPlainChannels() *plainChannels {
	return &plainChannels{mailboxes: make(map[string]*mailbox)}
}

// put lets d wait in a channel, unless capacity events that are not stale wait there already.
func (p *plainChannels) put(channel string, d *channellayer.Delivery, capacity int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.sweepIn--; p.sweepIn < 0 {
		p.sweepLocked(now)
	}
	m := p.mailboxLocked(channel)
	if len(m.waiting) >= capacity {
		p.dropStaleLocked(m, now)
	}
	if len(m.waiting) >= capacity {
		return false
	}
	m.waiting = append(m.waiting, d)
	m.signal()
	return true
}

// listen returns the mailbox of a channel, which stays until leave.
func (p *plainChannels) listen(channel string) *mailbox {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.mailboxLocked(channel)
	m.listeners++
	return m
}

func (p *plainChannels) leave(m *mailbox) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.listeners--; m.listeners == 0 && len(m.waiting) == 0 {
		delete(p.mailboxes, m.name)
	}
	m.signal() // for another listener, should this one have been woken in vain
}

// next takes the event that has waited longest, or waits for one until ctx is done.
func (p *plainChannels) next(ctx context.Context, m *mailbox) (*channellayer.Delivery, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if d := p.take(m); d != nil {
			return d, nil
		}
		select {
		case <-m.ready:
		case <-ctx.Done():
		}
	}
}

// take takes the first event that is not stale; nil if there is none.
func (p *plainChannels) take(m *mailbox) *channellayer.Delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropStaleLocked(m, time.Now())
	if len(m.waiting) == 0 {
		return nil
	}
	d := m.waiting[0]
	m.waiting[0] = nil
	if m.waiting = m.waiting[1:]; len(m.waiting) > 0 {
		m.signal() // for another listener
	}
	return d
}

// putBack undoes take. The mailbox may hold one event more than its capacity by that.
func (p *plainChannels) putBack(m *mailbox, d *channellayer.Delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.waiting = slices.Insert(m.waiting, 0, d)
	m.signal()
}

// staleCount returns how many events were dropped because nobody listened in time.
func (p *plainChannels) staleCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stale
}

// sweepLocked drops what is stale everywhere. The next one comes after as many puts as it leaves mailboxes, so
// that it costs each put little, and forgotten mailboxes do not gather.
func (p *plainChannels) sweepLocked(now time.Time) {
	for name, m := range p.mailboxes {
		if p.dropStaleLocked(m, now); len(m.waiting) == 0 && m.listeners == 0 {
			delete(p.mailboxes, name)
		}
	}
	p.sweepIn = len(p.mailboxes)
}

// dropStaleLocked drops what is stale in one mailbox. Events wait in the order in which they become stale.
func (p *plainChannels) dropStaleLocked(m *mailbox, now time.Time) {
	n := 0
	for n < len(m.waiting) && m.waiting[n].Expired(now) {
		n++
	}
	clear(m.waiting[:n])
	m.waiting = m.waiting[n:]
	p.stale += n
}

func (p *plainChannels) mailboxLocked(channel string) *mailbox {
	m := p.mailboxes[channel]
	if m == nil {
		m = &mailbox{name: channel, ready: make(chan struct{}, 1)}
		p.mailboxes[channel] = m
	}
	return m
}

// signal wakes one listener, or the next one to come.
func (m *mailbox) signal() {
	select {
	case m.ready <- struct{}{}:
	default:
	}
}
