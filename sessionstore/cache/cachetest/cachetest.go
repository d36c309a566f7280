// Package cachetest has the promises that every cache keeps, as one suite.
//
// Start with [Run].
package cachetest

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/sessionstore/cache"
)

// MaxValue is the bound that a cache must be opened with.
const MaxValue = 4096

// Run runs the suite; open opens the cache, empty, with MaxValue as its bound, for one subtest.
func Run(t *testing.T, open func(t *testing.T) cache.Cache) {
	promises := []struct {
		name string
		run  func(t *testing.T, c cache.Cache)
	}{
		{"what nobody stored is not there", testMissing},
		{"what was set is there, for all keys at once", testSet},
		{"what is there is not added", testAdd},
		{"a swap replaces what was read", testSwap},
		{"a swap leaves what others stored meanwhile", testSwapChanged},
		{"a swap does not bring back what others removed", testSwapGone},
		{"what was deleted is gone, and deleting nothing is no error", testDelete},
		{"what lives no time is not there", testNoLife},
		{"a value beyond the bound is refused", testTooLarge},
		{"all bytes come back", testBytes},
		{"of swaps at the same time none is lost", testConcurrentSwaps},
		{"what is removed beside a swap stays away", testSwapBesideDelete},
	}
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) { p.run(t, open(t)) })
	}
}

const life = time.Hour

// get returns the value under key, nil if there is none.
func get(t *testing.T, c cache.Cache, key string) (cache.Entry, bool) {
	t.Helper()
	found, err := c.GetMany(context.Background(), []string{key})
	if err != nil {
		t.Fatal(err)
	}
	e, ok := found[key]
	return e, ok
}

func set(t *testing.T, c cache.Cache, key, value string) {
	t.Helper()
	if err := c.Set(t.Context(), key, []byte(value), life); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, c cache.Cache, key, value string) {
	t.Helper()
	e, ok := get(t, c, key)
	if !ok || e.Err != nil || string(e.Value) != value {
		t.Errorf("under %s is %q, %v, %v, want %q", key, e.Value, e.Err, ok, value)
	}
}

func wantNothing(t *testing.T, c cache.Cache, key string) {
	t.Helper()
	if e, ok := get(t, c, key); ok {
		t.Errorf("under %s is %q, want nothing", key, e.Value)
	}
}

func testMissing(t *testing.T, c cache.Cache) {
	wantNothing(t, c, "key")
	found, err := c.GetMany(t.Context(), nil)
	if err != nil || len(found) > 0 {
		t.Errorf("GetMany of nothing = %v, %v, want nothing", found, err)
	}
}

func testSet(t *testing.T, c cache.Cache) {
	set(t, c, "a", ".1")
	set(t, c, "b", ".2")
	set(t, c, "a", ".3")
	found, err := c.GetMany(t.Context(), []string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || string(found["a"].Value) != ".3" || string(found["b"].Value) != ".2" {
		t.Errorf("GetMany = %q, want a and b", found)
	}
}

func testAdd(t *testing.T, c cache.Cache) {
	for i, want := range []bool{true, false} {
		added, err := c.Add(t.Context(), "a", []byte("."+strconv.Itoa(i)), life)
		if err != nil || added != want {
			t.Errorf("Add %d = %v, %v, want %v", i, added, err, want)
		}
	}
	want(t, c, "a", ".0")
}

// swap reads what is under key, lets others come in between, and swaps.
func swap(t *testing.T, c cache.Cache, key, value string, others func()) bool {
	t.Helper()
	old, _ := get(t, c, key)
	others()
	swapped, err := c.Swap(t.Context(), key, old, []byte(value), life)
	if err != nil {
		t.Fatal(err)
	}
	return swapped
}

func testSwap(t *testing.T, c cache.Cache) {
	set(t, c, "a", ".1")
	if !swap(t, c, "a", ".2", func() {}) {
		t.Error("Swap = false, want true")
	}
	want(t, c, "a", ".2")
}

func testSwapChanged(t *testing.T, c cache.Cache) {
	set(t, c, "a", ".1")
	if swap(t, c, "a", ".2", func() { set(t, c, "a", ".theirs") }) {
		t.Error("Swap = true, want false")
	}
	want(t, c, "a", ".theirs")
}

func testSwapGone(t *testing.T, c cache.Cache) {
	set(t, c, "a", ".1")
	gone := func() {
		if err := c.Delete(t.Context(), "a"); err != nil {
			t.Error(err)
		}
	}
	if swap(t, c, "a", ".2", gone) {
		t.Error("Swap = true, want false")
	}
	wantNothing(t, c, "a")
}

func testDelete(t *testing.T, c cache.Cache) {
	set(t, c, "a", ".1")
	for range 2 {
		if err := c.Delete(t.Context(), "a"); err != nil {
			t.Errorf("Delete = %v, want nil", err)
		}
		wantNothing(t, c, "a")
	}
}

func testNoLife(t *testing.T, c cache.Cache) {
	set(t, c, "a", ".1")
	if err := c.Set(t.Context(), "a", []byte(".2"), -time.Minute); err != nil {
		t.Errorf("Set = %v, want nil", err)
	}
	wantNothing(t, c, "a")
	if added, err := c.Add(t.Context(), "a", []byte(".3"), -time.Minute); !added || err != nil {
		t.Errorf("Add = %v, %v, want true", added, err)
	}
	wantNothing(t, c, "a")
	if added, err := c.Add(t.Context(), "a", []byte(".4"), life); !added || err != nil {
		t.Errorf("Add after what lived no time = %v, %v, want true", added, err)
	}
	want(t, c, "a", ".4")
}

func testTooLarge(t *testing.T, c cache.Cache) {
	huge := []byte(strings.Repeat("x", MaxValue+1))
	set(t, c, "a", ".1")
	old, _ := get(t, c, "a")
	if err := c.Set(t.Context(), "a", huge, life); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("Set = %v, want ErrTooLarge", err)
	}
	if _, err := c.Add(t.Context(), "b", huge, life); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("Add = %v, want ErrTooLarge", err)
	}
	if _, err := c.Swap(t.Context(), "a", old, huge, life); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("Swap = %v, want ErrTooLarge", err)
	}
	want(t, c, "a", ".1")
	wantNothing(t, c, "b")
}

func testBytes(t *testing.T, c cache.Cache) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(255 - i)
	}
	if err := c.Set(t.Context(), "a", all, life); err != nil {
		t.Fatal(err)
	}
	if e, _ := get(t, c, "a"); !bytes.Equal(e.Value, all) {
		t.Errorf("value = %x, want all bytes", e.Value)
	}
}

func testConcurrentSwaps(t *testing.T, c cache.Cache) {
	const writers, each = 4, 10
	set(t, c, "a", ".")
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for done := 0; done < each; {
				found, err := c.GetMany(t.Context(), []string{"a"})
				if err != nil {
					t.Error(err)
					return
				}
				swapped, err := c.Swap(t.Context(), "a", found["a"], append(found["a"].Value, 'x'), life)
				if err != nil {
					t.Error(err)
					return
				}
				if swapped {
					done++
				}
			}
		})
	}
	all.Wait()
	want(t, c, "a", "."+strings.Repeat("x", writers*each))
}

func testSwapBesideDelete(t *testing.T, c cache.Cache) {
	for range 50 {
		set(t, c, "a", ".1")
		old, _ := get(t, c, "a")
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := c.Swap(t.Context(), "a", old, []byte(".2"), life); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			if err := c.Delete(t.Context(), "a"); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		wantNothing(t, c, "a")
	}
}
