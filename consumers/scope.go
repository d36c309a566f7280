package consumers

import (
	"context"
	"iter"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/djangocompat"
)

// The protocol types of a Scope.
const (
	TypeHTTP      = "http"
	TypeWebSocket = "websocket"
)

// A Scope says what is known about one connection before anything is said on it. A server makes it, each
// middleware completes a copy (see [Scope.Clone]) for what it wraps, a consumer reads it.
//
// Python: scope, the dict of ASGI.
type Scope struct {
	// Type is TypeHTTP, TypeWebSocket, or another protocol's own.
	Type string
	// Method is the HTTP method.
	Method string
	// Scheme is ws, wss, http or https, as the client used it.
	Scheme string
	// Path is decoded; RawPath is as it was sent.
	Path    string
	RawPath string
	// RootPath is the part of Path that the site is mounted at, without a slash at its end.
	RootPath string
	// Query is what followed "?", as it was sent.
	Query string
	// Header holds the request's fields. Those of a WebSocket are there until Connect has returned: copy what
	// is needed longer, by a goroutine of Conn.Go, too.
	Header Header
	// Client is the peer's address, as told by trusted proxies; Server is the address it connected to.
	// They are invalid on a unix socket.
	Client netip.AddrPort
	Server netip.AddrPort
	// Subprotocols are those that the client offers, in its order.
	Subprotocols []string
	// Subprotocol is what the handshake is answered with where the consumer names none: a middleware has taken
	// an offer for itself.
	Subprotocol string

	// Cookies is set by authmw.Cookies. Those of a WebSocket are there until Connect has returned, like Header.
	Cookies map[string]string
	// Session is set by authmw.Sessions, User by authmw.Auth. Both are never nil once a consumer sees
	// them: without that middleware they are the empty session and AnonymousUser. They may be shared
	// with other connections of the same visitor.
	Session *djangocompat.Session
	User    *djangocompat.User

	// Route is the pattern that matched, Args and Kwargs what it captured, PathRemaining what an inner
	// router has still to match. Python: scope["url_route"], scope["path_remaining"].
	Route         string
	Args          []string
	Kwargs        Kwargs
	PathRemaining string
	// Routed says that a router has been here, so that the next one is an inner one.
	Routed bool

	// Layer is the site's channel layer, nil where none is configured.
	Layer channellayer.Layer
	// Draining is closed when the server begins to drain. A long response ends then; a WebSocket is closed
	// by the server.
	Draining <-chan struct{}

	wire   *Wire
	values *value   // the last one that was Set
	owner  *channel // whose Scope it is; nil for a copy, and before there is one
	seat   any      // of an outline: the key under which each connection has the Watch of its own
}

// value is one thing that a middleware left in a Scope. It never changes, so that copies of the Scope share it.
type value struct {
	key, value any
	before     *value
}

// Clone returns a copy that can be completed without s's owner noticing.
// Python: channels.middleware.BaseMiddleware copies the scope.
func (s *Scope) Clone() *Scope {
	c := *s
	c.owner = nil
	return &c
}

// Become says that the visitor has logged in or out: the Scope has another session and another user from now on, and
// so has the consumer whose it is.
func (s *Scope) Become(session *djangocompat.Session, user *djangocompat.User) {
	if s.owner != nil {
		s.owner.became(s, session, user)
		return
	}
	s.Session, s.User = session, user
}

// Set leaves something for the inner Applications, under a key of a type of the caller's own.
func (s *Scope) Set(key, v any) { s.values = &value{key, v, s.values} }

// Value returns what was last Set under key, or nil.
func (s *Scope) Value(key any) any {
	for v := s.values; v != nil; v = v.before {
		if v.key == key {
			return v.value
		}
	}
	return nil
}

// QueryValues returns the query's parameters; what cannot be parsed is left out.
func (s *Scope) QueryValues() url.Values {
	v, _ := url.ParseQuery(s.Query) // the part before an error is good
	return v
}

// Kwargs are a route's named values, as text in the form that Python's str() would give them: an int has
// no leading zeros, a UUID is in lower case with dashes.
type Kwargs map[string]string

// Int returns a value captured by <int:name>, and whether there is one that fits.
func (k Kwargs) Int(name string) (int64, bool) {
	n, err := strconv.ParseInt(k[name], 10, 64)
	return n, err == nil
}

// A HeaderField is one field of a request: Name in lower case.
type HeaderField struct{ Name, Value string }

// Header is a request's fields in their order. ASGI: scope["headers"].
type Header []HeaderField

// Get returns the first value of a field, or "". The name is in lower case.
func (h Header) Get(name string) string {
	for v := range h.Values(name) {
		return v
	}
	return ""
}

// Values walks all values of a field. The name is in lower case.
func (h Header) Values(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, f := range h {
			if f.Name == name && !yield(f.Value) {
				return
			}
		}
	}
}

// Clone returns a copy that shares no memory with h.
func (h Header) Clone() Header {
	c := make(Header, len(h))
	for i, f := range h {
		c[i] = HeaderField{strings.Clone(f.Name), strings.Clone(f.Value)}
	}
	return c
}

// scopeKey is the key of the Scope in a request's context.
type scopeKey struct{}

// ContextWithScope returns a context that carries s, for an http.Handler.
func ContextWithScope(ctx context.Context, s *Scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

// ScopeFrom returns the Scope of a request that reached an http.Handler through [Handler], or nil.
func ScopeFrom(ctx context.Context) *Scope {
	s, _ := ctx.Value(scopeKey{}).(*Scope)
	return s
}

// anonymous is the User of every visitor that is not known.
var anonymous = new(djangocompat.User)

// forget drops what only Connect needs, which is most of what a request holds.
func (s *Scope) forget() { s.Header, s.Cookies = nil, nil }

// complete fills in what no middleware set.
func (s *Scope) complete() {
	if s.User == nil {
		s.User = anonymous
	}
	if s.Session == nil {
		s.Session = new(djangocompat.Session)
	}
}
