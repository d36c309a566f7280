package live

import (
	"context"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// Watch wraps an Application: its connections follow the logins of their visitors. It belongs inside of what
// recognises visitors, as [authmw.Stack] does. The connections of visitors who are nobody are watched where they
// have a session and the consumer is a [consumers.UserWatcher].
func (l *Live) Watch(app consumers.Application) consumers.Application { return watching{app, l, nil} }

// watching is an Application whose connections are watched.
type watching struct {
	app  consumers.Application
	live *Live
	rule *rule // nil without one
}

// Open implements consumers.Application.
func (wa watching) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	st, arrival := &seat{live: wa.live}, wa.live.arrivalOf(ctx)
	s = s.Clone()
	s.Set(seatKey{}, st) // for Moving, which knows nothing but the Scope
	instance, err := wa.app.Open(ctx, s)
	if err != nil {
		return nil, err
	}
	if w, ok := instance.(consumers.Watched); ok {
		st.instance = w
		w.Watch(st)
		if wa.rule != nil { // first, so that it hears of a session that ends at once
			wa.live.subject(&ruled{seat: st, scope: s.Clone(), rule: wa.rule, user: s.User})
		}
		wa.live.enter(s, st, arrival).execute(w)
	}
	return instance, nil
}

// seatKey is the key of the seat in a Scope.
type seatKey struct{}

// followable reports whether what is known of a visitor hangs on a session. Who was known by a token beside one is
// not.
func followable(s *consumers.Scope, instance consumers.Instance) bool {
	if s.Session == nil || s.User == nil || s.Session.Key() == "" {
		return false
	}
	if s.User.IsAnonymous() {
		return watchesUser(instance)
	}
	backend, ok := s.Session.GetString(djangocompat.AuthBackendKey)
	return ok && backend == s.User.Backend
}

// Unwrap returns the Application inside, so that a route can see that it is a router.
func (wa watching) Unwrap() consumers.Application { return wa.app }

// watchesUser reports whether a login matters to a consumer whose visitor is nobody.
func watchesUser(instance consumers.Instance) bool {
	w, ok := instance.(interface{ WatchesUser() bool })
	return ok && w.WatchesUser()
}

// enter takes a connection in: into its visitor's session, if that can be followed. It returns the kick for it that has
// come since its arrival, nil if there is none.
func (l *Live) enter(s *consumers.Scope, st *seat, a arrival) *kick {
	l.mu.Lock()
	defer l.mu.Unlock()
	if st.through() || st.of != nil {
		return nil
	}
	l.takeInLocked(s, st, a)
	return l.missedLocked(a, st, s.User)
}

func (l *Live) takeInLocked(s *consumers.Scope, st *seat, a arrival) {
	if r := l.rules[st]; r != nil {
		r.user = s.User
	}
	w, isNew := l.placeLocked(s, st)
	if w == nil {
		l.others.add(st, s.User)
		return
	}
	l.index.sit(st, w)
	committed, touched := l.touchedLocked(a, w)
	switch {
	case touched || !same(w.user, s.User): // it was read before the others, or after
		w.mixed = w.mixed || !same(w.user, s.User)
		w.strangers = w.strangers || w.user.PK != s.User.PK
		l.hurryLocked(w, committed)
		l.wake()
	case isNew:
		l.wheel.placeFirst(w)
	}
}

// placeLocked returns what a connection follows: the session of its visitor, or his token; nil if that is nothing.
func (l *Live) placeLocked(s *consumers.Scope, st *seat) (w *watched, isNew bool) {
	if followable(s, st.instance) {
		return l.index.add(s.Session.Key(), s.User)
	}
	ground := l.cfg.Ground(s)
	if ground == nil {
		return nil, false
	}
	if w, isNew = l.index.add(nameOf(*ground), s.User); isNew {
		l.groundLocked(w, *ground)
	}
	return w, isNew
}

// leave forgets a connection, and its session if it was the last one.
func (l *Live) leave(st *seat) {
	l.mu.Lock()
	defer l.mu.Unlock()
	st.live = nil
	delete(l.rules, st)
	delete(l.moving, st)
	l.riseLocked(st)
}

// subject has a rule asked about a connection until it ends.
func (l *Live) subject(r *ruled) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.seat.through() {
		return
	}
	if l.rules == nil {
		l.rules = make(map[*seat]*ruled)
	}
	l.rules[r.seat] = r
}

// riseLocked takes a connection out of its session, if it is in one, and forgets the session if it was the last.
func (l *Live) riseLocked(st *seat) {
	l.others.remove(st)
	if st.of == nil {
		return
	}
	if w, last := l.index.stand(st); last {
		l.wheel.drop(w)
		l.removeLocked(w)
	}
}

// Moving says that the connection with a Scope is about to log in or out itself, which moves its session to another
// key: until [Live.Moved] is called it follows none, so that the end of the old key is not its end. authmw calls both.
func (l *Live) Moving(s *consumers.Scope) {
	if st, ok := s.Value(seatKey{}).(*seat); ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.riseLocked(st)
		if l.moving == nil {
			l.moving = make(map[*seat]arrival)
		}
		l.moving[st] = arrival{last: l.kicks.Load()}
	}
}

// Moved says that the Scope has the session and the user that the connection is to follow from now on.
func (l *Live) Moved(s *consumers.Scope) {
	st, ok := s.Value(seatKey{}).(*seat)
	if !ok {
		return
	}
	l.mu.Lock()
	before := l.moving[st]
	delete(l.moving, st)
	l.mu.Unlock()
	if st.instance == nil {
		return
	}
	l.enter(s, st, before).execute(st.instance)
}
