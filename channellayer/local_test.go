package channellayer_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
)

func newDelivery(typ string) *channellayer.Delivery {
	return channellayer.NewDelivery(channellayer.Event{"type": typ}, time.Time{})
}

// holding returns the Capacities by which every channel holds so many events.
func holding(events int) channellayer.Capacities { return channellayer.NewCapacities(events, nil) }

func openQueue(l *channellayer.Local) (name string, q *channellayer.Queue) {
	q = channellayer.NewQueue()
	return l.Open("specific.a!", holding(2), q), q
}

func TestLocalDeliver(t *testing.T) {
	l := channellayer.NewLocal(nil)
	name, _ := openQueue(l)
	for i, want := range []error{nil, nil, channellayer.ErrFull} {
		if err := l.Deliver(name, newDelivery("x")); !errors.Is(err, want) {
			t.Errorf("delivery %d: got error %v, want %v", i, err, want)
		}
	}
	if err := l.Deliver("a!2", newDelivery("x")); !errors.Is(err, channellayer.ErrNoChannel) {
		t.Errorf("to a channel that is not open: got error %v, want ErrNoChannel", err)
	}
	l.Close(name)
	if err := l.Deliver(name, newDelivery("x")); !errors.Is(err, channellayer.ErrNoChannel) {
		t.Errorf("to a closed channel: got error %v, want ErrNoChannel", err)
	}
	if ended := l.Close(name); ended != nil {
		t.Errorf("closing twice ended groups %v", ended)
	}
	openQueue(l) // in its place
	if err := l.Deliver(name, newDelivery("x")); !errors.Is(err, channellayer.ErrNoChannel) {
		t.Errorf("to a closed channel whose place another has: got error %v, want ErrNoChannel", err)
	}
}

func TestAChannelIsFoundByItsNameAlone(t *testing.T) {
	l := channellayer.NewLocal(nil)
	name, _ := openQueue(l)
	other, _ := openQueue(l)
	if err := channellayer.CheckChannelName(name); err != nil {
		t.Fatal(err)
	}
	tail := len(name) - channellayer.TailLen
	// Of the last character two bits count: a lenient reader would take 15 others for the same.
	tests := []struct{ name, channel string }{
		{"its own name, cut", name[:len(name)-1]},
		{"its own name, and more", name + "A"},
		{"a name without a tail", name[:tail]},
		{"a name without a prefix", name[tail:]},
		{"another prefix", "specific.b!" + name[tail:]},
		{"a longer prefix", "x" + name},
		{"no name", ""},
		{"characters that stand in no tail", name[:tail] + strings.Repeat(".", channellayer.TailLen)},
		{"a place that nobody has had", name[:tail] + strings.Repeat("_", channellayer.TailLen-1) + "w"},
		{"the secret of one and the place of another", name[:tail+16] + other[tail+16:]},
	}
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if again := name[:len(name)-1] + string(last); again != name && again != other {
			tests = append(tests, struct{ name, channel string }{"another last character: " + string(last), again})
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := l.Deliver(tt.channel, newDelivery("x")); !errors.Is(err, channellayer.ErrNoChannel) {
				t.Errorf("Deliver(%q): got error %v, want ErrNoChannel", tt.channel, err)
			}
		})
	}
}

