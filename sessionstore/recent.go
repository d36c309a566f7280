package sessionstore

import (
	"sync"
	"sync/atomic"
	"time"
)

// recent remembers what was lately looked up, for as long as it is heard of everything that changes it. It is bounded
// in bytes and in time.
type recent[V any] struct {
	// Set at birth, never changed.
	bytes   int           // the bound
	life    time.Duration // of what was found
	missing time.Duration // of what was not
	now     func() time.Time

	touches atomic.Int64 // counts the changes that were heard of

	mu         sync.Mutex // guards the fields below
	young, old map[hash]remembered[V]
	size       int // of young, in bytes
}

// hash stands for a key, as changes.Change has it.
type hash [8]byte

// remembered is what was found under a key, or that nothing was.
type remembered[V any] struct {
	key   string
	value V
	found bool
	until time.Time
	size  int
}

func newRecent[V any](bytes int, life time.Duration, now func() time.Time) *recent[V] {
	return &recent[V]{bytes: bytes, life: life, missing: min(life, time.Second), now: now, young: make(map[hash]remembered[V])}
}

// entryOverhead is about what an entry takes besides its key and value, in bytes.
const entryOverhead = 128

// get returns what is remembered of a key; known is false where nothing is.
func (r *recent[V]) get(h hash, key string) (v V, found, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.young[h]
	if !ok {
		e, ok = r.old[h]
	}
	if !ok || e.key != key || !r.now().Before(e.until) {
		return v, false, false
	}
	return e.value, e.found, true
}

// begin is called before something is looked up; put wants what it returned. What was changed in between is not
// remembered.
func (r *recent[V]) begin() int64 { return r.touches.Load() }

// put remembers what was found, of a size in bytes, by a lookup that began with begin.
func (r *recent[V]) put(begun int64, h hash, key string, v V, found bool, size int) {
	size += len(key) + entryOverhead
	if size > r.bytes/8 {
		return
	}
	life := r.life
	if !found {
		life = r.missing
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.touches.Load() != begun {
		return
	}
	r.dropLocked(h) // what is looked up again takes no more room
	if r.size+size > r.bytes/2 {
		r.old, r.young, r.size = r.young, make(map[hash]remembered[V]), 0
	}
	r.young[h] = remembered[V]{key, v, found, r.now().Add(life), size}
	r.size += size
}

// touched forgets a key.
func (r *recent[V]) touched(h hash) {
	r.touches.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropLocked(h)
}

// dropLocked forgets a key.
func (r *recent[V]) dropLocked(h hash) {
	r.size -= r.young[h].size
	delete(r.young, h)
	delete(r.old, h)
}

// forget forgets everything.
func (r *recent[V]) forget() {
	r.touches.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.young, r.old, r.size = make(map[hash]remembered[V]), nil, 0
}
