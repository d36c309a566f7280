package sessionstore

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// table is what a batcher asks in these tests: each query takes a time and is kept.
type table struct {
	takes time.Duration
	quick int // a query for this key takes no time, if it is not 0
	err   error

	mu      sync.Mutex // guards the fields below
	queries [][]int
	out     int
	mostOut int
}

func (tb *table) fetch(ctx context.Context, keys []int) (map[int]int, error) {
	tb.mu.Lock()
	tb.queries = append(tb.queries, slices.Clone(keys))
	tb.out++
	tb.mostOut = max(tb.mostOut, tb.out)
	tb.mu.Unlock()
	defer func() {
		tb.mu.Lock()
		tb.out--
		tb.mu.Unlock()
	}()
	takes := tb.takes
	if tb.quick != 0 && slices.Contains(keys, tb.quick) {
		takes = 0
	}
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, &DatabaseError{Fault: FaultTimeout}
	}
	found := make(map[int]int)
	for _, key := range keys {
		if key >= 0 {
			found[key] = key * key
		}
	}
	return found, tb.err
}

// sizes returns how many keys the queries were for.
func (tb *table) sizes() []int {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	sizes := make([]int, len(tb.queries))
	for i, q := range tb.queries {
		sizes[i] = len(q)
	}
	return sizes
}

// start returns a batcher that asks tb.
func (tb *table) start(workers *sync.WaitGroup) *batcher[int, int] {
	return newBatcher(Config{}.withDefaults(), workers, tb.fetch)
}

