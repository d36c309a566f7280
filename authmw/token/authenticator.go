package token

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/belleville/belleville/consumers"
)

// An Authenticator knows visitors by their tokens. One serves all Applications of a site; it may be used
// concurrently.
type Authenticator struct {
	// Set at birth, never changed.
	schemes  []*Scheme
	cfg      Config
	metrics  *metrics
	expiries *expiries

	waiting atomic.Int64 // WebSockets that wait for their first message
}

// New makes an Authenticator that tries the schemes in their order.
func New(schemes []Scheme, cfg Config) (*Authenticator, error) {
	list, err := checked(schemes)
	if err != nil {
		return nil, err
	}
	a := &Authenticator{schemes: list, cfg: cfg.withDefaults(), metrics: newMetrics(cfg.Registerer)}
	a.expiries = newExpiries(a.metrics.expired)
	return a, nil
}

// Wrap wraps an Application: its Scope has the user whom a token names, where one does. It goes inside of
// authmw.Stack, whose session it knows, and which it needs for the Source Cookie.
func (a *Authenticator) Wrap(app consumers.Application) consumers.Application {
	w := &wrapped{Authenticator: a, app: app}
	w.door = consumers.New(func() *door { return &door{wrapped: w} })
	return w
}

// wrapped is an Application whose visitors may have tokens.
type wrapped struct {
	*Authenticator
	app  consumers.Application
	door consumers.Application // for those whose token is their first message
}

// Unwrap returns the Application inside, so that a route can see that it is a router.
func (w *wrapped) Unwrap() consumers.Application { return w.app }

// Open implements consumers.Application.
func (w *wrapped) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	s = s.Clone()
	found := w.gather(s)
	if !s.User.IsAuthenticated() || w.cfg.Order == TokenFirst {
		if err := w.complete(ctx, s, found); err != nil {
			return nil, err
		}
	}
	if w.awaitsMessage(s) {
		return w.wait(ctx, s)
	}
	return w.open(ctx, s)
}

// open opens the Application inside for a visitor of whom all is known.
func (w *wrapped) open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	instance, err := w.app.Open(ctx, s)
	if err != nil {
		return nil, err
	}
	id := Of(s)
	if socket, ok := instance.(*consumers.Socket); ok && id != nil && w.cfg.AtExpiry == CloseExpired && !id.Expires.IsZero() {
		w.expiries.add(socket, id.Expires)
	}
	return instance, nil
}

// complete puts whom a token names into the Scope, or refuses the client.
func (a *Authenticator) complete(ctx context.Context, s *consumers.Scope, found []candidate) error {
	id, refused, err := a.identify(ctx, found)
	switch {
	case err != nil:
		return a.unknown(err)
	case id != nil:
		s.User = id.User
		s.Set(identityKey{}, id)
	case len(refused) > 0 && a.cfg.WrongToken == Refuse:
		return a.unauthorized(refused)
	}
	return nil
}

// identify tries candidates until one is right. It returns the schemes that refused, if none is.
func (a *Authenticator) identify(ctx context.Context, found []candidate) (*Identity, []*Scheme, error) {
	var refused []*Scheme
	for _, c := range found {
		id, err := c.verify(ctx)
		a.metrics.looked(c, err)
		if _, wrong := errors.AsType[*Refusal](err); wrong {
			refused = append(refused, c.scheme)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		known := *id
		known.Scheme, known.Source = c.scheme.Name, c.source
		return &known, nil, nil
	}
	return nil, refused, nil
}

// verify asks the scheme about a token that may be one.
func (c candidate) verify(ctx context.Context) (*Identity, error) {
	switch {
	case len(c.token) > MaxSize:
		return nil, refuse(TooLarge)
	case c.odd || c.token == "":
		return nil, refuse(Malformed)
	}
	return c.scheme.Verifier.Verify(ctx, c.token, c.scheme.backend())
}

// unauthorized is the answer to a client whose tokens are wrong. RFC 9110 §11.6.1. Which of them is wrong, and
// why, is nobody's business.
func (a *Authenticator) unauthorized(refused []*Scheme) error {
	header := http.Header{}
	var challenges []string
	for _, s := range refused {
		challenge := s.Keywords[0] + ` realm=` + strconv.Quote(a.cfg.Realm)
		if !slices.Contains(challenges, challenge) {
			challenges = append(challenges, challenge)
		}
	}
	header.Set("WWW-Authenticate", strings.Join(challenges, ", "))
	return &consumers.Denial{Status: http.StatusUnauthorized, Header: header, Reason: consumers.ReasonToken}
}

// unknown is the answer to a client whose token cannot be verified now.
func (a *Authenticator) unknown(err error) error {
	if !unavailable(err) {
		return fmt.Errorf("verify token: %w", err)
	}
	return a.busy()
}

// busy asks a client to come again.
func (a *Authenticator) busy() error {
	seconds := 1 + rand.N(max(1, int64(a.cfg.RetryAfter/time.Second)))
	header := http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}}
	return &consumers.Denial{Status: http.StatusServiceUnavailable, Header: header, Reason: consumers.ReasonUnavailable}
}
