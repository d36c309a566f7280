package redislayer

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	firstPause  = 50 * time.Millisecond
	longestWait = 5 * time.Second
	dialTimeout = 3 * time.Second

	// longestLook is the longest wait where nobody listens, which costs little to find out, so that a server that
	// starts again is found soon.
	longestLook = 400 * time.Millisecond
)

// errTooSoon means that an address was away a moment ago, and that it is not yet time to try again.
var errTooSoon = errors.New("it is not yet time to dial again")

// backoff says how long to wait before the next try: a random time up to a bound that doubles, so that many
// nodes do not come at once. It belongs to one goroutine or to a lock.
type backoff struct {
	failures int
}

func (b *backoff) reset() { b.failures = 0 }

func (b *backoff) next() time.Duration {
	bound := min(longestWait, firstPause<<min(b.failures, 10))
	b.failures++
	return rand.N(bound)
}

// nextAfter is next after an error.
func (b *backoff) nextAfter(err error) time.Duration {
	wait := b.next()
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, errTooSoon) {
		return min(wait, rand.N(longestLook))
	}
	return wait
}

// dialer connects to the addresses of one host, to each with one try at a time and with pauses between them.
type dialer struct {
	network string // "tcp", "tls" or "unix"

	mu        sync.Mutex // guards the field below
	addresses map[string]*address
}

// address is what a dialer knows of one address.
type address struct {
	turn chan struct{} // holds something while somebody dials

	// Owned by whoever has the turn.
	backoff backoff
	next    time.Time // when the next try may come
}

func newDialer(network string) *dialer {
	return &dialer{network: network, addresses: make(map[string]*address)}
}

// dial is rueidis.ClientOption.DialCtxFn.
func (d *dialer) dial(ctx context.Context, addr string, plain *net.Dialer, config *tls.Config) (net.Conn, error) {
	a := d.address(addr)
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if time.Now().Before(a.next) {
		return nil, errTooSoon
	}
	conn, err := d.connect(ctx, addr, plain, config)
	if err != nil {
		a.next = time.Now().Add(a.backoff.nextAfter(err))
		return nil, err
	}
	a.backoff.reset()
	return conn, nil
}

func (d *dialer) connect(ctx context.Context, addr string, plain *net.Dialer, config *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	switch {
	case d.network == "unix":
		return plain.DialContext(ctx, "unix", addr)
	case config != nil:
		return (&tls.Dialer{NetDialer: plain, Config: config}).DialContext(ctx, "tcp", addr)
	default:
		return plain.DialContext(ctx, "tcp", addr)
	}
}

func (d *dialer) address(addr string) *address {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.addresses[addr]
	if a == nil {
		a = &address{turn: make(chan struct{}, 1)}
		d.addresses[addr] = a
	}
	return a
}

// pause waits for d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
