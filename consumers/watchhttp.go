package consumers

import (
	"context"
	"sync"

	"github.com/belleville/belleville/djangocompat"
)

// login is what the visitor of one HTTP request is logged in with.
type login struct {
	watch Watch
	once  sync.Once
	over  chan struct{} // closed when the visitor is logged out
}

// loginKey is the key of the login in a request's context.
type loginKey struct{}

// SessionEnds returns a channel that is closed when the visitor of a request, whose context or one made of it
// ctx is, is logged out. A handler that keeps a response open for long ends it then; other requests go on, for
// they may be the very logout. It is nil where nobody watches the visitor's session.
func SessionEnds(ctx context.Context) <-chan struct{} {
	if l, ok := ctx.Value(loginKey{}).(*login); ok {
		return l.over
	}
	return nil
}

// Watch implements Watched.
func (e *Exchange) Watch(w Watch) { e.login = &login{watch: w, over: make(chan struct{})} }

// SessionEnded implements Watched.
func (e *Exchange) SessionEnded(EndCause) {
	e.login.once.Do(func() { close(e.login.over) })
}

// UserChanged implements Watched.
func (*Exchange) UserChanged(*djangocompat.Session, *djangocompat.User) {}

// Send implements Watched: a response has no place for a message from elsewhere.
func (*Exchange) Send(Message) error { return ErrClosed }

// Close implements Watched.
func (e *Exchange) Close(CloseCode, string) error {
	e.SessionEnded(EndedByLogout)
	return nil
}
