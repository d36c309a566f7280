package bench

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestADurationIsInABucketThatIsOneSixtyFourthWide(t *testing.T) {
	for _, ns := range []int64{0, 1, 63, 64, 127, 128, 129, 255, 256, 1e6 - 1, 1e6, 1e9, 3600e9, longest} {
		b := bucketOf(ns)
		if b < 0 || b >= buckets {
			t.Fatalf("%d ns is in bucket %d of %d", ns, b, buckets)
		}
		if end := endOf(b); end < ns || end > ns+ns/64 {
			t.Errorf("%d ns is in a bucket that ends with %d", ns, end)
		}
		if ns > 0 && endOf(bucketOf(ns-1)) < ns-1 {
			t.Errorf("%d ns is in a bucket that ends before it", ns-1)
		}
	}
}

func TestQuantilesAreThoseOfAllDurations(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h histogram
	all := make([]time.Duration, 40_000)
	for i := range all {
		all[i] = time.Duration(random.ExpFloat64() * float64(3*time.Millisecond))
	}
	var writers sync.WaitGroup
	for part := range slices.Chunk(all, len(all)/4) {
		writers.Go(func() {
			for _, d := range part {
				h.record(d)
			}
		})
	}
	writers.Wait()
	slices.Sort(all)
	for _, share := range []float64{0.5, 0.9, 0.99, 1} {
		want := all[int(share*float64(len(all))+0.5)-1]
		if got := h.quantile(share); got < want || got > want+want/64 {
			t.Errorf("quantile %v = %v, want %v", share, got, want)
		}
	}
	if got := h.latency().Max; got != milliseconds(all[len(all)-1]) {
		t.Errorf("max %v, want %v", got, all[len(all)-1])
	}
}

func TestAnEmptyHistogramIsZero(t *testing.T) {
	if got := new(histogram).latency(); got != (Latency{}) {
		t.Errorf("got %+v, want zeros", got)
	}
}

func TestADurationOutOfRangeIsTheNearest(t *testing.T) {
	var h histogram
	h.record(-time.Second)
	h.record(time.Duration(longest) + time.Hour)
	if got := h.quantile(0.5); got != 0 {
		t.Errorf("below: %v, want 0", got)
	}
	if got := h.quantile(1); got != longest {
		t.Errorf("above: %v, want %v", got, time.Duration(longest))
	}
}
