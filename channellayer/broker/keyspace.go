package broker

import (
	"container/heap"
	"math"
	"time"
)

const (
	// What a key and an entry take, beside their names: an estimate that was measured with a million of each.
	keyCost   = 512
	entryCost = 128

	// sweepAtOnce is how many keys one command finds expired at most.
	sweepAtOnce = 1000
)

// key is a key with its value, a sorted set. One without entries and pin does not exist.
type key struct {
	name    string
	set     sortedSet
	pin     string // a member for as long as somebody here wants it, with the greatest score; "" for none
	expires time.Time
	index   int // in deadlines, or -1
}

// keyspace holds all keys. It is guarded by the database's lock.
type keyspace struct {
	memory    *budget
	keys      map[string]*key
	deadlines deadlines
}

func newKeyspace(memory *budget) keyspace {
	return keyspace{memory: memory, keys: make(map[string]*key)}
}

// get returns a key, or nil where there is none.
func (s *keyspace) get(name string, now time.Time) *key {
	k := s.keys[name]
	if k == nil || k.expires.IsZero() || now.Before(k.expires) {
		return k
	}
	s.clear(k)
	return s.keys[name]
}

// make returns a key, which is new where there was none; the caller puts something into it.
func (s *keyspace) make(name string, now time.Time) *key {
	if k := s.get(name, now); k != nil {
		return k
	}
	k := &key{name: name, set: newSortedSet(), index: -1}
	s.keys[name] = k
	s.memory.add(int64(len(name)) + keyCost)
	return k
}

// clear takes all entries out of a key, which ends unless it has a pin.
func (s *keyspace) clear(k *key) {
	for e := range k.set.span(0, k.set.len()) {
		s.memory.add(-int64(len(e.member)) - entryCost)
	}
	k.set = newSortedSet()
	s.persist(k)
	s.endIfEmpty(k)
}

// endIfEmpty ends a key that holds nothing.
func (s *keyspace) endIfEmpty(k *key) {
	if k.set.len() > 0 || k.pin != "" {
		return
	}
	s.persist(k)
	delete(s.keys, k.name)
	if len(s.keys) == 0 {
		s.keys = make(map[string]*key) // a map never shrinks
	}
	s.memory.add(-int64(len(k.name)) - keyCost)
}

// add adds an entry to a key, and reports whether its member is new.
func (s *keyspace) add(k *key, member string, score float64) (added bool) {
	if member == k.pin {
		return false
	}
	if added = k.set.add(member, score); added {
		s.memory.add(int64(len(member)) + entryCost)
	}
	return added
}

// remove removes a member from a key, and reports whether it was there. A pin stays.
func (s *keyspace) remove(k *key, member string) bool {
	if !k.set.remove(member) {
		return false
	}
	s.memory.add(-int64(len(member)) - entryCost)
	s.endIfEmpty(k)
	return true
}

// pinned sets the pin of a key; "" takes it away.
func (s *keyspace) pinned(name, member string, now time.Time) {
	k := s.make(name, now)
	if k.set.remove(member) { // what an impostor has added
		s.memory.add(-int64(len(member)) - entryCost)
	}
	k.pin = member
	s.endIfEmpty(k)
}

// expire sets when a key ends.
func (s *keyspace) expire(k *key, at time.Time) {
	k.expires = at
	if k.index >= 0 {
		heap.Fix(&s.deadlines, k.index)
		return
	}
	heap.Push(&s.deadlines, k)
}

// persist makes a key one that does not expire, and reports whether it was one that does.
func (s *keyspace) persist(k *key) bool {
	if k.index < 0 {
		return false
	}
	heap.Remove(&s.deadlines, k.index)
	k.expires = time.Time{}
	return true
}

// sweep ends keys that are due.
func (s *keyspace) sweep(now time.Time) {
	for range sweepAtOnce {
		if len(s.deadlines) == 0 || now.Before(s.deadlines[0].expires) {
			return
		}
		s.clear(s.deadlines[0])
	}
}

// count returns how many members a key has, its pin among them.
func (k *key) count() int {
	if k.pin != "" {
		return k.set.len() + 1
	}
	return k.set.len()
}

// pinScore is the score of a pin: no purge reaches it.
func pinScore() float64 { return math.Inf(1) }

// deadlines is a heap of the keys that expire.
type deadlines []*key

// Len implements [heap.Interface].
func (d deadlines) Len() int { return len(d) }

// Less implements [heap.Interface].
func (d deadlines) Less(i, j int) bool { return d[i].expires.Before(d[j].expires) }

// Swap implements [heap.Interface].
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}

// Push implements [heap.Interface].
func (d *deadlines) Push(x any) {
	k := x.(*key)
	k.index = len(*d)
	*d = append(*d, k)
}

// Pop implements [heap.Interface].
func (d *deadlines) Pop() any {
	old := *d
	k := old[len(old)-1]
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	k.index = -1
	return k
}
