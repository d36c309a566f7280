package bench

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A histogram's buckets are 1/64 as wide as what they hold is large, up to longest.
const (
	bucketBits = 6
	longest    = 1<<42 - 1 // ns: 73 minutes
	buckets    = (42-bucketBits)<<bucketBits + 1<<bucketBits
)

// histogram counts durations. Thousands of goroutines add to one at the same time, without a lock, and what it says
// of them is at most 1/64 too large.
type histogram struct {
	counts   [buckets]atomic.Int64
	n, total atomic.Int64
	largest  atomic.Int64
}

// bucketOf returns the number of a duration's bucket.
func bucketOf(ns int64) int {
	shift := max(0, bits.Len64(uint64(ns))-bucketBits-1)
	return shift<<bucketBits + int(ns>>shift)
}

// endOf returns the longest duration of a bucket.
func endOf(bucket int) int64 {
	shift := max(0, bucket>>bucketBits-1)
	return (int64(bucket-shift<<bucketBits)+1)<<shift - 1
}

// record counts a duration.
func (h *histogram) record(d time.Duration) {
	ns := min(max(int64(d), 0), longest)
	h.counts[bucketOf(ns)].Add(1)
	h.n.Add(1)
	h.total.Add(ns)
	for {
		old := h.largest.Load()
		if ns <= old || h.largest.CompareAndSwap(old, ns) {
			return
		}
	}
}

// quantile returns what a share of all durations, as 0.99, does not exceed.
func (h *histogram) quantile(share float64) time.Duration {
	var counts [buckets]int64 // others go on counting
	var n int64
	for i := range h.counts {
		counts[i] = h.counts[i].Load()
		n += counts[i]
	}
	left := max(1, int64(share*float64(n)+0.5))
	for i, count := range counts {
		if left -= count; left <= 0 {
			return time.Duration(min(endOf(i), h.largest.Load()))
		}
	}
	return 0
}

// latency returns the histogram's figures.
func (h *histogram) latency() Latency {
	l := Latency{
		P50: milliseconds(h.quantile(0.5)), P90: milliseconds(h.quantile(0.9)), P99: milliseconds(h.quantile(0.99)),
		Max: milliseconds(time.Duration(h.largest.Load())),
	}
	if n := h.n.Load(); n > 0 {
		l.Mean = milliseconds(time.Duration(h.total.Load() / n))
	}
	return l
}

// milliseconds returns a duration in milliseconds, to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Round(time.Microsecond)) / 1e6 }
