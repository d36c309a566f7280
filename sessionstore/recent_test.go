package sessionstore

import (
	"fmt"
	"testing"
	"time"
)

// clock is a time that a test sets.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func hashOf(n int) hash { return hash{byte(n), byte(n >> 8)} }

func TestRecent(t *testing.T) {
	tests := []struct {
		name  string
		do    func(r *recent[string], c *clock)
		found bool
		known bool
	}{
		{"what was found is known", func(*recent[string], *clock) {}, true, true},
		{"not for longer than its life", func(_ *recent[string], c *clock) { c.at = c.at.Add(10 * time.Second) }, false, false},
		{"not once it was touched", func(r *recent[string], _ *clock) { r.touched(hashOf(1)) }, false, false},
		{"not once anything may have been", func(r *recent[string], _ *clock) { r.forget() }, false, false},
		{"whatever else was touched", func(r *recent[string], _ *clock) { r.touched(hashOf(2)) }, true, true},
		{"not once there is no room", func(r *recent[string], _ *clock) {
			for i := range 100 {
				r.put(r.begin(), hashOf(10+i), "other", "", true, 1000)
			}
		}, false, false},
		{"what was found later wins", func(r *recent[string], _ *clock) { r.put(r.begin(), hashOf(1), "k", "", false, 1) }, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &clock{time.Unix(0, 0)}
			r := newRecent[string](64<<10, 10*time.Second, c.now)
			r.put(r.begin(), hashOf(1), "k", "v", true, 1)
			tt.do(r, c)
			v, found, known := r.get(hashOf(1), "k")
			if found != tt.found || known != tt.known || found && v != "v" {
				t.Errorf("got %q, %v, %v, want %v, %v", v, found, known, tt.found, tt.known)
			}
		})
	}
}

func TestRecentRemembersNothingThatWasTouchedMeanwhile(t *testing.T) {
	r := newRecent[string](64<<10, time.Minute, time.Now)
	begun := r.begin()
	r.touched(hashOf(1)) // while the query is out
	r.put(begun, hashOf(1), "k", "stale", true, 1)
	if _, _, known := r.get(hashOf(1), "k"); known {
		t.Error("what may be stale is remembered")
	}
}

func TestRecentForgetsSoonThatNothingWasFound(t *testing.T) {
	c := &clock{time.Unix(0, 0)}
	r := newRecent[string](64<<10, time.Minute, c.now)
	r.put(r.begin(), hashOf(1), "k", "", false, 1)
	c.at = c.at.Add(time.Second)
	if _, _, known := r.get(hashOf(1), "k"); known {
		t.Error("it is remembered for a second, or longer")
	}
}

func TestRecentIsNoOtherKeys(t *testing.T) {
	r := newRecent[string](64<<10, time.Minute, time.Now)
	r.put(r.begin(), hashOf(1), "k", "v", true, 1)
	if _, _, known := r.get(hashOf(1), "another with that hash"); known {
		t.Error("it is another key's")
	}
}

func TestRecentIsBounded(t *testing.T) {
	const bound = 64 << 10
	r := newRecent[string](bound, time.Hour, time.Now)
	for i := range 100_000 {
		r.put(r.begin(), hashOf(i), fmt.Sprint(i), "", true, i%2000)
	}
	size := 0
	for _, m := range []map[hash]remembered[string]{r.young, r.old} {
		size += len(m) * entryOverhead
	}
	if size > bound {
		t.Errorf("%d bytes are remembered, want no more than %d", size, bound)
	}
}

func TestRecentHasNothingTwice(t *testing.T) {
	c := &clock{time.Unix(0, 0)}
	r := newRecent[string](64<<10, time.Minute, c.now)
	const keys = 100
	for range 100 { // each time that what was remembered is too old
		for i := range keys {
			r.put(r.begin(), hashOf(i), fmt.Sprint(i), "", true, 1)
		}
		c.at = c.at.Add(time.Minute)
	}
	if got := len(r.young) + len(r.old); got != keys {
		t.Errorf("%d entries for %d keys", got, keys)
	}
	for i := range keys {
		r.touched(hashOf(i))
	}
	if r.size != 0 {
		t.Errorf("%d bytes are counted, want 0 where nothing is remembered", r.size)
	}
}
