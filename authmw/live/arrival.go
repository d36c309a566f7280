package live

import (
	"context"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// A handshake takes a while: who the visitor is was read before the connection is in the index. A kick that comes in
// between must reach it, too. So kicks are a list, each handshake holds the one that was the last when it began, and
// looks at those that came after it when it is in the index. What no handshake holds any more is forgotten.

// kick is one order to close connections.
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
)

// arrivalKey is the key of a *kick in a context: the last one when the handshake began.
type arrivalKey struct{ live *Live }

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
	return a.app.Open(context.WithValue(ctx, arrivalKey{a.live}, a.live.kicks.Load()), s)
}

// Unwrap returns the Application inside, so that a route can see that it is a router.
func (a arriving) Unwrap() consumers.Application { return a.app }

// Arrived returns, for the context of a handshake, what makes others the context of the same arrival: whoever is
// recognised later than by his handshake goes on with one of those.
func (l *Live) Arrived(ctx context.Context) func(context.Context) context.Context {
	arrival := l.arrivalOf(ctx)
	return func(later context.Context) context.Context { return context.WithValue(later, arrivalKey{l}, arrival) }
}

// arrivalOf returns the last kick when the handshake began.
func (l *Live) arrivalOf(ctx context.Context) *kick {
	if k, ok := ctx.Value(arrivalKey{l}).(*kick); ok {
		return k
	}
	return l.kicks.Load()
}

// kickLocked makes those learn of a kick who are about to come into the index.
func (l *Live) kickLocked(k kick) {
	l.kicks.Load().next = &k
	l.kicks.Store(&k)
}

// missedLocked returns the first kick after a connection's arrival that is for it, or nil.
func (l *Live) missedLocked(arrival *kick, st *seat, user *djangocompat.User) *kick {
	if arrival == nil {
		return nil
	}
	for k := arrival.next; k != nil; k = k.next {
		if k.reaches(st, user) {
			return k
		}
	}
	return nil
}

// reaches reports whether a kick is for a connection.
func (k *kick) reaches(st *seat, user *djangocompat.User) bool {
	switch k.whose {
	case aSessions:
		return st.of != nil && st.of.hash() == k.hash
	case aUsers:
		return user.IsAuthenticated() && HashUser(user.PK) == k.hash
	default:
		return user.IsAuthenticated()
	}
}

// execute closes a connection, if there is a kick for it.
func (k *kick) execute(instance consumers.Watched) {
	if k != nil {
		_ = instance.Close(k.code, k.reason) // the client may be gone already
	}
}
