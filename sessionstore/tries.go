package sessionstore

import (
	"hash/maphash"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// TryConfig bounds how often passwords are tried in vain, by address and by name. It is asked before a password is
// hashed. A right one costs nothing; those that are hashed at the same time may be a few more, for which the next ones
// wait longer. What is counted is in the memory of this process. The zero TryConfig is a good one.
type TryConfig struct {
	// PerAddress is how many wrong passwords one address may try in a minute, and at once, whatever the names. An IPv6
	// network of 64 bits is one address; this machine's own are not counted, since they may be a proxy's. Below zero
	// there is no limit. Default: 120.
	PerAddress int
	// PerName is how many wrong passwords may be tried for one name in a minute, and at once, by all addresses
	// together, besides what Own lets each of them. Below zero there is no limit. Default: 30.
	PerName int
	// Own is how many wrong passwords one address may try for one name whatever others try for it: so many at once, and
	// one more every five minutes. It is why nobody is locked out by those who guess his password, unless they do it
	// from where he is. Below zero there are none. Default: 5.
	Own int
}

func (c TryConfig) withDefaults() TryConfig {
	c.PerAddress = orDefault(c.PerAddress, 120)
	c.PerName = orDefault(c.PerName, 30)
	c.Own = orDefault(c.Own, 5)
	return c
}

// ownInterval is the time in which one more of Own comes back.
const ownInterval = 5 * time.Minute

// A TriesError means that too many wrong passwords were tried for a name, or from an address. It is an [ErrBusy].
type TriesError struct {
	// Address says that the address has tried too many, and not others for the name.
	Address bool
	// After is the time after which one more may be tried.
	After time.Duration
}

// Error implements error.
func (e *TriesError) Error() string {
	if e.Address {
		return "sessionstore: too many wrong passwords from this address"
	}
	return "sessionstore: too many wrong passwords for this name"
}

// Is makes errors.Is(e, ErrBusy) true.
func (e *TriesError) Is(target error) bool { return target == ErrBusy }

// tries counts wrong passwords. Names and addresses are told apart by a hash that nobody outside can calculate.
type tries struct {
	// Set at birth, never changed.
	seed maphash.Seed
	born time.Time

	mu                    sync.Mutex // guards the fields below
	addresses, names, own buckets
}

func newTries(cfg TryConfig) *tries {
	return &tries{
		seed: maphash.MakeSeed(), born: time.Now(),
		addresses: newBuckets(cfg.PerAddress, time.Minute/time.Duration(max(1, cfg.PerAddress))),
		names:     newBuckets(cfg.PerName, time.Minute/time.Duration(max(1, cfg.PerName))),
		own:       newBuckets(max(0, cfg.Own), ownInterval),
	}
}

// A try is a password that is being checked.
type try struct {
	tries              *tries
	placed             bool   // its address counts
	address, name, own uint64 // its buckets
}

// begin asks whether one more password may be tried. Tries that are under way at once are all let in by what is left for
// one of them: there are no more than may wait to be hashed, and those that fail are repaid later.
func (t *tries) begin(from netip.Addr, name string) (try, error) {
	place, placed := placeOf(from)
	name = foldName(name)
	one := try{
		tries: t, placed: placed, address: maphash.Comparable(t.seed, place),
		name: maphash.String(t.seed, name), own: maphash.Comparable(t.seed, placedName{place, name}),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Since(t.born)
	if wait := t.addresses.wait(one.address, now); placed && wait > 0 {
		return try{}, &TriesError{Address: true, After: wait}
	}
	wait := t.names.wait(one.name, now)
	if placed {
		wait = min(wait, t.own.wait(one.own, now))
	}
	if wait > 0 {
		return try{}, &TriesError{After: wait}
	}
	return one, nil
}

// failed counts a try that was in vain.
func (one try) failed() {
	t := one.tries
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Since(t.born)
	if one.placed {
		t.addresses.take(one.address, now)
		if t.own.wait(one.own, now) == 0 {
			t.own.take(one.own, now)
			return
		}
	}
	t.names.take(one.name, now)
}

// placedName is a name that is tried at an address.
type placedName struct {
	place netip.Addr
	name  string
}

// placeOf returns the address that counts for a client.
func placeOf(a netip.Addr) (netip.Addr, bool) {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.IsLoopback() {
		return netip.Addr{}, false
	}
	if a.Is6() {
		p, _ := a.Prefix(64) // an IPv6 address has as many bits
		a = p.Addr()
	}
	return a, true
}

// foldName returns what counts of a name. A table may take "Alice" and "ALICE" for one, and what is longer than any name
// is nobody's.
func foldName(name string) string {
	const longest = 256
	return strings.ToLower(name[:min(longest, len(name))])
}

// maxBuckets bounds the buckets of a kind that are not full; when it is reached one of the fuller ones is forgotten.
const maxBuckets = 1 << 16

// buckets are token buckets, of a size, in which there is one more token after each interval.
type buckets struct {
	// Set at birth, never changed.
	size     int // 0 where there are no tokens, below zero where there is no limit
	interval time.Duration

	// Guarded by the mutex of tries.
	full map[uint64]time.Duration // when a bucket will be full; one that is not here is
}

func newBuckets(size int, interval time.Duration) buckets {
	return buckets{size: size, interval: interval, full: make(map[uint64]time.Duration)}
}

// wait returns how long it will be until there is a token in a bucket, 0 if there is one.
func (b *buckets) wait(key uint64, now time.Duration) time.Duration {
	if b.size < 0 {
		return 0
	}
	return max(0, max(b.full[key], now)+b.interval-now-time.Duration(b.size)*b.interval)
}

// take takes a token out of a bucket. Where there is none, it lacks one more.
func (b *buckets) take(key uint64, now time.Duration) {
	if b.size <= 0 {
		return
	}
	full, known := b.full[key]
	if !known && len(b.full) >= maxBuckets {
		b.forgetOne(now)
	}
	b.full[key] = max(full, now) + b.interval
}

// forgetOne drops the fullest among the first buckets that come.
func (b *buckets) forgetOne(now time.Duration) {
	const looked = 8
	var fullest uint64
	n, soonest := 0, time.Duration(-1)
	for key, full := range b.full {
		if soonest < 0 || full < soonest {
			fullest, soonest = key, full
		}
		if n++; n == looked || full <= now {
			break
		}
	}
	delete(b.full, fullest)
}
