package channellayer

import (
	"context"
	"sync"
	"time"
)

// A Queue is a [Receiver] for code that wants to wait for the events of a channel: tests, workers. Those that
// are stale when their turn comes are dropped. Its methods may be called concurrently.
type Queue struct {
	ready chan struct{} // holds something while events may be waiting

	mu      sync.Mutex // guards the fields below
	waiting []*Delivery
	stale   int
}

// NewQueue returns an empty Queue.
func NewQueue() *Queue {
	return &Queue{ready: make(chan struct{}, 1)}
}

// Receive implements [Receiver]. A stale event does not count as waiting.
func (q *Queue) Receive(d *Delivery, capacity int) bool {
	if !q.put(d, capacity) {
		return false
	}
	q.signal()
	return true
}

// Next returns the event that has waited longest, or waits for one until ctx is done, and returns its error.
func (q *Queue) Next(ctx context.Context) (Event, error) {
	for {
		d, more := q.take()
		if more {
			q.signal() // for whoever else waits
		}
		if d != nil {
			return d.Event, nil
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Len returns how many events are waiting, those that became stale meanwhile not counted.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropStaleLocked()
	return len(q.waiting)
}

// Stale returns how many events were dropped because nobody asked for them in time.
func (q *Queue) Stale() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropStaleLocked()
	return q.stale
}

func (q *Queue) put(d *Delivery, capacity int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= capacity {
		q.dropStaleLocked()
	}
	if len(q.waiting) >= capacity {
		return false
	}
	q.waiting = append(q.waiting, d)
	return true
}

// take returns the first event that is not stale, or nil, and whether more may be waiting.
func (q *Queue) take() (d *Delivery, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for len(q.waiting) > 0 && d == nil {
		first := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		if first.Expired(now) {
			q.stale++
			continue
		}
		d = first
	}
	return d, len(q.waiting) > 0
}

func (q *Queue) dropStaleLocked() {
	now := time.Now()
	fresh := q.waiting[:0]
	for _, d := range q.waiting {
		if !d.Expired(now) {
			fresh = append(fresh, d)
		}
	}
	q.stale += len(q.waiting) - len(fresh)
	clear(q.waiting[len(fresh):])
	q.waiting = fresh
}

func (q *Queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
