package sessionstore

import (
	"hash/maphash"
	"reflect"
	"sync"
	"weak"

	"github.com/belleville/belleville/djangocompat"
)

// known are the users whom somebody holds. Who is looked up again, and has not changed, is the same User: three
// tabs of one person hold one.
//
// It is an open-addressed table of weak pointers, for there may be a million of them: a user whom nobody holds any
// more leaves a slot that the next growth drops, so that none needs a cleanup of its own.
type known struct {
	seed maphash.Seed

	mu    sync.Mutex                        // guards the fields below
	slots []weak.Pointer[djangocompat.User] // a power of two; a slot is empty if it was never used
	used  int                               // slots that are not empty
	asked int                               // since the table was made
}

// fewestSlots is the size of the smallest table.
const fewestSlots = 64

func newKnown() *known {
	return &known{seed: maphash.MakeSeed(), slots: make([]weak.Pointer[djangocompat.User], fewestSlots)}
}

// share returns u as the user whom backend logged in.
func (k *known) share(u *djangocompat.User, backend string) *djangocompat.User {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asked++; k.used >= len(k.slots)/4*3 || k.asked > 16*len(k.slots) {
		k.rebuildLocked()
	}
	slot, before := k.findLocked(u.PK, backend)
	if before != nil && sameUser(before, u) {
		return before
	}
	if u.Backend != backend {
		own := *u
		own.Backend = backend
		u = &own
	}
	var empty weak.Pointer[djangocompat.User]
	if k.slots[slot] == empty {
		k.used++
	}
	k.slots[slot] = weak.Make(u)
	return u
}

// findLocked returns the slot of a user, or the one where that user is to be put, and the user if somebody holds it.
func (k *known) findLocked(pk djangocompat.PK, backend string) (slot int, u *djangocompat.User) {
	free := -1
	var empty weak.Pointer[djangocompat.User]
	mask := len(k.slots) - 1
	for i := int(maphash.Comparable(k.seed, pk)) & mask; ; i = (i + 1) & mask {
		if k.slots[i] == empty {
			if free < 0 {
				free = i
			}
			return free, nil
		}
		u := k.slots[i].Value()
		switch {
		case u == nil && free < 0:
			free = i
		case u != nil && u.PK == pk && u.Backend == backend:
			return i, u
		}
	}
}

// rebuildLocked makes a new table, of a size that fits those whom somebody holds.
func (k *known) rebuildLocked() {
	held := 0
	for _, w := range k.slots {
		if w.Value() != nil {
			held++
		}
	}
	size := fewestSlots
	for size < 2*held {
		size *= 2
	}
	old := k.slots
	k.slots, k.used, k.asked = make([]weak.Pointer[djangocompat.User], size), 0, 0
	for _, w := range old {
		if u := w.Value(); u != nil {
			slot, _ := k.findLocked(u.PK, u.Backend)
			k.slots[slot] = w
			k.used++
		}
	}
}

// sameUser reports whether two Users are of rows that are alike.
func sameUser(a, b *djangocompat.User) bool {
	return a.PK == b.PK && a.Username == b.Username && a.FirstName == b.FirstName && a.LastName == b.LastName &&
		a.Email == b.Email && a.IsActive == b.IsActive && a.IsStaff == b.IsStaff && a.IsSuperuser == b.IsSuperuser &&
		a.LastLogin.Equal(b.LastLogin) && a.DateJoined.Equal(b.DateJoined) &&
		(len(a.Extra)+len(b.Extra) == 0 || reflect.DeepEqual(a.Extra, b.Extra))
}
