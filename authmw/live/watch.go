package live

import (
	"context"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// Watch wraps an Application: its connections follow the logins of their visitors. It belongs inside of what
// recognises visitors, as [authmw.Stack] does. The connections of visitors who are nobody are watched where they
// have a session and the consumer is a [consumers.UserWatcher].
func (l *Live) Watch(app consumers.Application) consumers.Application { return watching{app, l} }

// watching is an Application whose connections are watched.
type watching struct {
	app  consumers.Application
	live *Live
}

// Open implements consumers.Application.
func (wa watching) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	instance, err := wa.app.Open(ctx, s)
	if err != nil {
		return nil, err
	}
	if w, ok := instance.(consumers.Watched); ok && followable(s, instance) {
		wa.live.enter(s, w)
	}
	return instance, nil
}

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

// enter takes a connection in.
func (l *Live) enter(s *consumers.Scope, instance consumers.Watched) {
	st := &seat{live: l, instance: instance}
	instance.Watch(st)
	l.mu.Lock()
	defer l.mu.Unlock()
	w, isNew := l.index.add(s.Session.Key(), s.User)
	l.index.sit(st, w)
	committed, touched := l.touch.touched(w.hash, w.ofUser)
	switch {
	case touched || !same(w.user, s.User): // it was read before the others, or after
		w.mixed = w.mixed || !same(w.user, s.User)
		l.hurryLocked(w, committed)
		l.wake()
	case isNew:
		l.wheel.placeFirst(w)
	}
}

// leave forgets a connection, and its session if it was the last one.
func (l *Live) leave(st *seat) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if st.of == nil {
		return
	}
	if w, last := l.index.stand(st); last {
		l.wheel.drop(w)
		l.index.remove(w)
	}
}
