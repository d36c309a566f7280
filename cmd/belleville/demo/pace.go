package demo

import "time"

// pace lets a burst through and after it one at each interval: the leaky bucket as a meter. It is owned by
// whoever asks it.
type pace struct {
	// Set at birth, never changed.
	burst    int
	interval time.Duration

	empty time.Time // when the bucket will have leaked out
}

// allow reports whether one more may go through now, and counts it if so.
func (p *pace) allow(now time.Time) bool {
	if p.empty.Before(now) {
		p.empty = now
	}
	if p.empty.Sub(now) > time.Duration(p.burst-1)*p.interval {
		return false
	}
	p.empty = p.empty.Add(p.interval)
	return true
}
