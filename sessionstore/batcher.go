package sessionstore

import (
	"context"
	"sync"
	"time"
)

// maxBatch is how many keys one query asks for at most.
const maxBatch = 128

// patience is how long the query that is out may take before a second one goes out beside it. One at a time
// makes the larger batches, and so less work for the database.
const patience = 5 * time.Millisecond

// Where lookups come in crowds, a query waits for company: there are two messages to and fro for each, whatever they ask
// for, and what wakes whom costs more than the keys.
const (
	crowd  = 4                // keys of a query after which the next one waits
	enough = 32               // keys that it waits for
	gather = time.Millisecond // how long it waits
)

// grains is how many timers there are in the time that a lookup may take: those who ask within a grain share one, and
// wait up to a grain less.
const grains = 128

// batcher looks up keys in batches: whatever came while the last query was out, and a moment later, goes as the next
// one. A lone lookup goes at once.
type batcher[K comparable, V any] struct {
	// Set at birth, never changed.
	fetch   func(ctx context.Context, keys []K) (map[K]V, error)
	waiting int           // bounds the queue: one more lookup fails
	timeout time.Duration // of one lookup
	workers *sync.WaitGroup
	full    chan struct{} // holds a token when the queue is as long as a query waits for

	// Shared with whoever looks something up.
	mu      sync.Mutex // guards the fields below
	queue   []K
	lookups map[K]*lookup[V] // of what is in the queue
	out     int              // queries that are out, or wait for company
	waits   bool             // one does
	last    time.Time        // when the last one went out, or was about to
	late    *late            // of whoever asked last
	closed  bool
}

// late is when the lookups of a moment have waited long enough.
type late struct {
	from time.Time     // when the first of them was asked for
	over chan struct{} // closed then
}

// lookup is what all who ask for one key at one time wait for.
type lookup[V any] struct {
	asked time.Time     // when it was last asked for; guarded by the batcher's mu
	done  chan struct{} // closed when the fields below are set

	value V
	found bool
	err   error
}

func newBatcher[K comparable, V any](cfg Config, workers *sync.WaitGroup, fetch func(context.Context, []K) (map[K]V, error)) *batcher[K, V] {
	return &batcher[K, V]{
		fetch:   fetch,
		waiting: cfg.MaxWaiting,
		timeout: cfg.QueryTimeout,
		workers: workers,
		full:    make(chan struct{}, 1),
		lookups: make(map[K]*lookup[V]),
	}
}

// get returns the value of key, and whether there is one, as it is after get was called: it never joins a
// query that is out already, which may have read what is no longer so.
func (b *batcher[K, V]) get(ctx context.Context, key K) (V, bool, error) {
	l, late, err := b.enqueue(ctx, key)
	if err != nil {
		var none V
		return none, false, err
	}
	select {
	case <-l.done:
		return l.value, l.found, l.err
	case <-late.over:
		err = &DatabaseError{Fault: FaultTimeout}
	case <-ctx.Done():
		err = waitError(ctx)
	}
	var none V
	return none, false, err
}

// enqueue puts key into the queue, unless it is there, and sees to it that the queue gets shorter.
func (b *batcher[K, V]) enqueue(ctx context.Context, key K) (*lookup[V], *late, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, nil, &DatabaseError{Fault: FaultClosed}
	}
	l := b.lookups[key]
	if l == nil {
		if len(b.queue) >= b.waiting {
			return nil, nil, &DatabaseError{Fault: FaultOverload}
		}
		l = &lookup[V]{done: make(chan struct{})}
		b.queue = append(b.queue, key)
		b.lookups[key] = l
		if b.waits && len(b.queue) == enough {
			poke(b.full)
		}
	}
	l.asked = time.Now()
	if b.late == nil || l.asked.Sub(b.late.from) >= b.timeout/grains {
		b.late = newLate(l.asked, b.timeout)
	}
	if b.out == 0 || b.out == 1 && !b.waits && l.asked.Sub(b.last) > patience {
		b.out++
		b.last = l.asked
		ctx = context.WithoutCancel(ctx) // who asks first may be gone first
		b.workers.Go(func() { b.work(ctx) })
	}
	return l, b.late, nil
}

// newLate starts the timer of those who ask from now on.
func newLate(now time.Time, timeout time.Duration) *late {
	l := &late{now, make(chan struct{})}
	time.AfterFunc(timeout, func() { close(l.over) })
	return l
}

// work sends queries until the queue is empty.
func (b *batcher[K, V]) work(ctx context.Context) {
	for {
		keys, lookups := b.next()
		if len(keys) == 0 {
			return
		}
		values, err := b.ask(ctx, keys)
		for i, l := range lookups {
			l.value, l.found = values[keys[i]]
			l.err = err
			close(l.done)
		}
		if len(keys) >= crowd {
			b.company()
		}
	}
}

// company waits for others who want to know something, unless there are enough.
func (b *batcher[K, V]) company() {
	if !b.await() {
		return
	}
	soon := time.NewTimer(gather)
	defer soon.Stop()
	select {
	case <-b.full:
	case <-soon.C:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waits = false
}

// await reports whether company is worth waiting for, and says that it is waited for.
func (b *batcher[K, V]) await() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.out > 1 || len(b.queue) >= enough {
		return false
	}
	select {
	case <-b.full: // it came too late for the last one who waited
	default:
	}
	b.waits = true
	return true
}

// next takes a batch from the queue; none means that the worker may go. Whom nobody waits for any more is
// left out, so that what gathered while the database hung is not asked for when it comes back.
func (b *batcher[K, V]) next() ([]K, []*lookup[V]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var keys []K
	var lookups []*lookup[V]
	now := time.Now()
	n := 0
	for ; n < len(b.queue) && len(keys) < maxBatch; n++ {
		key := b.queue[n]
		l := b.lookups[key]
		delete(b.lookups, key)
		if now.Sub(l.asked) < b.timeout {
			keys, lookups = append(keys, key), append(lookups, l)
		}
	}
	b.queue = b.queue[n:]
	if len(keys) == 0 {
		b.queue = nil // it may have been long
		b.out--
	}
	b.last = now
	return keys, lookups
}

func (b *batcher[K, V]) ask(ctx context.Context, keys []K) (map[K]V, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	return b.fetch(ctx, keys)
}

// close lets no further lookup in.
func (b *batcher[K, V]) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}
