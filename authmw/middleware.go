package authmw

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// A Store knows sessions and users, as [*sessionstore.Store] does. An error that is
// [sessionstore.ErrUnavailable] means that it cannot say now.
type Store interface {
	// Load returns the session of a cookie; an empty one if there is none.
	Load(ctx context.Context, key string) (*djangocompat.Session, error)
	// User returns the user who is logged in with a session; AnonymousUser if nobody is.
	User(ctx context.Context, s *djangocompat.Session) (*djangocompat.User, error)
}

// A VisitorStore is a Store that looks up session and user together, as [*sessionstore.Store] does, so that a handshake
// waits once.
type VisitorStore interface {
	Store
	// Visitor returns what Load and User do, and why.
	Visitor(ctx context.Context, key string) (sessionstore.Standing, error)
}

// Config says how visitors are recognised. The zero Config is a good one.
type Config struct {
	// CookieName is SESSION_COOKIE_NAME. Default: "sessionid".
	CookieName string
	// CookieDomain is SESSION_COOKIE_DOMAIN. Default: none.
	CookieDomain string
	// CookiePath is SESSION_COOKIE_PATH, or Omit. Default: "/".
	CookiePath string
	// CookieSameSite is SESSION_COOKIE_SAMESITE, or Omit. Default: "Lax".
	CookieSameSite string
	// CookieSecure is SESSION_COOKIE_SECURE. CookieScriptable is the contrary of SESSION_COOKIE_HTTPONLY.
	CookieSecure, CookieScriptable bool
	// Expiry is SESSION_COOKIE_AGE and what else says how long the cookie lives. It should be the store's.
	Expiry djangocompat.ExpirySettings
	// SaveEveryRequest is SESSION_SAVE_EVERY_REQUEST, for HTTP requests.
	SaveEveryRequest bool

	// Follower is told of sessions that Login and Logout move. Default: none.
	Follower Follower

	// LoggedIn is told after Login, LoggedOut before Logout if somebody was logged in.
	// Python: the signals user_logged_in and user_logged_out.
	LoggedIn, LoggedOut func(ctx context.Context, s *consumers.Scope, user *djangocompat.User)

	// FlushStale deletes, as Channels does, a session whose auth hash is not the one of today's password and
	// key; on a WebSocket even if one of SECRET_KEY_FALLBACKS made it, which logs the visitor out of the
	// whole site. It is for strict parity. Without it such a session is just anonymous, or logged in.
	FlushStale bool

	// RefuseTossed answers 400 to a client that sends two different session cookies. One of them may have
	// been set by another site under the same domain. Otherwise the last one counts, as in Django.
	RefuseTossed bool
	// MaxUnknownKeys is how many session keys that are nobody's one address may show in a second, and twice
	// that at once; then it is answered 429 for a moment without asking the store. An IPv6 network of 64 bits
	// is one address; this machine's own are not counted. Below zero there is no limit. Default: 100.
	MaxUnknownKeys int
	// RetryAfter is the longest time after which a client that was answered 503 is asked to come again.
	// Each is told another time. Default: 5 s.
	RetryAfter time.Duration
	// Registerer takes the metrics. Default: none.
	Registerer prometheus.Registerer
}

func (c Config) withDefaults() Config {
	if c.CookieName == "" {
		c.CookieName = "sessionid"
	}
	if c.RetryAfter == 0 {
		c.RetryAfter = 5 * time.Second
	}
	if c.MaxUnknownKeys == 0 {
		c.MaxUnknownKeys = 100
	}
	return c
}

// now is the clock of cookies.
func (c Config) now() time.Time {
	if c.Expiry.Now != nil {
		return c.Expiry.Now()
	}
	return time.Now()
}

// check refuses a cookie that cannot be written.
func (c Config) check() error {
	_, err := c.cookie("").Header()
	return err
}

// ErrNoCookies and ErrNoSession mean that a middleware, or Login, is inside of nothing that it needs.
var (
	ErrNoCookies = errors.New("authmw: Sessions needs Cookies around it")
	ErrNoSession = errors.New("authmw: Auth and Login need Sessions around them")
)