func FuzzLocalFindsNoOtherName(f *testing.F) {
	f.Add("specific.a!AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("!_____________________w")
	f.Add("specific.a!")
	f.Fuzz(func(t *testing.T, name string) {
		l := channellayer.NewLocal(nil)
		own, _ := openQueue(l)
		if err := l.Deliver(name, newDelivery("x")); name != own && !errors.Is(err, channellayer.ErrNoChannel) {
			t.Errorf("Deliver(%q): got error %v, want ErrNoChannel", name, err)
		}
	})
}

func TestALongPrefixOrACapacityOfItsOwn(t *testing.T) {
	l := channellayer.NewLocal(nil)
	rows := []channellayer.Capacity{{Glob: "narrow.*", Capacity: 1}}
	name := l.Open("narrow.a!", channellayer.NewCapacities(2, rows), channellayer.NewQueue())
	for i, want := range []error{nil, channellayer.ErrFull} {
		if err := l.Deliver(name, newDelivery("x")); !errors.Is(err, want) {
			t.Errorf("delivery %d: got error %v, want %v", i, err, want)
		}
	}
}

// outcome is what became of events, as a Local counts it.
type outcome struct{ delivered, dropped int }

// tally is a [channellayer.Tally].
func (o *outcome) tally(_ *channellayer.Delivery, delivered, dropped int) {
	o.delivered += delivered
	o.dropped += dropped
}

func TestLocalGroups(t *testing.T) {
	var became outcome
	l := channellayer.NewLocal(became.tally)
	a, qa := openQueue(l)
	b, qb := openQueue(l)
	join := func(group, channel string, wantFirst bool) {
		t.Helper()
		if first, err := l.Join(group, channel); err != nil || first != wantFirst {
			t.Errorf("Join(%s, %s) = %v, error %v; want %v", group, channel, first, err, wantFirst)
		}
	}
	leave := func(group, channel string, wantLast bool) {
		t.Helper()
		if last := l.Leave(group, channel); last != wantLast {
			t.Errorf("Leave(%s, %s) = %v, want %v", group, channel, last, wantLast)
		}
	}
	join("g", a, true)
	join("g", a, false) // again
	join("g", b, false)
	join("h", b, true)
	if _, err := l.Join("new", "c!"); !errors.Is(err, channellayer.ErrNoChannel) {
		t.Errorf("Join of a channel that is not open: got error %v, want ErrNoChannel", err)
	}
	if got := slices.Sorted(l.Groups()); !slices.Equal(got, []string{"g", "h"}) {
		t.Errorf("Groups = %v, want [g h]", got)
	}
	for i, want := range []string{"2 0", "2 0", "0 2"} {
		became = outcome{}
		members := l.DeliverGroup("g", newDelivery("x"))
		if got := fmt.Sprint(became.delivered, became.dropped); got != want || members != 2 {
			t.Errorf("delivery %d to a group of %d: got %s, want %s", i, members, got, want)
		}
	}
	if members := l.DeliverGroup("unknown", newDelivery("x")); members != 0 {
		t.Errorf("an unknown group has %d members", members)
	}
	if qa.Len() != 2 || qb.Len() != 2 {
		t.Errorf("%d and %d events wait, want 2 and 2", qa.Len(), qb.Len())
	}
	leave("g", a, false)
	leave("g", a, false) // again
	leave("unknown", a, false)
	leave("g", "c!", false)
	if got := l.Members("g"); got != 1 {
		t.Errorf("Members = %d, want 1", got)
	}
	leave("g", b, true)
	join("g", b, true)
	ended := l.Close(b)
	if slices.Sort(ended); !slices.Equal(ended, []string{"g", "h"}) {
		t.Errorf("Close ended %v, want [g h]", ended)
	}
	if l.Channels() != 1 || l.CountGroups() != 0 || l.Members("g") != 0 {
		t.Errorf("%d channels, %d groups are left, want 1 and 0", l.Channels(), l.CountGroups())
	}
}

// model is what Local does, as plainly as it can be said.
type model map[string]map[string]bool // channel → groups

func (m model) members(group string) int {
	n := 0
	for _, groups := range m {
		if groups[group] {
			n++
		}
	}
	return n
}

// TestLocalLikeModel does a great many random things to a Local and to a model of it.
func TestLocalLikeModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	l, m, names := channellayer.NewLocal(nil), model{}, map[string]string{}
	received := make(map[string]int)
	for step := range 60_000 {
		// The sizes change, so that channels in many groups and groups of many channels both come up, and
		// now and then all is gone.
		channels, groups := 40, 5
		if step/10_000%2 == 1 {
			channels, groups = 5, 300
		}
		channel, group := fmt.Sprint("c!", random.IntN(channels)), fmt.Sprint("g", random.IntN(groups))
		switch op := random.IntN(20); {
		case op < 2:
			if m[channel] == nil {
				names[channel] = l.Open("specific.a!", holding(1), count{received, channel})
				m[channel] = map[string]bool{}
			}
		case op < 3 || step%10_000 > 9_900:
			compareClose(t, l, m, channel, names[channel])
		case op < 12:
			wantFirst := m.members(group) == 0
			first, err := l.Join(group, names[channel])
			if _, open := m[channel]; (err == nil) != open || err == nil && first != wantFirst {
				t.Fatalf("step %d: Join = %v, error %v; channel open %v", step, first, err, open)
			}
			if err == nil {
				m[channel][group] = true
			}
		case op < 18:
			was := m[channel][group]
			delete(m[channel], group)
			if last := l.Leave(group, names[channel]); last != (was && m.members(group) == 0) {
				t.Fatalf("step %d: Leave = %v", step, last)
			}
		default:
			compareGroup(t, l, m, group, received)
		}
	}
}

