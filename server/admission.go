package server

import (
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strconv"
	"sync"

	"github.com/belleville/belleville/djangocompat"
)

// admission counts connections, in all and by address.
type admission struct {
	mu         sync.Mutex // guards the fields below
	total      int
	perAddress int
	perUser    int // 0 where there is no limit
	held       int

	byUserLimited bool // users are told apart
	byAddress     map[networkKey]int
	byUser        map[djangocompat.PK]*userPlace
}

// userPlace is what a user's connections have in common. It lives as long as one of them does.
type userPlace struct {
	pk          djangocompat.PK
	connections int
	budget      userBudget
}

// newAdmission returns the admission that cfg asks for.
func newAdmission(cfg *Config) *admission {
	a := &admission{byAddress: make(map[networkKey]int), byUser: make(map[djangocompat.PK]*userPlace)}
	a.limit(cfg)
	return a
}

// limit sets the limits. Who is there stays, even if that is more than there may be; connections of addresses and users
// that were not limited until now are not counted by those.
func (a *admission) limit(cfg *Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total, a.perAddress, a.perUser = cfg.MaxConnections, cfg.MaxConnectionsPerAddress, cfg.MaxConnectionsPerUser
	a.byUserLimited = a.perUser > 0 || cfg.MessageRatePerUser > 0
}

// count returns how many connections are held.
func (a *admission) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.held
}

// A ticket is a connection's place in the counts. The zero ticket has none. The admission's lock guards it.
type ticket struct {
	place   *userPlace // what it has in common with its user's other connections; nil while it is not counted by user
	address networkKey // zero while it is not counted by address
	counted bool
}

// join counts the connection by its user, too. It reports whether that has too many.
func (a *admission) join(t *ticket, u *djangocompat.User) (ok bool) {
	if !u.IsAuthenticated() {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	place := a.byUser[u.PK]
	switch {
	case !a.byUserLimited, !t.counted:
		return true // nobody asks, or it is gone by now
	case place == nil:
		place = &userPlace{pk: u.PK}
		a.byUser[u.PK] = place
	case a.perUser > 0 && place.connections >= a.perUser:
		return false
	}
	place.connections++
	t.place = place
	return true
}

// admit counts a connection. It reports false where there are too many.
func (a *admission) admit() (t ticket, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.held >= a.total {
		return t, false
	}
	a.held++
	return ticket{counted: true}, true
}

// move takes the place away from a ticket, for the one that it returns.
func (a *admission) move(t *ticket) (to ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	to, *t = *t, ticket{}
	return to
}

// admitPeer counts a connection that was accepted just now, also by the peer's address unless that is a proxy's,
// whose client is known later. A status that is not 0 says what there are too many of.
func (s *Server) admitPeer(peer netip.Addr) (t ticket, status int) {
	t, ok := s.admission.admit()
	if !ok {
		return t, http.StatusServiceUnavailable
	}
	if peer.IsValid() && !s.trusts(peer) && !s.admission.locate(&t, peer) {
		s.admission.release(&t)
		return t, http.StatusTooManyRequests
	}
	return t, 0
}

// locate counts the connection by the address of its client, too. It reports whether that has too many.
func (a *admission) locate(t *ticket, client netip.Addr) (ok bool) {
	if !client.IsValid() {
		return true
	}
	key := keyOf(network(client))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.perAddress <= 0 || t.address != (networkKey{}) || !t.counted {
		return true
	}
	if a.byAddress[key] >= a.perAddress {
		return false
	}
	a.byAddress[key]++
	t.address = key
	return true
}

// release gives the place back. It may be called again.
func (a *admission) release(t *ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !t.counted {
		return
	}
	t.counted = false
	a.held--
	if t.place != nil {
		if t.place.connections--; t.place.connections == 0 {
			delete(a.byUser, t.place.pk)
		}
	}
	if t.address == (networkKey{}) {
		return
	}
	if a.byAddress[t.address]--; a.byAddress[t.address] == 0 {
		delete(a.byAddress, t.address)
	}
}

// networkKey is a network in little memory; the zero one is none.
type networkKey struct {
	ip   [8]byte
	bits uint8
}

// keyOf returns the key of what network returned, which has no more than 64 bits.
func keyOf(p netip.Prefix) networkKey {
	k := networkKey{bits: uint8(p.Bits())}
	if ip := p.Addr(); ip.Is4() {
		v4 := ip.As4()
		copy(k.ip[:], v4[:])
	} else {
		v6 := ip.As16()
		copy(k.ip[:], v6[:])
	}
	return k
}

// network returns what counts as one address: an IPv4 address, or a /64 network of IPv6, which one
// customer has.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // the address is valid, and so are the bits
	return p
}

// retryAfter asks a client to come back in one to five seconds, so that not all come at once.
func retryAfter() http.Header {
	return http.Header{"Retry-After": {strconv.Itoa(1 + rand.IntN(5))}}
}
