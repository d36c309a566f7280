package consumers

import (
	"context"

	"github.com/belleville/belleville/djangocompat"
)

// Watched is an Instance whose visitor may be logged out, or become another user, while it runs. Its methods
// may be called concurrently, and none of them waits for the consumer.
type Watched interface {
	Instance

	// Watch makes w know when the consumer is through, or is never begun. It is called once, before the server has
	// the Instance.
	Watch(w Watch)

	// SessionEnded says that the visitor is not logged in any more. A consumer that is a [SessionEnder] is
	// asked what it makes of that; any other is closed at once with 4401, and nothing more is sent to it. An
	// HTTP response that is still open is finished, with 401 where it has not begun.
	SessionEnded(cause EndCause)

	// UserChanged gives the consumer what is now known of its visitor, and tells it if it is a [UserWatcher]. A
	// session that is nil stays as it was.
	UserChanged(s *djangocompat.Session, u *djangocompat.User)

	// Send sends a message as [Conn.Send] does, and Close closes the connection as [Conn.Close] does: whoever
	// knows the visitor, but not the consumer, wants it.
	Send(m Message) error
	Close(code CloseCode, reason string) error
}

// A Watch is told, once, when the consumer that it watches is through.
type Watch interface{ Ended() }

// A SessionEnder is a Consumer that decides what happens when its visitor is logged out while it runs. Until
// it has decided nothing is sent to the client. Where it returns nil without having closed the connection, the
// connection goes on as that of AnonymousUser, whom Scope then has.
type SessionEnder interface {
	OnSessionEnded(ctx context.Context, c *Conn, cause EndCause) error
}

// A UserWatcher is a Consumer that wants to know when what Scope says of its visitor has changed: a session that
// was logged in, a user who was renamed, another user.
type UserWatcher interface {
	OnUserChanged(ctx context.Context, c *Conn, before *djangocompat.User) error
}

// An EndCause says why a session is no login any more.
type EndCause uint8

// The causes.
const (
	EndedByLogout   EndCause = iota // the session is gone, or the token, or nobody is logged in with it
	EndedByExpiry                   // its time is over
	EndedByPassword                 // the user's password has changed, or the site's key
	EndedInactive                   // the user may not log in any more
	EndedNoUser                     // the user was deleted
	EndedByOther                    // somebody else is logged in with the session now
)

var causeNames = [...]string{
	EndedByLogout: "logout", EndedByExpiry: "expiry", EndedByPassword: "password", EndedInactive: "inactive",
	EndedNoUser: "no_user", EndedByOther: "other_user",
}

// String returns the cause as a word.
func (c EndCause) String() string {
	if int(c) < len(causeNames) {
		return causeNames[c]
	}
	return "unknown"
}

// sessionEnded is what a client is told in its close frame.
const sessionEnded = "session ended"

// news is what a consumer is to be told of its visitor before anything else.
type news struct {
	ended   bool
	cause   EndCause
	session *djangocompat.Session
	user    *djangocompat.User
}

// Watch implements Watched.
func (s *Socket) Watch(w Watch) { s.channel.watch = w }

// WatchesUser reports whether the consumer is a [UserWatcher], to which the login of a visitor who was nobody matters
// too.
func (s *Socket) WatchesUser() bool {
	_, asks := s.own().(UserWatcher)
	return asks
}

// Send implements Watched.
func (s *Socket) Send(m Message) error { return s.send(m) }

// Close implements Watched. Where the server has not begun, it never does: the handshake is refused.
func (s *Socket) Close(code CloseCode, reason string) error {
	s.mu.Lock()
	begun, gone := s.state&started != 0, s.state&closing != 0 || s.code != 0
	if !begun {
		s.state |= closing
	}
	s.mu.Unlock()
	switch {
	case begun:
		return s.close(code, reason)
	case gone:
		return ErrClosed
	}
	return nil
}

// Abandon says that an Instance is never begun: the client has gone during the handshake, or is refused for something
// that the Application does not know of. A server calls it, so that whoever watches the Instance forgets it.
func Abandon(i Instance) {
	switch i := i.(type) {
	case *Socket:
		if i.channel.watch != nil {
			i.channel.watch.Ended()
		}
	case *Exchange:
		if i.login != nil {
			i.login.watch.Ended()
		}
	}
}

// SessionEnded implements Watched.
func (s *Socket) SessionEnded(cause EndCause) {
	_, asked := s.own().(SessionEnder)
	s.mu.Lock()
	begun := s.state&started != 0
	if s.state&(closing|through) != 0 {
		s.mu.Unlock()
		return
	}
	s.state |= barred
	s.mu.Unlock()
	if begun && !asked {
		_ = s.close(CloseSessionEnded, sessionEnded) // the client may be gone already
		return
	}
	s.tell(&news{ended: true, cause: cause})
}

// UserChanged implements Watched.
func (s *Socket) UserChanged(session *djangocompat.Session, user *djangocompat.User) {
	s.tell(&news{session: session, user: user})
}

// tell leaves news for the consumer. They come before whatever waits already, and newer ones replace them.
func (s *Socket) tell(n *news) {
	s.mu.Lock()
	if s.state&(closing|through) != 0 || s.code != 0 {
		s.mu.Unlock()
		return
	}
	b := s.boxLocked()
	if b.news == nil || !b.news.ended {
		b.news = n
	}
	start := s.claimLocked()
	s.mu.Unlock()
	if start {
		go s.run()
	}
}

// hear tells the consumer the news of its visitor.
func (s *Socket) hear(n *news) {
	if !n.ended {
		before := s.channel.Scope().User
		if n.session == nil { // it was known by a token
			n.session = s.channel.Scope().Session
		}
		s.channel.recognise(n.session, n.user)
		if w, ok := s.own().(UserWatcher); ok {
			s.check(guard(func() error { return w.OnUserChanged(&s.life, s.conn(), before) }))
		}
		return
	}
	ender, ok := s.own().(SessionEnder)
	if !ok {
		_ = s.close(CloseSessionEnded, sessionEnded) // the client may be gone already
		return
	}
	s.channel.recognise(new(djangocompat.Session), anonymous)
	s.mu.Lock()
	s.state &^= barred
	s.mu.Unlock()
	s.check(guard(func() error { return ender.OnSessionEnded(&s.life, s.conn(), n.cause) }))
}
