package live

import (
	"context"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// A handshake takes a while: who the visitor is was read before the connection is in the index. A kick that comes in
// between must reach it, too, and so must TouchAll. So these are a list, each handshake holds the one that was the last
// when it began, and looks at those that came after it when it is in the index. What no handshake holds any more is
// forgotten.

// kick is one order to close connections, or to ask about them.
type kick struct {
	// Set at birth, never changed.
	whose  whose
	hash   Hash // of the user, or of the session
	code   consumers.CloseCode
	reason string

	// Guarded by Live.mu.
	next *kick // the one that came after it
}

// whose says which connections a kick is for.
type whose uint8

const (
	everybodys whose = iota // of all who are logged in
	aUsers
	aSessions
	asked // it is TouchAll, which closes nothing
)

// arrival is the beginning of a handshake.
type arrival struct {
	last    *kick // when it began
	settled bool  // what is read from then on is younger than the last TouchAll before
}

// arrived is a context that knows of an arrival.
type arrived struct {
	context.Context
	live *Live
	arrival
}

// arrivalKey is the key under which it does.
type arrivalKey struct{ live *Live }

// Value implements context.Context.
func (a *arrived) Value(key any) any {
	if key == (arrivalKey{a.live}) {
		return a
	}
	return a.Context.Value(key)
}

// settling is how long a lookup may last that began before TouchAll, and that others share who come later.
const settling = 5 * time.Second

// arrive notes an arrival.
func (l *Live) arrive() arrival {
	if !l.came.Load() {
		l.came.Store(true)
	}
	last, until := l.kicks.Load(), l.unsettled.Load() // in this order
	return arrival{last, until == nil || !l.cfg.Now().Before(*until)}
}

// Arriving wraps an Application, around what recognises visitors: a kick that comes while somebody is being
// recognised reaches his connection, too. Without it, one that comes while the Application inside of [Live.Watch] is
// opened does.
func (l *Live) Arriving(app consumers.Application) consumers.Application { return arriving{app, l} }

// arriving is an Application whose visitors are about to be recognised.
type arriving struct {
	app  consumers.Application
	live *Live
}

// Open implements consumers.Application.
func (a arriving) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	return a.app.Open(&arrived{ctx, a.live, a.live.arrive()}, s)
}

// Unwrap returns the Application inside, so that a route can see that it is a router.
func (a arriving) Unwrap() consumers.Application { return a.app }

// Arrived returns, for the context of a handshake, what makes others the context of the same arrival: whoever is
// recognised later than by his handshake goes on with one of those.
func (l *Live) Arrived(ctx context.Context) func(context.Context) context.Context {
	arrival := l.arrivalOf(ctx)
	return func(later context.Context) context.Context { return &arrived{later, l, arrival} }
}

// arrivalOf returns when a handshake began, as far as that is known.
func (l *Live) arrivalOf(ctx context.Context) arrival {
	if a, ok := ctx.Value(arrivalKey{l}).(*arrived); ok {
		return a.arrival
	}
	a := l.arrive()
	a.settled = false // the visitor was recognised before
	return a
}

// kickLocked makes those learn of a kick who are about to come into the index.
func (l *Live) kickLocked(k kick) {
	l.kicks.Load().next = &k
	l.kicks.Store(&k)
}

// missedLocked returns the first kick after a connection's arrival that is for it, or nil.
func (l *Live) missedLocked(a arrival, st *seat, user *djangocompat.User) *kick {
	if a.last == nil {
		return nil
	}
	for k := a.last.next; k != nil; k = k.next {
		if k.reaches(st, user) {
			return k
		}
	}
	return nil
}

// reaches reports whether a kick is for a connection.
func (k *kick) reaches(st *seat, user *djangocompat.User) bool {
	switch k.whose {
	case asked:
		return false
	case aSessions:
		return st.of != nil && st.of.hash() == k.hash
	case aUsers:
		return user.IsAuthenticated() && HashUser(user.PK) == k.hash
	default:
		return user.IsAuthenticated()
	}
}

// touchedLocked reports whether what was read of a session and its user may be older than a change, and when that was
// committed.
func (l *Live) touchedLocked(a arrival, w *watched) (committed time.Time, ok bool) {
	if l.touch.some() {
		committed, ok = l.touch.touched(w.hash(), w.ofUser())
	}
	if ok || !a.settled {
		return committed, ok || l.touch.all()
	}
	for k := a.last.next; k != nil; k = k.next {
		if k.whose == asked {
			return time.Time{}, true
		}
	}
	return time.Time{}, false
}

// execute closes a connection, if there is a kick for it.
func (k *kick) execute(instance consumers.Watched) {
	if k != nil {
		_ = instance.Close(k.code, k.reason) // the client may be gone already
	}
}
