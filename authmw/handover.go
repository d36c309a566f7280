package authmw

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// HandoverConfig says how a Handover works. Prefix is needed, the rest has defaults.
type HandoverConfig struct {
	// Prefix is where the Handover is mounted, as in "/ws/cookie/".
	Prefix string
	// Lifetime is how long a path is good. Default: 30 s.
	Lifetime time.Duration
	// Pending bounds the paths that were made and not used yet; one more is ErrHandoverFull.
	// Default: 10,000.
	Pending int
	// Origins are patterns, as of Origins, of pages elsewhere that may fetch a path. Default: those of the
	// host that is asked.
	Origins []string
	// Redirect says where a visitor may be sent afterwards. Default: within the host that he is on.
	Redirect djangocompat.RedirectConfig
}

func (c HandoverConfig) withDefaults() HandoverConfig {
	if c.Lifetime <= 0 {
		c.Lifetime = 30 * time.Second
	}
	if c.Pending <= 0 {
		c.Pending = 10_000
	}
	return c
}

var (
	// ErrHandoverFull means that too many paths wait to be used.
	ErrHandoverFull = errors.New("authmw: too many cookies wait to be handed over")

	// ErrUnsafeRedirect means that a visitor was to be sent to another site.
	ErrUnsafeRedirect = errors.New("authmw: redirect leads to another site")
)

// A Handover gives a browser the cookie that belongs to a login, or logout, over a WebSocket, which cannot carry
// one. It is the Application of the paths that it makes:
//
//	handover := authmw.NewHandover(store, cfg, authmw.HandoverConfig{Prefix: "/ws/cookie/"})
//	routing.Path("ws/cookie/<str:token>/", handover)    // beside the WebSocket's route
//	path, err := handover.Path(c.Scope(), "/account/")  // after Login: tell the page to go there
//
// The page goes to the path, or fetches it with POST. The response sets the cookie of the session that the
// Scope had, or deletes it after Logout, and leads to the next page if one was named.
//
// Why this is no door for others. A path is 130 random bits, is good for seconds, and works once in the process
// that made it, which must be the one that is asked; whatever is wrong uses it up, too. It would let an attacker
// log his victim in as himself, if he could have the victim's browser open a path that his own socket got. So the
// browser must be the one that the socket came from: it shows the session cookie that the socket had before (any
// of its keys, where it has logged in repeatedly), which nobody else knows. A browser that had none has nothing to
// show. Then the page that sends it there must be one of this host, or of Origins: the browser itself says so, in
// Sec-Fetch-Site, or in the Origin of a POST, neither of which a page can forge; a link on another site, a typed
// address, and a browser too old to say it are refused. A page of another origin is refused in any case. The
// session that a deletion takes away is the one that the path was made for, so nobody else can be logged out.
// There is no target of a redirect in the request: the consumer names it, and it must be safe for Redirect.
//
// The path itself is a secret until it is used: it is in no log of this package, and the response asks browsers
// to keep it out of Referer. A proxy's log has it afterwards, when it is worth nothing.
type Handover struct {
	// Set at birth, never changed.
	store   Store
	session Config
	cfg     HandoverConfig
	origins patterns

	mu      sync.Mutex // guards pending
	pending map[[sha256.Size]byte]handover
}

// handover is what one path does.
type handover struct {
	key   string   // of the session to set; "" to delete the cookie
	keys  []string // one of which the browser shows; "" if it had no session
	next  string   // "" for none
	until time.Time
}

// NewHandover makes a Handover of sessions in store, whose cookie is that of cfg, as for Stack. It panics where
// the prefix is no path, or the cookie cannot be written.
func NewHandover(store Store, cfg Config, hc HandoverConfig) *Handover {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil || !strings.HasPrefix(hc.Prefix, "/") || !strings.HasSuffix(hc.Prefix, "/") {
		panic(`authmw: NewHandover needs a cookie that can be written, and a prefix such as "/ws/cookie/"`)
	}
	return &Handover{
		store: store, session: cfg, cfg: hc.withDefaults(), origins: parsePatterns(hc.Origins),
		pending: make(map[[sha256.Size]byte]handover),
	}
}

// Path returns a path that gives the browser of s the cookie of the session that s has, or takes the cookie
// away where it has none. With next, which may be "", it leads there.
func (h *Handover) Path(s *consumers.Scope, next string) (string, error) {
	if next != "" && !djangocompat.SafeRedirect(next, h.cfg.Redirect) {
		return "", ErrUnsafeRedirect
	}
	one := handover{next: next, until: time.Now().Add(h.cfg.Lifetime), keys: keysOf(s)}
	if s.Session != nil {
		one.key = s.Session.Key()
	}
	token := rand.Text()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pending) >= h.cfg.Pending {
		h.forgetLocked(time.Now())
	}
	if len(h.pending) >= h.cfg.Pending {
		return "", ErrHandoverFull
	}
	h.pending[sha256.Sum256([]byte(token))] = one
	return s.RootPath + h.cfg.Prefix + token + "/", nil
}

// forgetLocked drops what nobody may use any more.
func (h *Handover) forgetLocked(now time.Time) {
	for token, one := range h.pending {
		if !now.Before(one.until) {
			delete(h.pending, token)
		}
	}
}

