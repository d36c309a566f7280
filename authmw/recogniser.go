package authmw

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// recogniser finds out who visitors are.
type recogniser struct {
	store    Store
	visitors VisitorStore // the store, or nil where it is none
	cfg      Config
	metrics  *metrics
	unknown  *unknownKeys

	stranger  bool        // it is that of visitors who came without a session
	strangers *recogniser // the one of those
}

func newRecogniser(store Store, cfg Config) *recogniser {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		panic(fmt.Errorf("authmw: session cookie: %w", err))
	}
	r := &recogniser{store: store, cfg: cfg, metrics: newMetrics(cfg.Registerer), unknown: newUnknownKeys(cfg.MaxUnknownKeys)}
	r.visitors, _ = store.(VisitorStore)
	stranger := *r
	stranger.stranger, stranger.strangers = true, &stranger
	r.strangers = &stranger
	return r
}

// recogniserKey is the key of a Scope's recogniser.
type recogniserKey struct{}

// recogniserOf returns what found out who the visitor of a Scope is.
func recogniserOf(s *consumers.Scope) (*recogniser, error) {
	r, ok := s.Value(recogniserKey{}).(*recogniser)
	if !ok || s.Session == nil {
		return nil, ErrNoSession
	}
	return r, nil
}

func addCookies(_ context.Context, s *consumers.Scope) error {
	var err error
	if s.Cookies, err = djangocompat.ParseCookie(cookieHeader(s.Header)); err != nil {
		return &consumers.Denial{Status: http.StatusRequestHeaderFieldsTooLarge, Reason: consumers.ReasonCookie}
	}
	return nil
}

// cookieHeader returns the Cookie headers as one, in memory of its own: the cookies live longer than the
// request.
func cookieHeader(h consumers.Header) string {
	var b strings.Builder
	for v := range h.Values("cookie") {
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(v)
	}
	return b.String()
}

// recognise gives a Scope its session and its user, both at once where the store can.
func (r *recogniser) recognise(ctx context.Context, s *consumers.Scope) error {
	if s.Session != nil || r.visitors == nil {
		if err := r.addSession(ctx, s); err != nil {
			return err
		}
		return r.addUser(ctx, s)
	}
	key, err := r.sessionKey(s)
	if err != nil {
		return err
	}
	found, err := r.visitors.Visitor(ctx, key)
	if err != nil {
		return r.refusal(err)
	}
	r.setSession(s, key, found.Session)
	if r.isStale(found.Reason, s.Type) {
		found.User, found.Reason = new(djangocompat.User), sessionstore.HashMismatch
		if err := found.Session.Flush(ctx); err != nil {
			return r.refusal(err)
		}
	}
	r.setUser(ctx, s, found.User, found.Reason)
	return nil
}

func (r *recogniser) addSession(ctx context.Context, s *consumers.Scope) error {
	if s.Session != nil {
		return nil
	}
	key, err := r.sessionKey(s)
	if err != nil {
		return err
	}
	session, err := r.store.Load(ctx, key)
	if err != nil {
		return r.refusal(err)
	}
	r.setSession(s, key, session)
	return nil
}

// sessionKey returns the session cookie of a client, "" for none, unless he is refused because of it.
func (r *recogniser) sessionKey(s *consumers.Scope) (string, error) {
	if s.Cookies == nil {
		return "", ErrNoCookies
	}
	if tossed(s.Header, r.cfg.CookieName) {
		r.metrics.tossed.Inc()
		if r.cfg.RefuseTossed {
			return "", &consumers.Denial{Status: http.StatusBadRequest, Reason: consumers.ReasonCookie}
		}
	}
	key := s.Cookies[r.cfg.CookieName]
	if r.unknown.tooMany(s, key) {
		r.metrics.flooded.Inc()
		return "", &consumers.Denial{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}, Reason: consumers.ReasonLimit}
	}
	return key, nil
}

// setSession gives a Scope the session that was found under a key, and what found it.
func (r *recogniser) setSession(s *consumers.Scope, key string, session *djangocompat.Session) {
	s.Session = session
	if session.Key() == "" {
		r.unknown.note(s, key)
		r = r.strangers
	}
	s.Set(recogniserKey{}, r)
}

// tossed reports whether a request has two different cookies of one name.
func tossed(h consumers.Header, name string) bool {
	var first string
	seen := false
	for header := range h.Values("cookie") {
		for v := range djangocompat.CookieValues(header, name) {
			if seen && v != first {
				return true
			}
			first, seen = v, true
		}
	}
	return false
}

func (r *recogniser) addUser(ctx context.Context, s *consumers.Scope) error {
	if s.Session == nil {
		return ErrNoSession
	}
	user, reason, err := r.user(ctx, s.Session, s.Type)
	if err != nil {
		return r.refusal(err)
	}
	r.setUser(ctx, s, user, reason)
	return nil
}

// setUser gives a Scope the user who is logged in with its session. An HTTP request whose session a fallback key keeps
// logged in gets a new one; if that cannot be stored, the old one is still good.
func (r *recogniser) setUser(ctx context.Context, s *consumers.Scope, user *djangocompat.User, reason sessionstore.Reason) {
	if store, ok := r.store.(LoginStore); ok && reason == sessionstore.LoggedInByFallback && s.Type == consumers.TypeHTTP {
		renewed := s.Session.Clone()
		if store.Renew(ctx, renewed) == nil {
			s.Session = renewed
		}
	}
	if s.Value(recogniserKey{}) == nil {
		s.Set(recogniserKey{}, r)
	}
	s.User = user
	r.metrics.recognised(user)
}

// user returns who is logged in with a session, and why.
func (r *recogniser) user(ctx context.Context, session *djangocompat.Session, scopeType string) (*djangocompat.User, sessionstore.Reason, error) {
	store, ok := r.store.(LoginStore)
	if !ok {
		user, err := r.store.User(ctx, session)
		return user, sessionstore.LoggedIn, err
	}
	user, reason, err := store.Verdict(ctx, session)
	if err != nil || !r.isStale(reason, scopeType) {
		return user, reason, err
	}
	return new(djangocompat.User), sessionstore.HashMismatch, session.Flush(ctx)
}

// isStale reports whether a session is one that FlushStale is for.
func (r *recogniser) isStale(reason sessionstore.Reason, scopeType string) bool {
	switch reason {
	case sessionstore.LoggedInByFallback:
		return r.cfg.FlushStale && scopeType != consumers.TypeHTTP
	case sessionstore.HashMissing, sessionstore.HashMismatch:
		return r.cfg.FlushStale
	}
	return false
}

// refusal is the answer to a client whom the store cannot know now.
func (r *recogniser) refusal(err error) error {
	r.metrics.results.WithLabelValues(resultUnavailable).Inc()
	if !errors.Is(err, sessionstore.ErrUnavailable) {
		return fmt.Errorf("recognise visitor: %w", err)
	}
	seconds := 1 + rand.N(max(1, int64(r.cfg.RetryAfter/time.Second)))
	header := http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}}
	return &consumers.Denial{Status: http.StatusServiceUnavailable, Header: header, Reason: consumers.ReasonUnavailable}
}
