package sessionstore

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/internal/chaos"
)

// guess tries a wrong password, and returns how long it is to be waited for the next one if it is one too many.
func guess(t *testing.T, tries *tries, from, name string) time.Duration {
	t.Helper()
	addr, _ := netip.ParseAddr(from)
	one, err := tries.begin(addr, name)
	if err == nil {
		one.failed()
		return 0
	}
	refusal, ok := errors.AsType[*TriesError](err)
	if !ok || !errors.Is(err, ErrBusy) || refusal.After <= 0 {
		t.Fatalf("begin = %#v, want a TriesError with a time", err)
	}
	return refusal.After
}

// guesses tries n wrong passwords, and returns how many were let through.
func guesses(t *testing.T, tries *tries, n int, from, name string) (through int) {
	t.Helper()
	for range n {
		if guess(t, tries, from, name) == 0 {
			through++
		}
	}
	return through
}

func someTries() *tries { return newTries(TryConfig{PerAddress: 20, PerName: 6, Own: 2}) }

func TestTriesAreBounded(t *testing.T) {
	tests := []struct {
		name string
		cfg  TryConfig
		from func(i int) string
		user func(i int) string
		want int // of 100
	}{
		{"for one name, from one address", TryConfig{PerAddress: 20, PerName: 6, Own: 2}, always("192.0.2.1"), always("alice"), 8},
		{"for one name, from each address anew", TryConfig{PerAddress: 20, PerName: 6, Own: -1}, numbered("192.0.2.%d"), always("alice"), 6},
		{"for many names, from one address", TryConfig{PerAddress: 20, PerName: 6, Own: 2}, always("192.0.2.1"), numbered("user%d"), 20},
		{"a network of IPv6 is one address", TryConfig{PerAddress: 20, PerName: 6, Own: 2}, numbered("2001:db8::%d"), numbered("user%d"), 20},
		{"IPv4 in IPv6 is IPv4", TryConfig{PerAddress: 20, PerName: 6, Own: 2}, numbered("::ffff:192.0.2.%d"), numbered("user%d"), 100},
		{"an address that is not known has none of its own", TryConfig{PerAddress: 20, PerName: 6, Own: 2}, always(""), always("alice"), 6},
		{"nor has this machine's, which is not counted", TryConfig{PerAddress: 20, PerName: 6, Own: 2}, always("127.0.0.1"), numbered("user%d"), 100},
		{"a name in other letters is the same", TryConfig{PerAddress: -1, PerName: 6, Own: -1}, always("192.0.2.1"), alternately("alice", "ALICE"), 6},
		{"what is longer than a name may be is one", TryConfig{PerAddress: -1, PerName: 6, Own: -1}, always(""), numbered(strings.Repeat("a", 300) + "%d"), 6},
		{"no limit by name", TryConfig{PerAddress: 20, PerName: -1, Own: 2}, always("192.0.2.1"), always("alice"), 20},
		{"no limit by address", TryConfig{PerAddress: -1, PerName: 6, Own: 2}, always("192.0.2.1"), numbered("user%d"), 100},
		{"no limit", TryConfig{PerAddress: -1, PerName: -1, Own: -1}, always("192.0.2.1"), always("alice"), 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries, got := newTries(tt.cfg), 0
				for i := range 100 {
					got += guesses(t, tries, 1, tt.from(i), tt.user(i))
				}
				if got != tt.want {
					t.Errorf("%d of 100 are let through, want %d", got, tt.want)
				}
			})
		})
	}
}

func always(s string) func(int) string { return func(int) string { return s } }

func numbered(format string) func(int) string {
	return func(i int) string { return fmt.Sprintf(format, i) }
}

func alternately(some ...string) func(int) string {
	return func(i int) string { return some[i%len(some)] }
}

func TestTriesComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := someTries()
		guesses(t, tries, 100, "192.0.2.1", "alice")
		wait := guess(t, tries, "192.0.2.1", "alice")
		if wait != 10*time.Second { // six in a minute
			t.Errorf("wait = %v, want 10s", wait)
		}
		time.Sleep(wait - time.Nanosecond)
		if guess(t, tries, "192.0.2.1", "alice") == 0 {
			t.Error("one is let through before its time")
		}
		time.Sleep(time.Nanosecond)
		if got := guesses(t, tries, 100, "192.0.2.1", "alice"); got != 1 {
			t.Errorf("%d are let through then, want 1", got)
		}
		time.Sleep(time.Hour)
		if got := guesses(t, tries, 100, "192.0.2.1", "alice"); got != 8 {
			t.Errorf("%d are let through an hour later, want as many as in the beginning", got)
		}
	})
}

func TestARightPasswordCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries, addr := someTries(), netip.MustParseAddr("192.0.2.1")
		for range 1000 { // all at once
			if _, err := tries.begin(addr, "alice"); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(tries.addresses.full) + len(tries.names.full) + len(tries.own.full); n != 0 {
			t.Errorf("%d buckets remain", n)
		}
		guesses(t, tries, 100, "192.0.2.1", "alice")
		if got := guesses(t, tries, 100, "192.0.2.1", "bob"); got != 8 { // what was refused was not counted by address
			t.Errorf("%d are let through for another name, want 8", got)
		}
	})
}

// Security row T09: who guesses the passwords of a user from many addresses gets no further than the bounds, and the
// user gets in all the time, also from an address that was never seen, and after a slip of the finger.
func TestT09GuessingLocksNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := newTries(TryConfig{}.withDefaults())
		guessers, hours := chaos.Size(100, 20), 2
		through := 0
		for minute := range hours * 60 {
			for i := range guessers {
				through += guesses(t, tries, 10, fmt.Sprintf("198.51.100.%d", i), "alice")
			}
			home := netip.AddrFrom4([4]byte{192, 0, 2, byte(minute)})
			for range 4 { // wrong
				if wait := guess(t, tries, home.String(), "alice"); wait > 0 {
					t.Fatalf("minute %d: alice is to wait for %v", minute, wait)
				}
			}
			if _, err := tries.begin(home, "alice"); err != nil { // right
				t.Fatalf("minute %d: alice: %v", minute, err)
			}
			time.Sleep(time.Minute)
		}
		// What each address has of its own, and what all have together.
		most := guessers*(5+hours*12) + 30*(1+hours*60)
		chaos.Row(t, through <= most, "T09", fmt.Sprintf("%d guesses of a password by %d addresses in %d hours; its owner comes from elsewhere each minute, wrong four times", guessers*10*hours*60, guessers, hours),
			fmt.Sprintf("%d guesses are let through, and the owner at once each time", through), fmt.Sprintf("%d guesses, the owner always", most))
	})
}

func TestBucketsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBuckets(10, time.Minute)
		for i := range uint64(maxBuckets) {
			b.take(i, time.Duration(i))
		}
		for range 9 {
			b.take(0, 0) // the emptiest
		}
		for i := range uint64(1000) {
			b.take(maxBuckets+i, 0)
		}
		if n := len(b.full); n != maxBuckets {
			t.Errorf("%d buckets, want %d", n, maxBuckets)
		}
		if b.wait(0, 0) == 0 {
			t.Error("the emptiest bucket was forgotten")
		}
	})
}

func TestTriesAtOnceAreRepaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries, addr := someTries(), netip.MustParseAddr("192.0.2.1")
		var under []try
		for range 18 {
			one, err := tries.begin(addr, "alice")
			if err != nil {
				t.Fatal(err)
			}
			under = append(under, one)
		}
		var wg sync.WaitGroup
		for _, one := range under {
			wg.Go(one.failed)
		}
		wg.Wait() // two of its own, and ten more than the six for the name
		if wait := guess(t, tries, "192.0.2.1", "alice"); wait != 11*10*time.Second {
			t.Errorf("wait = %v, want 110s", wait)
		}
		if wait := guess(t, tries, "192.0.2.2", "alice"); wait != 0 {
			t.Errorf("who is somewhere else waits %v", wait)
		}
	})
}

func FuzzTries(f *testing.F) {
	f.Add("192.0.2.1", "alice", "ALICE")
	f.Add("::ffff:192.0.2.1", "", "\xff")
	f.Add("fe80::1%eth0", "İ", "i̇")
	f.Add("::1", strings.Repeat("ẞ", 200), "x")
	f.Fuzz(func(t *testing.T, from, name, other string) {
		tries := newTries(TryConfig{PerAddress: 3, PerName: 3, Own: 3})
		addr, _ := netip.ParseAddr(from)
		for _, name := range []string{name, other, name, other, name, name, name, name} {
			if _, err := tries.begin(addr, name); err != nil {
				t.Fatalf("%v, though none has failed", err)
			}
		}
		if got := guesses(t, tries, 20, from, name); got > 6 {
			t.Fatalf("%d tries were let through", got)
		}
	})
}