// take returns what the path of a token does, and uses it up.
func (h *Handover) take(token string) (handover, bool) {
	hashed := sha256.Sum256([]byte(token)) // so that no comparison tells how much of a token was right
	h.mu.Lock()
	defer h.mu.Unlock()
	one, ok := h.pending[hashed]
	delete(h.pending, hashed)
	return one, ok && time.Now().Before(one.until)
}

// Open implements consumers.Application.
func (h *Handover) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	if s.Type != consumers.TypeHTTP {
		return nil, consumers.ErrNoRoute
	}
	if s.Method != http.MethodGet && s.Method != http.MethodPost {
		return nil, &consumers.Denial{Status: http.StatusMethodNotAllowed, Header: http.Header{"Allow": {"GET, POST"}}}
	}
	if s.Header.Get("purpose") != "" || s.Header.Get("sec-purpose") != "" {
		return nil, noStore(http.StatusServiceUnavailable) // a browser that looks ahead would use it up
	}
	path := strings.TrimSuffix(s.Path, "/")
	one, ok := h.take(path[strings.LastIndexByte(path, '/')+1:])
	if !ok {
		return nil, noStore(http.StatusNotFound)
	}
	if !h.fromBrowserOf(s, one) {
		return nil, noStore(http.StatusForbidden)
	}
	cookie, err := h.cookie(ctx, one)
	if err != nil {
		return nil, err
	}
	return consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		header := w.Header()
		header.Set("Set-Cookie", cookie)
		header.Set("Vary", "Cookie")
		header.Set("Cache-Control", "private, no-store")
		header.Set("Referrer-Policy", "no-referrer")
		if one.next == "" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		header.Set("Location", one.next)
		w.WriteHeader(http.StatusSeeOther)
	})).Open(ctx, s)
}

// noStore refuses a request in a way that no cache keeps.
func noStore(status int) *consumers.Denial {
	return &consumers.Denial{Status: status, Header: http.Header{"Cache-Control": {"private, no-store"}, "Vary": {"Cookie"}}}
}

// cookie returns the Set-Cookie header of a path.
func (h *Handover) cookie(ctx context.Context, one handover) (string, error) {
	if one.key == "" {
		return h.session.deleteCookie()
	}
	session, err := h.store.Load(ctx, one.key)
	switch {
	case errors.Is(err, sessionstore.ErrUnavailable):
		return "", noStore(http.StatusServiceUnavailable)
	case err != nil:
		return "", err
	case session.Key() == "": // it was logged out meanwhile
		return "", noStore(http.StatusGone)
	}
	return h.session.setCookie(session)
}

// fromBrowserOf reports whether a request comes from the browser that a path was made for.
func (h *Handover) fromBrowserOf(s *consumers.Scope, one handover) bool {
	origin := s.Header.Get("origin")
	if origin != "" && !h.allows(s) {
		return false
	}
	shown, _ := djangocompat.CookieValue(cookieHeader(s.Header), h.session.CookieName)
	same := 0
	for _, key := range one.keys {
		if key != "" {
			same |= subtle.ConstantTimeCompare([]byte(shown), []byte(key))
		}
	}
	ownPage := origin != "" || s.Header.Get("sec-fetch-site") == "same-origin"
	return same == 1 || ownPage && slices.Contains(one.keys, "")
}

// allows reports whether the page that sends a request is one of Origins, or of the host that is asked. Behind a
// proxy that ends TLS the scheme is not known for sure, so it does not count; host and port do.
func (h *Handover) allows(s *consumers.Scope) bool {
	if h.origins.allow(s.Header) {
		return true
	}
	count := 0
	for range s.Header.Values("origin") {
		count++
	}
	o, err := parseOrigin(s.Header.Get("origin"))
	if err != nil || count != 1 || o.host == "" || o.badPort || o.userinfo {
		return false
	}
	host, err := parseOrigin(o.scheme + "://" + s.Header.Get("host"))
	return err == nil && (o.scheme == "http" || o.scheme == "https") && !host.badPort && !host.userinfo &&
		o.host == host.host && o.effectivePort() == host.effectivePort()
}

// formerKey is the key of a session key that a Scope had before a login or logout.
type formerKey struct{}

// maxFormer bounds the keys that are kept of one connection.
const maxFormer = 8

// noteKey keeps the key that the browser of s still shows, and those before.
func noteKey(s *consumers.Scope, key string) {
	former, _ := s.Value(formerKey{}).([]string)
	if key == "" || len(former) >= maxFormer {
		return
	}
	s.Set(formerKey{}, append(former[:len(former):len(former)], key))
}

// keysOf returns the keys of which the browser of s shows one; "" among them says that it had no session.
func keysOf(s *consumers.Scope) []string {
	former, _ := s.Value(formerKey{}).([]string)
	keys := slices.Clone(former)
	if s.Session != nil && s.Session.Key() != "" {
		keys = append(keys, s.Session.Key())
	}
	if r, ok := s.Value(recogniserKey{}).(*recogniser); !ok || r.stranger {
		keys = append(keys, "")
	}
	return keys
}