func TestBatcher(t *testing.T) {
	tests := []struct {
		name  string
		takes time.Duration
		test  func(t *testing.T, tb *table, b *batcher[int, int])
	}{
		{"a lone lookup goes at once", time.Millisecond, func(t *testing.T, _ *table, b *batcher[int, int]) {
			began := time.Now()
			if v, ok, err := b.get(t.Context(), 7); v != 49 || !ok || err != nil || time.Since(began) != time.Millisecond {
				t.Errorf("get = %d, %v, %v after %v, want 49 after the query's 1ms", v, ok, err, time.Since(began))
			}
		}},
		{"a lone lookup after another one goes at once", time.Millisecond, func(t *testing.T, _ *table, b *batcher[int, int]) {
			began := time.Now()
			for range 3 {
				ask(t, b, 1, func(int) int { return 7 })
			}
			if took := time.Since(began); took != 3*time.Millisecond {
				t.Errorf("three took %v, want 3ms", took)
			}
		}},
		{"after a query for some keys those who come within a millisecond share one", time.Millisecond, func(t *testing.T, tb *table, b *batcher[int, int]) {
			askCrowd(t, b)
			took := askBoth(t, b, 500*time.Microsecond)
			if took != 2*time.Millisecond || !slices.Equal(tb.sizes(), []int{1, 9, 2}) {
				t.Errorf("queries for %v keys, the last one back after %v, want 1, 9, 2, and 2ms", tb.sizes(), took)
			}
		}},
		{"and so do those who come a little later", time.Millisecond, func(t *testing.T, tb *table, b *batcher[int, int]) {
			askCrowd(t, b)
			<-time.After(30 * time.Millisecond)
			took := askBoth(t, b, 500*time.Microsecond)
			if took != 2*time.Millisecond || !slices.Equal(tb.sizes(), []int{1, 9, 2}) {
				t.Errorf("queries for %v keys, the last one back after %v, want 1, 9, 2, and 2ms", tb.sizes(), took)
			}
		}},
		{"who comes 50 ms after a crowd waits for nobody", time.Millisecond, func(t *testing.T, tb *table, b *batcher[int, int]) {
			askCrowd(t, b)
			<-time.After(50 * time.Millisecond)
			took := askBoth(t, b, 500*time.Microsecond)
			if took != 2*time.Millisecond || !slices.Equal(tb.sizes(), []int{1, 9, 1, 1}) {
				t.Errorf("queries for %v keys, the last one back after %v, want 1, 9, 1, 1, and 2ms", tb.sizes(), took)
			}
		}},
		{"a query waits no longer than until it has 32 keys", time.Millisecond, func(t *testing.T, tb *table, b *batcher[int, int]) {
			askCrowd(t, b)
			<-time.After(100 * time.Microsecond)
			began := time.Now()
			ask(t, b, 32, func(i int) int { return i })
			if took := time.Since(began); took != time.Millisecond || !slices.Equal(tb.sizes(), []int{1, 9, 32}) {
				t.Errorf("queries for %v keys, the last one back after %v, want 1, 9, 32, and 1ms", tb.sizes(), took)
			}
		}},
		{"a key that is not there is not found", 0, func(t *testing.T, _ *table, b *batcher[int, int]) {
			if _, ok, err := b.get(t.Context(), -1); ok || err != nil {
				t.Errorf("get = %v, %v, want not found", ok, err)
			}
		}},
		{"a thousand lookups of ten keys are two queries", time.Millisecond, func(t *testing.T, tb *table, b *batcher[int, int]) {
			ask(t, b, 1000, func(i int) int { return i % 10 })
			if len(tb.queries) > 2 {
				t.Errorf("queries %v, want one for the first and one for the rest", tb.queries)
			}
		}},
		{"a query asks for a key once, and for 128 at most", time.Millisecond, func(t *testing.T, tb *table, b *batcher[int, int]) {
			ask(t, b, 1000, func(i int) int { return i % 300 })
			for _, q := range tb.queries {
				if len(slices.Compact(slices.Sorted(slices.Values(q)))) != len(q) || len(q) > 128 {
					t.Errorf("a query for %d keys: %v", len(q), q)
				}
			}
			if len(tb.queries) > 4 {
				t.Errorf("%d queries, want 1 + 3", len(tb.queries))
			}
		}},
		{"one query is out at a time while they are quick", time.Millisecond, func(t *testing.T, tb *table, b *batcher[int, int]) {
			ask(t, b, 1000, func(i int) int { return i })
			if tb.mostOut != 1 {
				t.Errorf("%d queries out at a time, want 1", tb.mostOut)
			}
		}},
		{"a lookup does not join a query that is out", 4 * time.Millisecond, func(t *testing.T, tb *table, b *batcher[int, int]) {
			var both sync.WaitGroup
			both.Go(func() { ask(t, b, 1, func(int) int { return 1 }) })
			<-time.After(time.Millisecond)
			both.Go(func() { ask(t, b, 1, func(int) int { return 1 }) })
			both.Wait()
			if len(tb.queries) != 2 {
				t.Errorf("queries %v, want two", tb.queries)
			}
		}},
		{"a slow query lets a second one out beside it, not a third", time.Second, func(t *testing.T, tb *table, b *batcher[int, int]) {
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					<-time.After(time.Duration(i) * 10 * time.Millisecond)
					ask(t, b, 1, func(int) int { return i })
				})
			}
			all.Wait()
			if tb.mostOut != 2 {
				t.Errorf("%d queries out at a time, want 2", tb.mostOut)
			}
		}},
		{"who asked first may leave", 100 * time.Millisecond, func(t *testing.T, _ *table, b *batcher[int, int]) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			var both sync.WaitGroup
			both.Go(func() {
				if _, _, err := b.get(ctx, 3); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("get = %v, want ErrUnavailable and the reason of the context", err)
				}
			})
			both.Go(func() { ask(t, b, 1, func(int) int { return 3 }) })
			both.Wait()
		}},
		{"a lookup waits two seconds at most", time.Hour, func(t *testing.T, _ *table, b *batcher[int, int]) {
			began := time.Now()
			var all sync.WaitGroup
			for i := range 500 {
				all.Go(func() {
					if _, _, err := b.get(t.Context(), i); faultOf(err) != FaultTimeout {
						t.Errorf("get = %v, want a timeout", err)
					}
				})
			}
			all.Wait()
			if d := time.Since(began); d != 2*time.Second {
				t.Errorf("it took %v, want 2s", d)
			}
		}},
		{"whom nobody waits for is not asked for", time.Hour, func(t *testing.T, tb *table, b *batcher[int, int]) {
			var all sync.WaitGroup
			for i := range 1000 {
				all.Go(func() {
					if _, _, err := b.get(t.Context(), i); faultOf(err) != FaultTimeout {
						t.Errorf("get = %v, want a timeout", err)
					}
				})
			}
			all.Wait()
			tb.takes = 0
			ask(t, b, 1, func(int) int { return 7 })
			if len(tb.queries) > 3 {
				t.Errorf("%d queries, want no more than two that hung and one that did not", len(tb.queries))
			}
		}},
		{"who waited too long is not told that there is nothing", 1100 * time.Millisecond, func(t *testing.T, tb *table, b *batcher[int, int]) {
			tb.quick = 4000
			var all sync.WaitGroup
			all.Go(func() { ask(t, b, 1, func(int) int { return 1 }) })
			tooLong := func(n, first int) {
				for i := range n {
					all.Go(func() {
						if v, found, err := b.get(t.Context(), first+i); faultOf(err) != FaultTimeout {
							t.Errorf("get(%d) = %d, %v, %v, want a timeout", first+i, v, found, err)
						}
					})
				}
			}
			<-time.After(3 * time.Millisecond)
			all.Go(func() { ask(t, b, maxBatch, func(i int) int { return 1000 + i }) })
			synctest.Wait()
			tooLong(2*maxBatch, 2000)
			<-time.After(3 * time.Millisecond)
			tooLong(1, 3000) // lets a second query out
			<-time.After(194 * time.Millisecond)
			tooLong(50, 3001)
			<-time.After(1999 * time.Millisecond) // at 2.2 s, when they are late, there is a query for them and this one
			all.Go(func() { ask(t, b, 1, func(int) int { return 4000 }) })
			all.Wait()
			if last := tb.queries[len(tb.queries)-1]; !slices.Equal(last, []int{4000}) {
				t.Errorf("the last query is for %v, want the one for whom somebody waits", last)
			}
		}},
		{"more lookups than may wait fail at once", time.Hour, func(t *testing.T, _ *table, b *batcher[int, int]) {
			b.waiting = 100
			var all sync.WaitGroup
			var overloads atomic.Int64
			for i := range 1000 {
				all.Go(func() {
					if _, _, err := b.get(t.Context(), i); faultOf(err) == FaultOverload {
						overloads.Add(1)
					}
				})
			}
			all.Wait()
			if n := overloads.Load(); n < 1000-100-2*maxBatch || n == 1000 {
				t.Errorf("%d lookups failed at once, want all but those that are out and 100", n)
			}
		}},
		{"a closed batcher takes nothing in", 0, func(t *testing.T, _ *table, b *batcher[int, int]) {
			b.close()
			if _, _, err := b.get(t.Context(), 1); faultOf(err) != FaultClosed || !errors.Is(err, ErrUnavailable) {
				t.Errorf("get = %v, want FaultClosed", err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var workers sync.WaitGroup
				tb := &table{takes: tt.takes}
				tt.test(t, tb, tb.start(&workers))
				workers.Wait()
			})
		})
	}
}

