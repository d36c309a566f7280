package server

import (
	"net/netip"
	"sync"
)

// maxBuckets bounds how many addresses are remembered at a time, twice: those of now and those of before.
const maxBuckets = 1 << 15

// addressRates allows each address, or /64 network of IPv6, so many handshakes in a second, and a few more at once. An
// address that has not come for so long that it may do everything again is forgotten. Where more addresses come than
// can be remembered the oldest are forgotten sooner: memory is bounded, and who has that many is not stopped by
// counting them.
type addressRates struct {
	// Set at birth, never changed.
	every int64 // ticks after which one more is allowed, times a thousand
	ahead int64 // how far somebody may be ahead of that

	mu        sync.Mutex // guards the fields below
	now, then map[netip.Prefix]int64
	turned    int64
}

// newAddressRates returns nil where there is no limit.
func newAddressRates(rate, burst int) *addressRates {
	if rate <= 0 {
		return nil
	}
	every := int64(ticksInSecond*1000) / int64(rate)
	return &addressRates{every: every, ahead: every * int64(burst), now: make(map[netip.Prefix]int64)}
}

// allow reports whether an address may come now, and notes that it did.
func (r *addressRates) allow(client netip.Addr, tick int64) bool {
	if r == nil || !client.IsValid() {
		return true
	}
	p, at := network(client), tick*1000
	r.mu.Lock()
	defer r.mu.Unlock()
	if at-r.turned > r.ahead || len(r.now) >= maxBuckets {
		r.now, r.then, r.turned = make(map[netip.Prefix]int64), r.now, at
	}
	due, known := r.now[p]
	if !known {
		due = r.then[p]
	}
	due = max(due, at) + r.every
	if due-at > r.ahead {
		return false
	}
	r.now[p] = due
	return true
}

// messageBudget is how many messages a client may send at once and in a second. The zero messageBudget has no end.
type messageBudget struct{ rate, burst int }

// full returns what a client has that has rested.
func (b messageBudget) full() uint32 { return uint32(b.burst) * 1000 }

// refill returns what a client has after some ticks, in thousandths of a message.
func (b messageBudget) refill(tokens uint32, elapsed int64) uint32 {
	most := int64(b.full())
	return uint32(min(int64(tokens)+min(elapsed, most)*int64(b.rate), most))
}

// spend takes one message out of a client's budget. Where that is empty nothing is read until there is something
// again: the client's bytes stay in the kernel, which holds it back.
func (c *conn) spend() bool {
	if c.server.budget.rate <= 0 {
		return true
	}
	c.tokens -= min(c.tokens, 1000)
	return c.tokens >= 1000
}

// starvedFor is how long a client may send more than it may without a pause, in ticks.
const starvedFor = 30 * ticksInSecond

// feedStarved lets a client speak again that has saved something up: a tenth of what it may send at once. One that never
// comes to an end is closed.
func (c *conn) feedStarved(now int64) {
	c.hungry += uint32(now - c.heard)
	c.hear(now)
	if c.hungry > starvedFor {
		c.starved = false
		c.fail(errFlood)
		return
	}
	if budget := c.server.budget; int(c.tokens) >= max(1000, budget.burst*100) {
		c.starved = false
		c.request(wantRead)
	}
}
