package broker

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// model is a sorted set as simple as can be.
type model map[string]float64

func (m model) entries() []entry {
	var list []entry
	for member, score := range m {
		list = append(list, entry{score, member})
	}
	slices.SortFunc(list, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.member, b.member))
	})
	return list
}

func TestSortedSetIsASortedSet(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	s, m := newSortedSet(), make(model)
	for i := range 40_000 {
		member, score := strconv.Itoa(random.IntN(5000)), float64(random.IntN(300))
		switch random.IntN(4) {
		case 0:
			_, there := m[member]
			if got := s.remove(member); got != there {
				t.Fatalf("step %d: remove = %v, want %v", i, got, there)
			}
			delete(m, member)
		case 1:
			score = float64(i) // in order, as scores mostly come
			fallthrough
		default:
			_, there := m[member]
			if got := s.add(member, score); got == there {
				t.Fatalf("step %d: add = %v where the member was there: %v", i, got, there)
			}
			m[member] = score
		}
		if i%4000 == 3999 {
			compareSets(t, &s, m, random)
		}
	}
	for s.len() > 0 {
		s.remove(s.first().member)
	}
	if len(s.chunks) != 0 {
		t.Errorf("an empty set has %d chunks", len(s.chunks))
	}
}

func compareSets(t *testing.T, s *sortedSet, m model, random *rand.Rand) {
	t.Helper()
	want := m.entries()
	if got := slices.Collect(s.span(0, s.len())); !slices.Equal(got, want) {
		t.Fatalf("the entries are %d, want %d in their order", len(got), len(want))
	}
	if s.first() != want[0] || s.last() != want[len(want)-1] {
		t.Fatalf("first and last are %v, %v", s.first(), s.last())
	}
	from, to := random.IntN(len(want)), random.IntN(len(want))
	if got := slices.Collect(s.span(from, to)); !slices.Equal(got, want[min(from, to):to]) {
		t.Fatalf("span(%d, %d) has %d entries", from, to, len(got))
	}
	b := bound{float64(random.IntN(300)), random.IntN(2) == 0}
	rank := 0
	for rank < len(want) && b.before(want[rank].score) {
		rank++
	}
	if got := s.rank(b); got != rank {
		t.Fatalf("rank(%v) = %d, want %d", b, got, rank)
	}
}

func testDatabase() (*database, *budget) {
	memory := &budget{limit: 1 << 30}
	return newDatabase(newNames("asgi", 12, time.Minute), memory), memory
}

func TestMemoryIsGivenBack(t *testing.T) {
	tests := []struct {
		name string
		end  func(t *tx)
	}{
		{"when a key is deleted", func(t *tx) { t.keyspace.clear(t.get("k")) }},
		{"when its last members are removed", func(t *tx) { t.removeBetween("k", lowest(), bound{math.Inf(1), true}) }},
		{"when it is emptied one by one", func(t *tx) {
			for _, ok := t.popMin("k"); ok; _, ok = t.popMin("k") {
			}
		}},
		{"when it expires", func(t *tx) { t.expire("k", 0) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, memory := testDatabase()
			d.do(func(t *tx) {
				for i := range 1000 {
					t.add("k", strconv.Itoa(i), float64(i))
					t.add("k", strconv.Itoa(i), float64(i+1)) // which takes nothing
				}
				t.expire("k", time.Hour)
			})
			if used := memory.used.Load(); used < 1000*entryCost {
				t.Errorf("%d bytes are counted for 1000 entries", used)
			}
			d.do(tt.end)
			if used := memory.used.Load(); used != 0 || len(d.keyspace.keys) != 0 || len(d.keyspace.deadlines) != 0 {
				t.Errorf("%d bytes are counted for nothing, %d keys, %d deadlines", used, len(d.keyspace.keys), len(d.keyspace.deadlines))
			}
		})
	}
}

func TestKeysExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := testDatabase()
		d.do(func(t *tx) {
			for i := range 10 {
				name := strconv.Itoa(i)
				t.add(name, "m", 1)
				t.expire(name, time.Duration(10-i)*time.Second)
			}
			t.expire("9", time.Hour)
			t.keyspace.persist(t.get("8"))
		})
		<-time.After(5 * time.Second)
		d.do(func(*tx) {})
		if got := len(d.keyspace.keys); got != 7 {
			t.Errorf("%d keys are left, want 0 to 4, 8 and 9", got)
		}
	})
}

func TestAPinStays(t *testing.T) {
	d, memory := testDatabase()
	d.do(func(t *tx) {
		t.add("asgi:group:g", "other", 5)
		t.keyspace.pinned("asgi:group:g", "pin", t.now)
		t.expire("asgi:group:g", time.Hour)
	})
	tests := []struct {
		name string
		do   func(t *tx)
		want int
	}{
		{"at first", func(*tx) {}, 2},
		{"where somebody removes it", func(t *tx) { t.remove("asgi:group:g", "pin") }, 2},
		{"where somebody adds it", func(t *tx) { t.add("asgi:group:g", "pin", 3) }, 2},
		{"where all scores are removed", func(t *tx) { t.removeBetween("asgi:group:g", lowest(), bound{math.Inf(1), true}) }, 1},
		{"where the key is deleted", func(t *tx) { t.keyspace.clear(t.get("asgi:group:g")) }, 1},
		{"where the key expires", func(t *tx) { t.expire("asgi:group:g", -1) }, 1},
	}
	for _, tt := range tests {
		d.do(tt.do)
		d.do(func(x *tx) {
			if got := x.size("asgi:group:g"); got != tt.want {
				t.Errorf("%s: %d members, want %d", tt.name, got, tt.want)
			}
			list := x.entries("asgi:group:g", 0, 9)
			if last := list[len(list)-1]; last.member != "pin" {
				t.Errorf("%s: the last member is %q", tt.name, last.member)
			}
		})
	}
	d.do(func(t *tx) { t.keyspace.pinned("asgi:group:g", "", t.now) })
	if memory.used.Load() != 0 || len(d.keyspace.keys) != 0 {
		t.Error("a key is left without its pin")
	}
}

func TestWhoWaitsLongestIsServedFirst(t *testing.T) {
	d, _ := testDatabase()
	var waiters []*waiter
	for range 3 {
		w := newWaiter([]string{"other", "k"})
		waiters = append(waiters, w)
		d.do(func(t *tx) { t.wait(w) })
	}
	d.do(func(t *tx) { // a transaction is over before anybody is served
		t.add("k", "second", 2)
		t.add("k", "first", 1)
	})
	for i, want := range []string{"first", "second", ""} {
		if w := waiters[i]; w.got.member != want || w.has != (want != "") {
			t.Errorf("waiter %d got %q, want %q", i, w.got.member, want)
		}
	}
	d.do(func(t *tx) {
		t.stop(waiters[2])
		t.giveBack(waiters[1])
	})
	d.do(func(x *tx) {
		if got := x.size("k"); got != 1 || len(d.waiting) != 0 {
			t.Errorf("%d messages are there, want the one that was given back; %d lists of waiters", got, len(d.waiting))
		}
	})
}

func TestMatches(t *testing.T) {
	tests := []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"*", "", true},
		{"a*c", "abbc", true},
		{"a*c", "abbd", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"*a*b*", "xxaxxbxx", true},
		{"[a-c]x", "bx", true},
		{"[c-a]x", "bx", true},
		{"[^a-c]x", "bx", false},
		{"[", "[", false},
		{`[\]]`, "]", true},
		{`\*`, "*", true},
		{`\*`, "a", false},
		{`a\`, `a\`, true},
	}
	for _, tt := range tests {
		if got := matches(tt.pattern, tt.s); got != tt.want {
			t.Errorf("matches(%q, %q) = %v, want %v", tt.pattern, tt.s, got, tt.want)
		}
	}
}
