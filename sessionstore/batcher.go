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

// batcher looks up keys in batches: whatever came while the last query was out goes as the next one. There
// is no window to wait for, so a lone lookup goes at once.
type batcher[K comparable, V any] struct {
	// Set at birth, never changed.
	fetch   func(ctx context.Context, keys []K) (map[K]V, error)
	waiting int           // bounds the queue: one more lookup fails
	timeout time.Duration // of one lookup
	workers *sync.WaitGroup

	// Shared with whoever looks something up.
	mu      sync.Mutex // guards the fields below
	queue   []K
	lookups map[K]*lookup[V] // of what is in the queue
	out     int              // queries that are out
	last    time.Time        // when the last one went out, or was about to
	closed  bool
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
		lookups: make(map[K]*lookup[V]),
	}
}

// get returns the value of key, and whether there is one, as it is after get was called: it never joins a
// query that is out already, which may have read what is no longer so.
func (b *batcher[K, V]) get(ctx context.Context, key K) (V, bool, error) {
	l, err := b.enqueue(ctx, key)
	if err != nil {
		var none V
		return none, false, err
	}
	late := time.NewTimer(b.timeout)
	defer late.Stop()
	select {
	case <-l.done:
		return l.value, l.found, l.err
	case <-late.C:
		err = &DatabaseError{Fault: FaultTimeout}
	case <-ctx.Done():
		err = waitError(ctx)
	}
	var none V
	return none, false, err
}

// enqueue puts key into the queue, unless it is there, and sees to it that the queue gets shorter.
func (b *batcher[K, V]) enqueue(ctx context.Context, key K) (*lookup[V], error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, &DatabaseError{Fault: FaultClosed}
	}
	l := b.lookups[key]
	if l == nil {
		if len(b.queue) >= b.waiting {
			return nil, &DatabaseError{Fault: FaultOverload}
		}
		l = &lookup[V]{done: make(chan struct{})}
		b.queue = append(b.queue, key)
		b.lookups[key] = l
	}
	l.asked = time.Now()
	if b.out == 0 || b.out == 1 && l.asked.Sub(b.last) > patience {
		b.out++
		b.last = l.asked
		ctx = context.WithoutCancel(ctx) // who asks first may be gone first
		b.workers.Go(func() { b.work(ctx) })
	}
	return l, nil
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
	}
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
