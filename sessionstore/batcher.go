package sessionstore

import (
	"context"
	"slices"
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
	gather = time.Millisecond // how long it waits, once somebody is there
	lull   = 50 * gather      // after which who comes is alone again
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
	queue   []*batch[K, V]
	queued  map[K]place[K, V] // of the keys in the queue
	out     int               // queries that are out, or wait for company
	waits   bool              // one does
	last    time.Time         // when the last one went out, or was about to
	crowded time.Time         // when the last one went out that was for a crowd
	late    *late             // of whoever asked last
	closed  bool
}

// batch is what one query asks for, and what all who wait for it have in common.
type batch[K comparable, V any] struct {
	keys  []K         // each once
	asked []time.Time // when each was last asked for; guarded by the batcher's mu

	done   chan struct{} // closed when the fields below are set
	late   []K           // of keys: nobody waited for them any more, and they were not asked for
	values map[K]V
	err    error
}

// place says where a key is in the queue.
type place[K comparable, V any] struct {
	batch *batch[K, V]
	at    int
}

// late is when the lookups of a moment have waited long enough.
type late struct {
	from time.Time     // when the first of them was asked for
	over chan struct{} // closed then
}

func newBatcher[K comparable, V any](cfg Config, workers *sync.WaitGroup, fetch func(context.Context, []K) (map[K]V, error)) *batcher[K, V] {
	return &batcher[K, V]{
		fetch:   fetch,
		waiting: cfg.MaxWaiting,
		timeout: cfg.QueryTimeout,
		workers: workers,
		full:    make(chan struct{}, 1),
		queued:  make(map[K]place[K, V]),
	}
}

// get returns the value of key, and whether there is one, as it is after get was called: it never joins a
// query that is out already, which may have read what is no longer so.
func (b *batcher[K, V]) get(ctx context.Context, key K) (V, bool, error) {
	var none V
	in, late, err := b.enqueue(ctx, key)
	if err != nil {
		return none, false, err
	}
	select {
	case <-in.done:
		if !slices.Contains(in.late, key) {
			value, found := in.values[key]
			return value, found, in.err
		}
	case <-late.over:
	case <-ctx.Done():
		return none, false, waitError(ctx)
	}
	return none, false, &DatabaseError{Fault: FaultTimeout}
}

// enqueue puts key into the queue, unless it is there, and sees to it that the queue gets shorter. It returns the batch
// that the key is in.
func (b *batcher[K, V]) enqueue(ctx context.Context, key K) (*batch[K, V], *late, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, nil, &DatabaseError{Fault: FaultClosed}
	}
	p, ok := b.queued[key]
	if !ok {
		if len(b.queued) >= b.waiting {
			return nil, nil, &DatabaseError{Fault: FaultOverload}
		}
		p = b.appendLocked(key)
	}
	now := time.Now()
	p.batch.asked[p.at] = now
	if b.late == nil || now.Sub(b.late.from) >= b.timeout/grains {
		b.late = newLate(now, b.timeout)
	}
	if b.out == 0 || b.out == 1 && !b.waits && now.Sub(b.last) > patience {
		b.out++
		b.last = now
		ctx = context.WithoutCancel(ctx) // who asks first may be gone first
		b.workers.Go(func() { b.work(ctx) })
	}
	return p.batch, b.late, nil
}

// appendLocked puts a key at the end of the queue.
func (b *batcher[K, V]) appendLocked(key K) place[K, V] {
	last := len(b.queue) - 1
	if last < 0 || len(b.queue[last].keys) == maxBatch {
		b.queue = append(b.queue, &batch[K, V]{done: make(chan struct{})})
		last++
	}
	in := b.queue[last]
	p := place[K, V]{in, len(in.keys)}
	in.keys, in.asked = append(in.keys, key), append(in.asked, time.Time{})
	b.queued[key] = p
	if b.waits && len(b.queued) == enough {
		poke(b.full)
	}
	return p
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
		b.company()
		next := b.next()
		if next == nil {
			return
		}
		next.values, next.err = b.ask(ctx, next.keys)
		close(next.done)
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
	if b.closed || b.out > 1 || len(b.queued) == 0 || len(b.queued) >= enough || time.Since(b.crowded) > lull {
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
func (b *batcher[K, V]) next() *batch[K, V] {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.last = now
	for len(b.queue) > 0 {
		next := b.queue[0]
		b.queue = b.queue[1:]
		wanted := next.keys[:0]
		for i, key := range next.keys {
			delete(b.queued, key)
			if now.Sub(next.asked[i]) < b.timeout {
				wanted = append(wanted, key)
			} else {
				next.late = append(next.late, key)
			}
		}
		next.keys, next.asked = wanted, nil
		if len(wanted) >= crowd {
			b.crowded = now
		}
		if len(wanted) > 0 {
			return next
		}
	}
	b.queue = nil // it may have been long
	b.out--
	return nil
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
