package authmw

import (
	"context"
	"errors"
	"fmt"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// A LoginStore is a Store that users can be logged in with, as [*sessionstore.Store] is.
type LoginStore interface {
	Store
	// Verdict is User, and says why.
	Verdict(ctx context.Context, s *djangocompat.Session) (*djangocompat.User, sessionstore.Reason, error)
	// Login makes a session the one of a user, and stores it.
	Login(ctx context.Context, s *djangocompat.Session, user *djangocompat.User) error
	// Renew writes a new hash into a session that a fallback key keeps logged in, and gives it a new key.
	Renew(ctx context.Context, s *djangocompat.Session) error
}

// ErrNoLogin means that the Store of Sessions is no LoginStore.
var ErrNoLogin = errors.New("authmw: the store cannot log anybody in")

// Login logs a user in with the session of s: an anonymous session keeps its data and gets a new key, one of
// another user or of an old password loses its data. A nil user is the one that s has. The user must name one of
// several authentication backends in User.Backend. No password is asked for here: see Authenticate.
//
// Login stores the session, with its new key, before it returns; the Save that Channels asks for does no harm.
// Scope's Session and User are then others: ask the Scope anew. On a WebSocket the browser keeps its old cookie,
// under which there is nothing any more, until it has fetched what [Handover.Path] returns; an HTTP response
// carries the new one. The CSRF token remains: call RotateCSRF where a page has one.
//
// Where open connections follow their sessions, those of the old key end if somebody was logged in there before; the
// one that Login was called on follows the new key, if Config.Follower is told of it.
//
// Python: channels.auth.login.
func Login(ctx context.Context, s *consumers.Scope, user *djangocompat.User) error {
	r, err := recogniserOf(s)
	if err != nil {
		return err
	}
	store, ok := r.store.(LoginStore)
	if !ok {
		return ErrNoLogin
	}
	if user == nil {
		user = s.User
	}
	defer r.moves(s)()
	session := writable(s)
	before := session.Clone()
	if err := store.Login(ctx, session, user); err != nil {
		session.PutBack(before) // so that no response saves half of it
		return fmt.Errorf("authmw: %w", err)
	}
	known, err := store.User(ctx, session)
	if err != nil || known.IsAnonymous() { // Django, too, logs an inactive user in, for whom nothing is done then
		own := *user
		own.Backend, _ = session.GetString(djangocompat.AuthBackendKey)
		known = &own
	}
	become(s, session, known)
	if r.cfg.LoggedIn != nil {
		r.cfg.LoggedIn(ctx, s, known)
	}
	return nil
}

// Logout ends the session of s: its data and what is stored are gone, the user is AnonymousUser. On a WebSocket
// the browser keeps a cookie that is good for nothing, until it has fetched what [Handover.Path] returns; an
// HTTP response deletes it.
//
// Python: channels.auth.logout.
func Logout(ctx context.Context, s *consumers.Scope) error {
	r, err := recogniserOf(s)
	if err != nil {
		return err
	}
	if r.cfg.LoggedOut != nil && s.User.IsAuthenticated() {
		r.cfg.LoggedOut(ctx, s, s.User)
	}
	defer r.moves(s)()
	session := writable(s)
	if err := session.Flush(ctx); err != nil {
		return fmt.Errorf("authmw: log out: %w", err)
	}
	become(s, session, new(djangocompat.User))
	return nil
}

// GetUser returns who is logged in with the session of s now: session and user are read again, so that a consumer
// that calls it from time to time notices a logout elsewhere. AnonymousUser is an answer, an error means that
// the database could not say. What s has stays as it is, changes that were not saved included.
//
// Python: channels.auth.get_user, which reads the session that it has.
func GetUser(ctx context.Context, s *consumers.Scope) (*djangocompat.User, error) {
	r, err := recogniserOf(s)
	if err != nil {
		return nil, err
	}
	key := s.Session.Key()
	if key == "" {
		return new(djangocompat.User), nil
	}
	session, err := r.store.Load(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("authmw: get user: %w", err)
	}
	user, _, err := r.user(ctx, session, s.Type)
	if err != nil {
		return nil, fmt.Errorf("authmw: get user: %w", err)
	}
	return user, nil
}

// writable returns the session of s to be changed: a WebSocket may share its own with others of the same
// visitor, an HTTP response will save the very one that s has.
func writable(s *consumers.Scope) *djangocompat.Session {
	if s.Type == consumers.TypeHTTP {
		return s.Session
	}
	return s.Session.Clone()
}

// A Follower makes open connections follow their sessions, as [*live.Live] does.
type Follower interface {
	// Moving is called before the session of a Scope is moved to another key, or ended, by its own connection.
	Moving(s *consumers.Scope)
	// Moved is called when the Scope has the new session, or the old one because that failed.
	Moved(s *consumers.Scope)
}

// moves tells the Follower that a session is about to be moved, and returns what tells it that it was.
func (r *recogniser) moves(s *consumers.Scope) (moved func()) {
	f := r.cfg.Follower
	if f == nil {
		return func() {}
	}
	f.Moving(s)
	return func() { f.Moved(s) }
}

// become makes a Scope that of a visitor who has logged in or out.
func become(s *consumers.Scope, session *djangocompat.Session, user *djangocompat.User) {
	noteKey(s, s.Session.Key())
	s.Become(session, user)
}
