package broker

import "sync/atomic"

// budget counts bytes against a limit.
type budget struct {
	limit int64
	used  atomic.Int64
}

// add counts n bytes, which may be negative, whatever the limit.
func (b *budget) add(n int64) { b.used.Add(n) }

// take counts n bytes if they are within the limit, and reports whether they are.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) <= b.limit {
		return true
	}
	b.used.Add(-n)
	return false
}

// full reports whether the limit is reached.
func (b *budget) full() bool { return b.used.Load() >= b.limit }