// A step completes a Scope that is its own, or refuses the client.
type step func(ctx context.Context, s *consumers.Scope) error

// completed is an Application whose Scope was completed by steps.
type completed struct {
	app   consumers.Application
	steps []step
}

// around wraps app: its Scope is completed by the steps.
func around(app consumers.Application, steps ...step) consumers.Application {
	return completed{app, steps}
}

// Open implements consumers.Application.
func (c completed) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	s, err := complete(ctx, s, c.steps)
	if err != nil {
		return nil, err
	}
	return c.app.Open(ctx, s)
}

// complete returns a copy of a Scope that was completed by steps.
func complete(ctx context.Context, s *consumers.Scope, steps []step) (*consumers.Scope, error) {
	s = s.Clone()
	for _, take := range steps {
		if err := take(ctx, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Unwrap returns the Application inside, so that a route can see that it is a router.
func (c completed) Unwrap() consumers.Application { return c.app }

// guarded is an Application that some Scopes do not get into.
type guarded struct {
	app    consumers.Application
	admit  func(*consumers.Scope) bool
	reason func(*consumers.Scope) consumers.Reason
}

// Open implements consumers.Application.
func (g guarded) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	if !g.admit(s) {
		return nil, g.reason(s).Deny()
	}
	return g.app.Open(ctx, s)
}

// Unwrap returns the Application inside, so that a route can see that it is a router.
func (g guarded) Unwrap() consumers.Application { return g.app }

// Cookies wraps an Application: its Scope has the cookies. Several Cookie headers are one. A header that is
// larger than a browser makes it is answered 431. Python: channels.sessions.CookieMiddleware.
func Cookies(app consumers.Application) consumers.Application { return around(app, addCookies) }

// Sessions wraps an Application: its Scope has the visitor's session. It needs Cookies around it, and does
// nothing if there is a session already. A visitor without a session cookie is not looked up.
// Python: channels.sessions.SessionMiddleware.
//
// The session of an HTTP request is saved when the response begins, if it was changed, and the response sets,
// refreshes or deletes the cookie; that of a WebSocket is saved by whoever changes it. Sessions panics where the
// cookie of cfg cannot be written.
func Sessions(app consumers.Application, store Store, cfg Config) consumers.Application {
	r := newRecogniser(store, cfg)
	return recognising{app, r, []step{r.addSession}}
}

// Auth wraps an Application: its Scope has the user who is logged in with the session, or AnonymousUser. It
// needs Sessions around it. Python: channels.auth.AuthMiddleware.
func Auth(app consumers.Application, store Store) consumers.Application {
	return around(app, newRecogniser(store, Config{}).addUser)
}

// recognising is an Application inside of Sessions or Stack.
type recognising struct {
	app        consumers.Application
	recogniser *recogniser
	steps      []step
}

// Unwrap returns the Application inside, so that a route can see that it is a router.
func (a recognising) Unwrap() consumers.Application { return a.app }

// Open implements consumers.Application.
func (a recognising) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	own := s.Session == nil
	s, err := complete(ctx, s, a.steps)
	if err != nil {
		return nil, err
	}
	instance, err := a.app.Open(ctx, s)
	switch {
	case err != nil && own:
		return nil, vary(err)
	case s.Type != consumers.TypeHTTP || !own:
		return instance, err
	}
	return a.recogniser.respond(ctx, s, instance)
}

// Stack wraps an Application in Cookies, Sessions and Auth. Python: channels.auth.AuthMiddlewareStack.
func Stack(app consumers.Application, store Store, cfg Config) consumers.Application {
	r := newRecogniser(store, cfg)
	timed := func(ctx context.Context, s *consumers.Scope) error {
		began := time.Now()
		err := r.recognise(ctx, s)
		r.metrics.seconds.Observe(time.Since(began).Seconds())
		return err
	}
	return recognising{app, r, []step{addCookies, timed}}
}
