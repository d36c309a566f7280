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
	hashes  map[Hash]time.Time // with the time of the commit
	blurred bool               // anything may have been touched
}

// note remembers a touch.
func (t *touches) note(h Hash, committed time.Time) {
	switch {
	case t.young.blurred:
	case len(t.young.hashes) >= maxTouches:
		t.blur()
	case t.young.hashes == nil:
		t.young.hashes = map[Hash]time.Time{h: committed}
	default:
		t.young.hashes[h] = committed
	}
}

// blur remembers that anything may have been touched.
func (t *touches) blur() { t.young = generation{blurred: true} }

// age begins a new generation.
func (t *touches) age() { t.old, t.young = t.young, generation{} }

// touched reports whether something may have been touched lately, and when that was committed.
func (t *touches) touched(hashes ...Hash) (committed time.Time, ok bool) {
	for _, g := range []*generation{&t.young, &t.old} {
		if g.blurred {
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