// count is a Receiver that counts what each channel got.
type count struct {
	received map[string]int
	channel  string
}

func (c count) Receive(*channellayer.Delivery, int) bool {
	c.received[c.channel]++
	return true
}

func compareClose(t *testing.T, l *channellayer.Local, m model, channel, name string) {
	t.Helper()
	groups := m[channel]
	delete(m, channel)
	var want []string
	for group := range groups {
		if m.members(group) == 0 {
			want = append(want, group)
		}
	}
	got := l.Close(name)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("Close ended groups %v, want %v", got, want)
	}
}

func compareGroup(t *testing.T, l *channellayer.Local, m model, group string, received map[string]int) {
	t.Helper()
	clear(received)
	members := l.DeliverGroup(group, newDelivery("x"))
	if want := m.members(group); members != want || l.Members(group) != want || len(received) != want {
		t.Fatalf("delivered to %d of %d members, which are %d; want %d", len(received), members, l.Members(group), want)
	}
	for channel, n := range received {
		if n != 1 || !m[channel][group] {
			t.Fatalf("%s got the event %d times; member %v", channel, n, m[channel][group])
		}
	}
	want := map[string]bool{}
	for _, groups := range m {
		for g := range groups {
			want[g] = true
		}
	}
	got := slices.Collect(l.Groups())
	if len(got) != len(want) || l.CountGroups() != len(want) || l.Channels() != len(m) {
		t.Fatalf("%d groups are walked, %d counted, want %d; %d channels, want %d", len(got), l.CountGroups(), len(want), l.Channels(), len(m))
	}
	for _, g := range got {
		if !want[g] {
			t.Fatalf("group %s is walked, which has no member", g)
		}
	}
}

// TestLocalGroupsMany checks the walk over more groups than one lock covers, while they change.
func TestLocalGroupsMany(t *testing.T) {
	const groups = 2000
	l := channellayer.NewLocal(nil)
	a, _ := openQueue(l)
	for i := range groups {
		if _, err := l.Join(fmt.Sprint("steady.", i), a); err != nil {
			t.Fatal(err)
		}
	}
	seen := make(map[string]int)
	for group := range l.Groups() {
		seen[group]++
		if _, err := l.Join("passing."+group, a); err != nil { // no lock is held here
			t.Fatal(err)
		}
		l.Leave("passing."+group, a)
	}
	for i := range groups {
		if n := seen[fmt.Sprint("steady.", i)]; n != 1 {
			t.Fatalf("group %d was walked %d times, want once", i, n)
		}
	}
	for range l.Groups() {
		break // and a walk may end early
	}
}

// back is a Receiver that does what a receiver may: it goes back to the Local.
type back struct {
	local       *channellayer.Local
	own, others string
}

func (b *back) Receive(*channellayer.Delivery, int) bool {
	b.local.Close(b.own)
	b.local.Leave("g", b.others)
	return true
}

func TestLocalCallsReceiversWithoutLock(t *testing.T) {
	l := channellayer.NewLocal(nil)
	b := &back{local: l}
	b.others, _ = openQueue(l)
	b.own = l.Open("specific.a!", holding(1), b)
	for _, channel := range []string{b.others, b.own} {
		if _, err := l.Join("g", channel); err != nil {
			t.Fatal(err)
		}
	}
	if members := l.DeliverGroup("g", newDelivery("x")); members != 2 {
		t.Errorf("delivered to %d, want 2", members)
	}
	if got := l.Members("g"); got != 0 {
		t.Errorf("%d members are left, want 0", got)
	}
}

func TestLocalConcurrently(t *testing.T) {
	l := channellayer.NewLocal(nil)
	var busy sync.WaitGroup
	for range 8 {
		busy.Go(func() {
			for i := range 300 {
				name := l.Open("specific.a!", holding(10), channellayer.NewQueue())
				for g := range 3 {
					if _, err := l.Join(fmt.Sprint("g", g), name); err != nil {
						t.Error(err)
					}
				}
				l.DeliverGroup("g1", newDelivery("x"))
				l.Leave("g2", name)
				if i%3 > 0 {
					l.Close(name)
				}
			}
		})
	}
	busy.Wait()
	if got := l.Members("g0"); got != 800 || l.Members("g2") != 0 || l.Channels() != 800 {
		t.Errorf("%d members of g0, %d of g2, %d channels; want 800, 0, 800", got, l.Members("g2"), l.Channels())
	}
}