// ask looks n keys up at the same time and checks what comes back.
func ask(t *testing.T, b *batcher[int, int], n int, key func(i int) int) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if v, ok, err := b.get(t.Context(), key(i)); v != key(i)*key(i) || !ok || err != nil {
				t.Errorf("get(%d) = %d, %v, %v", key(i), v, ok, err)
			}
		})
	}
	all.Wait()
}

// askCrowd has a query go for one key, and the next one for nine.
func askCrowd(t *testing.T, b *batcher[int, int]) {
	var both sync.WaitGroup
	both.Go(func() { ask(t, b, 1, func(int) int { return 0 }) })
	<-time.After(500 * time.Microsecond)
	ask(t, b, 9, func(i int) int { return 1 + i })
	both.Wait()
}

// askBoth looks one key up, and another one a time later. It returns when the last one is there.
func askBoth(t *testing.T, b *batcher[int, int], later time.Duration) time.Duration {
	began := time.Now()
	var both sync.WaitGroup
	for i := range 2 {
		both.Go(func() {
			<-time.After(time.Duration(i) * later)
			ask(t, b, 1, func(int) int { return 20 + i })
		})
	}
	both.Wait()
	return time.Since(began)
}

func TestBatcherTellsAllOfAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var workers, all sync.WaitGroup
		tb := &table{takes: time.Millisecond, err: &DatabaseError{Fault: FaultLocked}}
		b := tb.start(&workers)
		for i := range 10 {
			all.Go(func() {
				if _, _, err := b.get(t.Context(), i); faultOf(err) != FaultLocked {
					t.Errorf("get = %v, want FaultLocked", err)
				}
			})
		}
		all.Wait()
		workers.Wait()
	})
}

func TestApart(t *testing.T) {
	// One of three keys is a value that the database does not take.
	fetch := func(_ context.Context, keys []int) (map[int]int, error) {
		found := make(map[int]int)
		for _, key := range keys {
			if key != 2 {
				found[key] = key
			}
		}
		return found, nil
	}
	got, err := apart(t.Context(), []int{1, 2, 3}, fetch)
	if want := map[int]int{1: 1, 3: 3}; !maps.Equal(got, want) || err != nil {
		t.Errorf("apart = %v, %v, want %v", got, err, want)
	}
}
