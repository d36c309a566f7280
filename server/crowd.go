package server

// A crowd is connections that begin in close succession. Ticks are the server's clock's.
type crowd struct {
	last int64 // when one began
	ends int64
}

const (
	crowdGap    = 1 // ticks between two that make a crowd
	crowdLinger = 5 // ticks that it lasts beyond the last of them
)

// joined notes that a connection begins now.
func (c *crowd) joined(now int64) {
	if now-c.last <= crowdGap {
		c.ends = now + crowdLinger
	}
	c.last = now
}

// lasts reports whether there is a crowd now.
func (c *crowd) lasts(now int64) bool { return now < c.ends }
