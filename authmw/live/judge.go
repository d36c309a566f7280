package live

import (
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// sentence is what the connections of a session are to be told. The zero sentence is nothing.
type sentence struct {
	instances []consumers.Watched
	ended     bool
	other     bool // somebody else is logged in now
	cause     consumers.EndCause
	session   *djangocompat.Session
	user      *djangocompat.User
	touched   time.Time // when the change was committed, or the session expired; zero for unknown
}

// execute tells them.
func (s sentence) execute(m *metrics) {
	for _, instance := range s.instances {
		switch {
		case s.ended:
			instance.SessionEnded(s.cause)
		case s.other && !watchesUser(instance): // its groups are those of somebody else
			instance.SessionEnded(consumers.EndedByOther)
		default:
			instance.UserChanged(s.session, s.user)
		}
	}
	if len(s.instances) > 0 {
		m.sentenced(s, time.Now())
	}
}

// sentenceLocked compares what is now known of a session with what its connections know, and sees that it is
// asked about again.
func (l *Live) sentenceLocked(w *watched, now sessionstore.Standing, at time.Time) (s sentence) {
	s.touched = l.commits[w]
	delete(l.commits, w)
	before := w.user
	switch {
	case before.IsAuthenticated() && !now.User.IsAuthenticated():
		s.ended, s.cause, s.instances = true, causeOf(w, now, at), w.instances()
		if s.cause == consumers.EndedByExpiry && s.touched.IsZero() {
			s.touched = time.Unix(0, w.expires) // that is when it ended
		}
		l.expelLocked(w)
		return s
	case w.mixed || !same(before, now.User):
		w.mixed = false
		s.session, s.user, s.instances = now.Session, now.User, w.instances()
		s.other = before.IsAuthenticated() && before.PK != now.User.PK || w.strangers
		w.strangers = false
		l.index.assign(w, now.User)
	}
	w.expires = 0
	if !now.Expires.IsZero() && now.Expires.Unix() < farthest {
		w.expires = now.Expires.UnixNano()
	}
	if w.again {
		w.again = false
		l.wheel.hurry(w)
	} else {
		l.wheel.place(w, at)
	}
	return s
}

// same reports whether two Users are of one visitor, about whom nothing has changed. A store gives the same User as
// long as the row is the same.
func same(a, b *djangocompat.User) bool { return a == b || a.IsAnonymous() && b.IsAnonymous() }

// expelLocked forgets a session and its connections.
func (l *Live) expelLocked(w *watched) {
	for w.seats != nil {
		if r := l.rules[w.seats]; r != nil { // its consumer may go on without a user
			r.user = l.nobody
		}
		l.index.stand(w.seats)
	}
	l.wheel.drop(w)
	l.removeLocked(w)
}

// causeOf says why nobody is logged in with a session any more.
func causeOf(w *watched, now sessionstore.Standing, at time.Time) consumers.EndCause {
	switch now.Reason {
	case sessionstore.Inactive, sessionstore.BackendNotConfigured:
		return consumers.EndedInactive
	case sessionstore.NoSuchUser, sessionstore.BadPK:
		return consumers.EndedNoUser
	case sessionstore.HashMissing, sessionstore.HashMismatch:
		return consumers.EndedByPassword
	}
	if w.expires != 0 && !at.Before(time.Unix(0, w.expires)) {
		return consumers.EndedByExpiry
	}
	return consumers.EndedByLogout
}
