package sessionstore

import (
	"reflect"
	"runtime"
	"sync"
	"weak"

	"github.com/belleville/belleville/djangocompat"
)

// known are the users whom somebody holds. Who is looked up again, and has not changed, is the same User: three
// tabs of one person hold one.
type known struct {
	mu    sync.Mutex // guards users
	users map[djangocompat.PK]weak.Pointer[djangocompat.User]
}

func newKnown() *known {
	return &known{users: make(map[djangocompat.PK]weak.Pointer[djangocompat.User])}
}

// share returns u as the user whom backend logged in.
func (k *known) share(u *djangocompat.User, backend string) *djangocompat.User {
	k.mu.Lock()
	defer k.mu.Unlock()
	if before := k.users[u.PK].Value(); before != nil && before.Backend == backend && sameUser(before, u) {
		return before
	}
	own := *u
	own.Backend = backend
	k.users[u.PK] = weak.Make(&own)
	runtime.AddCleanup(&own, k.forget, u.PK)
	return &own
}

// forget drops a user whom nobody holds any more, unless another version of the row has come.
func (k *known) forget(pk djangocompat.PK) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w, ok := k.users[pk]; ok && w.Value() == nil {
		delete(k.users, pk)
	}
}

// sameUser reports whether two Users are of rows that are alike.
func sameUser(a, b *djangocompat.User) bool {
	return a.PK == b.PK && a.Username == b.Username && a.FirstName == b.FirstName && a.LastName == b.LastName &&
		a.Email == b.Email && a.IsActive == b.IsActive && a.IsStaff == b.IsStaff && a.IsSuperuser == b.IsSuperuser &&
		a.LastLogin.Equal(b.LastLogin) && a.DateJoined.Equal(b.DateJoined) &&
		(len(a.Extra)+len(b.Extra) == 0 || reflect.DeepEqual(a.Extra, b.Extra))
}
