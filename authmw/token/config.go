package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Scheme is one kind of token and where it may come from.
type Scheme struct {
	// Name tells the Scheme from others; the Backend of its users is "token." and the name.
	Name string
	// Verifier knows the tokens.
	Verifier Verifier
	// Sources are where tokens are looked for, in this order. Default: Header.
	Sources []Source
	// Keywords stand before a token in the Authorization header. They are compared exactly, except those of
	// rest_framework.authtoken, as in Django. Default: "Token" for that, "Bearer" for others.
	Keywords []string
	// Cookie is the name of a cookie. Needed for the Source Cookie.
	Cookie string
	// Query is the name of a parameter. Needed for the Source Query. Consumers do not find it in their Scope;
	// proxies and browsers write it into their logs, though.
	Query string
	// Subprotocol is what a client offers before a token, and is answered. Default: "bearer".
	Subprotocol string
}

// backend returns the Backend of the Scheme's users.
func (s *Scheme) backend() string { return "token." + s.Name }

// An Order says who is asked first who a visitor is.
type Order uint8

// The orders.
const (
	SessionFirst Order = iota // a token counts only where nobody is logged in with the session
	TokenFirst                // a session counts only where no token does
)

// A WrongToken says what becomes of a visitor whose tokens are all wrong.
type WrongToken uint8

// What becomes of visitors.
const (
	Refuse    WrongToken = iota // 401; after the handshake, close code 4401
	Anonymous                   // who the session says, or AnonymousUser
)

// An AtExpiry says what becomes of a WebSocket when the token that opened it expires.
type AtExpiry uint8

// What becomes of WebSockets.
const (
	StayOpen     AtExpiry = iota // nothing; consumers know the time from Of
	CloseExpired                 // it is closed with 4401
)

// Config says how tokens are treated. The zero Config is a good one.
type Config struct {
	// Order says whether sessions or tokens are asked first. Default: SessionFirst.
	Order Order
	// WrongToken says what becomes of a visitor with a wrong token. Default: Refuse.
	WrongToken WrongToken
	// AtExpiry says what becomes of a WebSocket whose token expires. Default: StayOpen.
	AtExpiry AtExpiry
	// Realm is told with 401. Default: "api", simplejwt's.
	Realm string
	// FirstMessageSubprotocol is what a client offers that will send its token as the first message. It is
	// answered. Default: "first-message".
	FirstMessageSubprotocol string
	// FirstMessageAlways says that every WebSocket begins with a token, whatever the client offers.
	FirstMessageAlways bool
	// FirstMessageTimeout is how long the first message may take. Default: 5 s.
	FirstMessageTimeout time.Duration
	// MaxWaiting bounds the WebSockets that wait for their first message; further ones are answered 503.
	// Default: 4096.
	MaxWaiting int
	// RetryAfter is the longest time after which a client that was answered 503 is asked to come again.
	// Default: 5 s.
	RetryAfter time.Duration
	// Arrived returns, for the context of a handshake that a first message is awaited after, what makes the context
	// with which that message is looked at, and the Application opened: live.Live has it. Default: it stays as it is.
	Arrived func(handshake context.Context) (later func(context.Context) context.Context)
	// Registerer takes the metrics. Default: none.
	Registerer prometheus.Registerer
}

func (c Config) withDefaults() Config {
	if c.Realm == "" {
		c.Realm = "api"
	}
	if c.FirstMessageSubprotocol == "" {
		c.FirstMessageSubprotocol = "first-message"
	}
	if c.FirstMessageTimeout == 0 {
		c.FirstMessageTimeout = 5 * time.Second
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = 4096
	}
	if c.RetryAfter == 0 {
		c.RetryAfter = 5 * time.Second
	}
	if c.Arrived == nil {
		c.Arrived = func(context.Context) func(context.Context) context.Context {
			return func(ctx context.Context) context.Context { return ctx }
		}
	}
	return c
}

func (s Scheme) withDefaults() Scheme {
	if len(s.Sources) == 0 {
		s.Sources = []Source{Header}
	}
	if len(s.Keywords) == 0 {
		s.Keywords = []string{"Bearer"}
		if s.folds() {
			s.Keywords = []string{"Token"}
		}
	}
	if s.Subprotocol == "" {
		s.Subprotocol = "bearer"
	}
	return s
}

// folds reports whether the keywords are compared without regard to case.
func (s Scheme) folds() bool { _, ok := s.Verifier.(*AuthToken); return ok }

// check refuses what cannot work.
func (s Scheme) check() error {
	switch {
	case s.Name == "" || strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "":
		return fmt.Errorf("token: %q is no name of a scheme: use letters, digits, - and _", s.Name)
	case s.Verifier == nil:
		return fmt.Errorf("token: scheme %s has no Verifier", s.Name)
	case slices.Contains(s.Sources, Cookie) && s.Cookie == "":
		return fmt.Errorf("token: scheme %s names no cookie", s.Name)
	case slices.Contains(s.Sources, Query) && s.Query == "":
		return fmt.Errorf("token: scheme %s names no parameter of the query", s.Name)
	}
	return nil
}

// checked returns the schemes with their defaults.
func checked(schemes []Scheme) ([]*Scheme, error) {
	if len(schemes) == 0 {
		return nil, errors.New("token: there is no scheme")
	}
	var out []*Scheme
	for _, s := range schemes {
		if slices.ContainsFunc(out, func(other *Scheme) bool { return other.Name == s.Name }) {
			return nil, fmt.Errorf("token: two schemes are named %s", s.Name)
		}
		if err := s.check(); err != nil {
			return nil, err
		}
		s = s.withDefaults()
		out = append(out, &s)
	}
	return out, nil
}
