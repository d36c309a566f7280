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

// budget returns what one client may send.
func (s *Server) budget() messageBudget {
	cfg := s.cfg.Load()
	return messageBudget{cfg.MessageRate, min(cfg.MessageBurst, 1<<20)}
}

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
	mine := true
	if c.server.budget().rate > 0 {
		c.tokens -= min(c.tokens, 1000)
		mine = c.tokens >= 1000
	}
	return c.spendOfUser() && mine
}

// userBudget is what all connections of a user may send together.
type userBudget struct {
	mu     sync.Mutex // guards the fields below
	spent  uint32     // in thousandths of a message, so that the zero userBudget is full
	filled int64      // the tick at which that was
}

// take takes some thousandths of a message out of the budget, and reports whether there is a message more.
func (u *userBudget) take(b messageBudget, now int64, thousandths uint32) bool {
	full := b.full()
	u.mu.Lock()
	defer u.mu.Unlock()
	left := b.refill(full-min(u.spent, full), max(now-u.filled, 0))
	left -= min(left, thousandths)
	u.spent, u.filled = full-left, max(now, u.filled)
	return left >= 1000
}

// ofUser returns what the connection has in common with its user's others, nil where that is nothing, and its bounds.
func (c *conn) ofUser() (*userBudget, messageBudget) {
	cfg := c.server.cfg.Load()
	b := messageBudget{cfg.MessageRatePerUser, min(cfg.MessageBurstPerUser, 1<<20)}
	if b.rate <= 0 || c.ticket.place == nil {
		return nil, b
	}
	return &c.ticket.place.budget, b
}

// spendOfUser takes one message out of the user's budget, which it has in common with the user's other connections.
func (c *conn) spendOfUser() bool {
	u, b := c.ofUser()
	return u == nil || u.take(b, c.server.clock.now(), 1000)
}

// userMaySpeak reports whether the user's budget has a message.
func (c *conn) userMaySpeak() bool {
	u, b := c.ofUser()
	return u == nil || u.take(b, c.server.clock.now(), 0)
}

// starvedFor is how long a client may send more than it may without a pause, in ticks.
const starvedFor = 30 * ticksInSecond

// feedStarved lets a client speak again that has saved something up: a tenth of what it may send at once. One that never
// comes to an end is closed.
func (c *conn) feedStarved(now int64) {
	budget := c.server.budget()
	if budget.rate > 0 && c.tokens < 1000 { // who is held up by what others of the same user send is not to blame
		c.hungry = uint16(min(int64(c.hungry)+now-c.heard, starvedFor+1))
	}
	c.hear(now)
	if c.hungry > starvedFor {
		c.starved = false
		c.fail(errFlood)
		return
	}
	if rested := budget.rate <= 0 || int(c.tokens) >= max(1000, budget.burst*100); rested && c.userMaySpeak() {
		c.starved = false
		c.request(wantRead)
	}
}
