package authmw

import (
	"net/netip"
	"sync"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// maxAddresses bounds the addresses whose unknown keys are counted; when it is reached another one is forgotten.
const maxAddresses = 1 << 16

// unknownKeys bounds how many session keys that are nobody's one address may have looked up: a flood of them would
// be a flood of queries. Whoever has a good cookie at such an address waits a moment, too.
type unknownKeys struct {
	rate float64 // per second; twice as many at once

	mu sync.Mutex // guards of
	of map[netip.Addr]leak
}

// leak is a bucket that leaks rate keys in a second.
type leak struct {
	level float64
	at    time.Time
}

func newUnknownKeys(rate int) *unknownKeys {
	return &unknownKeys{rate: float64(rate), of: make(map[netip.Addr]leak)}
}

// place returns the address that counts for a client: an IPv6 network of 64 bits is one. Whoever comes by way of
// this machine may be anybody, behind a proxy that is not told of, and is not counted.
func place(s *consumers.Scope) (netip.Addr, bool) {
	a := s.Client.Addr().Unmap()
	if !a.IsValid() || a.IsLoopback() {
		return netip.Addr{}, false
	}
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			a = p.Addr()
		}
	}
	return a, true
}

// tooMany reports whether a key is not to be looked up now.
func (u *unknownKeys) tooMany(s *consumers.Scope, key string) bool {
	a, counted := place(s)
	if !counted || u.rate < 0 || !djangocompat.PlausibleSessionKey(key) {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	l, ok := u.of[a]
	return ok && u.levelOf(l, time.Now()) >= 2*u.rate
}

// note counts a key that turned out to be nobody's.
func (u *unknownKeys) note(s *consumers.Scope, key string) {
	a, counted := place(s)
	if !counted || u.rate < 0 || !djangocompat.PlausibleSessionKey(key) {
		return
	}
	now := time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	l, ok := u.of[a]
	if !ok && len(u.of) >= maxAddresses {
		u.forgetOneLocked(now)
	}
	u.of[a] = leak{u.levelOf(l, now) + 1, now}
}

// levelOf returns how full a bucket is at a time.
func (u *unknownKeys) levelOf(l leak, now time.Time) float64 {
	return max(0, l.level-u.rate*now.Sub(l.at).Seconds())
}

// forgetOneLocked drops one that is empty among the first that come, and else one of them.
func (u *unknownKeys) forgetOneLocked(now time.Time) {
	const looked = 8
	var some netip.Addr
	n := 0
	for a, l := range u.of {
		if n++; n > looked {
			break
		}
		if some = a; u.levelOf(l, now) == 0 {
			break
		}
	}
	delete(u.of, some)
}
