package live

import "time"

// A handshake reads its session before the connection is in the index. What was touched in between must not be
// missed, so the last touches are remembered for at least as long as a handshake may take.
const remembered = 15 * time.Second

// maxTouches bounds what is remembered. Where there are more, all that comes counts as touched.
const maxTouches = 1 << 16

// touches remembers what was touched lately, in two generations of which the older one is forgotten at once. The
// zero touches remembers nothing. It is guarded by Live.mu.
type touches struct {
	young, old generation
}

// generation is what was touched in a time.
type generation struct {
	hashes map[Hash]time.Time // with the time of the commit
	full   bool               // there were more than are remembered
	all    bool               // anything may have been touched
}

// note remembers a touch.
func (t *touches) note(h Hash, committed time.Time) {
	switch {
	case t.young.full:
	case len(t.young.hashes) >= maxTouches:
		t.young.full, t.young.hashes = true, nil
	case t.young.hashes == nil:
		t.young.hashes = map[Hash]time.Time{h: committed}
	default:
		t.young.hashes[h] = committed
	}
}

// noteAll remembers that anything may have been touched.
func (t *touches) noteAll() { t.young.all = true }

// all reports whether anything may have been touched lately.
func (t *touches) all() bool { return t.young.all || t.old.all }

// age begins a new generation.
func (t *touches) age() { t.old, t.young = t.young, generation{} }

// some reports whether anything was touched lately.
func (t *touches) some() bool {
	return len(t.young.hashes) > 0 || len(t.old.hashes) > 0 || t.young.full || t.old.full
}

// touched reports whether something was touched lately, and when that was committed; or there was so much that it may
// have been.
func (t *touches) touched(hashes ...Hash) (committed time.Time, ok bool) {
	for _, g := range []*generation{&t.young, &t.old} {
		if g.full {
			return time.Time{}, true
		}
		for _, h := range hashes {
			if at, ok := g.hashes[h]; ok {
				return at, true
			}
		}
	}
	return time.Time{}, false
}
