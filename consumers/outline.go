package consumers

import (
	"hash/maphash"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"sync/atomic"

	"github.com/belleville/belleville/djangocompat"
)

// outlines are Scopes of a route that connections share once their Connect is through: visitors of one page differ in
// who they are and where they come from, and in nothing else. It is a small table in which a newer one takes the place
// of an older; the connections keep what they have. What a visitor alone has, such as a query, is in none.
type outlines struct {
	seed  maphash.Seed
	slots [32]atomic.Pointer[Scope]
}

func newOutlines() *outlines { return &outlines{seed: maphash.MakeSeed()} }

// maxShared is the size in bytes of the longest path that is shared.
const maxShared = 256

// share returns a Scope without a visitor that stands for s, and all that s has of its own but the Watch w, which its
// connection knows anyway; nil where there is none.
func (o *outlines) share(s *Scope, w Watch) (outline *Scope, own visitor) {
	client, fits := packAddr(s.Client)
	if !fits || s.Query != "" || len(s.Path)+len(s.RawPath)+len(s.PathRemaining) > maxShared || len(s.Subprotocols) > 0 {
		return nil, own
	}
	own = visitor{session: s.Session, user: s.User, values: s.values, client: client}
	var seat any
	if v := s.values; v != nil && w != nil && equal(v.value, w) {
		seat, own.values = v.key, v.before
	}
	slot := &o.slots[maphash.String(o.seed, s.Path)%uint64(len(o.slots))]
	if outline = slot.Load(); outline != nil && sameOutline(outline, s) && equal(outline.seat, seat) {
		own.values = outline.values.shared(own.values)
		return outline, own
	}
	outline = s.Clone() // without an owner
	outline.Client, outline.Session, outline.User, outline.Header, outline.Cookies = netip.AddrPort{}, nil, nil, nil, nil
	outline.seat, outline.values = seat, own.values
	for outline.values != nil && outline.values.before != nil {
		outline.values = outline.values.before
	}
	slot.Store(outline)
	return outline, own
}

// sameOutline reports whether two Scopes differ in nothing but their visitors.
func sameOutline(a, b *Scope) bool {
	return a.Path == b.Path && a.RawPath == b.RawPath && a.Type == b.Type && a.Method == b.Method &&
		a.Scheme == b.Scheme && a.RootPath == b.RootPath && a.Query == b.Query && a.Server == b.Server &&
		slices.Equal(a.Subprotocols, b.Subprotocols) && a.Subprotocol == b.Subprotocol &&
		a.Route == b.Route && slices.Equal(a.Args, b.Args) && maps.Equal(a.Kwargs, b.Kwargs) &&
		a.PathRemaining == b.PathRemaining && a.Routed == b.Routed &&
		equal(a.Layer, b.Layer) && a.Draining == b.Draining && a.wire == b.wire
}

// equal compares what may be of a type that cannot be compared.
func equal(a, b any) bool {
	t := reflect.TypeOf(a)
	return t == reflect.TypeOf(b) && (t == nil || t.Comparable() && a == b)
}

// shared returns values with v in the place of the first of them where that is what v is, so that those who share v hold
// one. It is what the outermost middleware has left, which often is the same for all.
func (v *value) shared(values *value) *value {
	first := values
	for first != nil && first.before != nil {
		first = first.before
	}
	if first == nil || v == nil || !equal(first.key, v.key) || !equal(first.value, v.value) {
		return values
	}
	return values.above(v)
}

// above returns values with another first one.
func (v *value) above(first *value) *value {
	if v.before == nil {
		return first
	}
	return &value{v.key, v.value, v.before.above(first)}
}

// visitor is what a connection has of its own in its Scope.
type visitor struct {
	session *djangocompat.Session
	user    *djangocompat.User
	values  *value
	client  packedAddr
	closed  bool // its channel is given up; it stands here for its size
}

// complete returns a Scope that has all again.
func (v *visitor) complete(outline *Scope, w Watch) *Scope {
	s := outline.Clone()
	s.seat = nil
	s.Session, s.User, s.values, s.Client = v.session, v.user, v.values, v.client.unpack()
	if outline.seat != nil {
		s.Set(outline.seat, w)
	}
	return s
}

// packedAddr is an address in little memory.
type packedAddr struct {
	ip   [16]byte
	port uint16
	kind uint8 // 0 for none, else the version of IP
}

// packAddr packs an address. It reports false for one that is too rare to have a form: a zone of IPv6.
func packAddr(a netip.AddrPort) (p packedAddr, ok bool) {
	switch ip := a.Addr(); {
	case !ip.IsValid():
		return p, a == netip.AddrPort{}
	case ip.Is4():
		v4 := ip.As4()
		p.kind = 4
		copy(p.ip[:], v4[:])
	default:
		p.kind, p.ip, ok = 6, ip.As16(), ip.Zone() == ""
		p.port = a.Port()
		return p, ok
	}
	p.port = a.Port()
	return p, true
}

// unpack returns the address.
func (p packedAddr) unpack() netip.AddrPort {
	switch p.kind {
	case 4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(p.ip[:4])), p.port)
	case 6:
		return netip.AddrPortFrom(netip.AddrFrom16(p.ip), p.port)
	}
	return netip.AddrPort{}
}
