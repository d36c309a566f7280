package membership_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/membership"
)

var errAway = errors.New("the server is away")

// lab is a Table, and a server that notes what it is told.
type lab struct {
	t     *testing.T
	table *membership.Table
	names map[string]string // of channels, by what the test calls them

	mu     sync.Mutex // guards the fields below
	knows  map[string]bool
	told   int   // representatives that were added
	answer error // to the next ones
	hold   chan struct{}
}

func newLab(t *testing.T, channels ...string) *lab {
	t.Helper()
	suffix := func(group string) string { return membership.Suffix(50, group) }
	l := &lab{t: t, table: membership.New(channellayer.NewLocal(nil), suffix), knows: make(map[string]bool), names: make(map[string]string)}
	for _, channel := range channels {
		name, err := l.table.Open("specific.a!", channellayer.NewCapacities(100, nil), channellayer.NewQueue())
		if err != nil {
			t.Fatal(err)
		}
		l.names[channel] = name
	}
	return l
}

func (l *lab) register(_ context.Context, group string) error {
	if l.hold != nil {
		<-l.hold
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told++
	if l.answer == nil {
		l.knows[group] = true
	}
	return l.answer
}

func (l *lab) join(group, channel string) error {
	return l.table.Join(l.t.Context(), group, l.names[channel], l.register)
}

func (l *lab) mustJoin(group, channel string) {
	l.t.Helper()
	if err := l.join(group, channel); err != nil {
		l.t.Fatalf("Join(%s, %s) = %v", group, channel, err)
	}
}

// wantTold wants the server to have been told of so many representatives.
func (l *lab) wantTold(want int) {
	l.t.Helper()
	if l.told != want {
		l.t.Errorf("the server was told of %d representatives, want %d", l.told, want)
	}
}

// wantLingering wants these groups to be about to leave, and leaves, where err says that it failed.
func (l *lab) wantLingering(err error, want ...string) {
	l.t.Helper()
	got := l.table.StartLeaving(time.Now(), math.MaxInt)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		l.t.Errorf("these groups linger: %v, want %v", got, want)
	}
	l.table.DoneLeaving(got, err)
}

func TestTable(t *testing.T) {
	tests := []struct {
		name string
		do   func(t *testing.T, l *lab)
	}{
		{"the server is told of the first member alone", func(_ *testing.T, l *lab) {
			l.mustJoin("room", "a")
			l.mustJoin("room", "b")
			l.wantTold(1)
		}},
		{"a group lingers when the last has left", func(_ *testing.T, l *lab) {
			l.mustJoin("room", "a")
			l.mustJoin("room", "b")
			l.table.Leave("room", l.names["a"])
			l.wantLingering(nil)
			l.table.Close(l.names["b"])
			l.wantLingering(nil, "room")
			l.wantLingering(nil)
		}},
		{"who comes while it lingers costs nothing", func(_ *testing.T, l *lab) {
			l.mustJoin("room", "a")
			l.table.Leave("room", l.names["a"])
			l.mustJoin("room", "b")
			l.wantTold(1)
			l.wantLingering(nil)
		}},
		{"unless the server may have forgotten it", func(_ *testing.T, l *lab) {
			l.mustJoin("room", "a")
			l.table.Leave("room", l.names["a"])
			l.table.Doubt()
			l.mustJoin("room", "b")
			l.wantTold(2)
		}},
		{"or what was to be removed may not be there", func(_ *testing.T, l *lab) {
			l.mustJoin("room", "a")
			l.table.Leave("room", l.names["a"])
			l.wantLingering(errAway, "room")
			l.mustJoin("room", "b")
			l.wantTold(2)
		}},
		{"who could not be told of is no member, and the group lingers", func(t *testing.T, l *lab) {
			l.answer = errAway
			if err := l.join("room", "a"); !errors.Is(err, errAway) {
				t.Errorf("Join = %v, want %v", err, errAway)
			}
			if l.table.IsMember(l.names["a"], "room") {
				t.Error("it is a member")
			}
			l.answer = nil
			l.wantLingering(errAway, "room")
			l.mustJoin("room", "a")
			l.wantTold(2)
		}},
		{"Leave says whether there was a membership", func(t *testing.T, l *lab) {
			l.mustJoin("room", "a")
			if got := l.table.Leave("room", l.names["b"]); got {
				t.Error("Leave(b) = true, want false")
			}
			if got := l.table.Leave("room", l.names["a"]); !got {
				t.Error("Leave(a) = false, want true")
			}
		}},
		{"IsMember changes nothing", func(t *testing.T, l *lab) {
			l.mustJoin("room", "a")
			for channel, want := range map[string]bool{"a": true, "b": false, "unknown": false} {
				if got := l.table.IsMember(l.names[channel], "other", "room"); got != want {
					t.Errorf("IsMember(%s) = %v, want %v", channel, got, want)
				}
			}
			if l.table.Leave("room", l.names["b"]) {
				t.Error("b was made a member")
			}
		}},
		{"a group that nobody is in lingers when it is met", func(_ *testing.T, l *lab) {
			l.mustJoin("lively", "a")
			l.table.Linger("lively")
			l.table.Linger("ghost")
			l.wantLingering(nil, "ghost")
		}},
		{"a closed channel joins nothing", func(t *testing.T, l *lab) {
			l.table.Close(l.names["a"])
			if err := l.join("room", "a"); !errors.Is(err, channellayer.ErrNoChannel) {
				t.Errorf("Join = %v, want ErrNoChannel", err)
			}
			l.wantTold(0)
		}},
		{"after the end no channel opens", func(t *testing.T, l *lab) {
			l.table.End()
			if _, err := l.table.Open("specific.a!", channellayer.NewCapacities(100, nil), channellayer.NewQueue()); !errors.Is(err, channellayer.ErrClosed) {
				t.Errorf("Open = %v, want ErrClosed", err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.do(t, newLab(t, "a", "b")) })
	}
}

func TestWhoJoinsWaits(t *testing.T) {
	t.Run("for the representative that another one adds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, "a", "b")
			l.hold = make(chan struct{})
			joined := make(chan error, 2)
			for _, channel := range []string{"a", "b"} {
				go func() { joined <- l.join("room", channel) }()
			}
			synctest.Wait()
			if len(joined) > 0 {
				t.Error("one has joined before the server knows")
			}
			close(l.hold)
			if a, b := <-joined, <-joined; a != nil || b != nil {
				t.Errorf("Join = %v and %v, want nil", a, b)
			}
			l.wantTold(1)
		})
	})
	t.Run("until it is removed, and adds it again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, "a", "b")
			l.mustJoin("room", "a")
			l.table.Leave("room", l.names["a"])
			leaving := l.table.StartLeaving(time.Now(), math.MaxInt)
			joined := make(chan error, 1)
			go func() { joined <- l.join("room", "b") }()
			synctest.Wait()
			if len(joined) > 0 {
				t.Error("it has joined while the representative is being removed")
			}
			l.table.DoneLeaving(leaving, nil)
			if err := <-joined; err != nil {
				t.Errorf("Join = %v, want nil", err)
			}
			l.wantTold(2)
		})
	})
	t.Run("as long as its context lasts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, "a", "b")
			l.mustJoin("room", "a")
			l.table.Leave("room", l.names["a"])
			l.table.StartLeaving(time.Now(), math.MaxInt)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := l.table.Join(ctx, "room", l.names["b"], l.register); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Join = %v, want %v", err, context.DeadlineExceeded)
			}
		})
	})
}

func TestStartLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, "a")
		for _, group := range []string{"first", "second", "third"} {
			l.mustJoin(group, "a")
			l.table.Leave(group, l.names["a"])
			<-time.After(time.Second)
		}
		if got := l.table.StartLeaving(time.Now().Add(-4*time.Second), math.MaxInt); len(got) != 0 {
			t.Errorf("groups that have not lingered for 4 s leave: %v", got)
		}
		if got := l.table.StartLeaving(time.Now(), 2); len(got) != 2 {
			t.Errorf("%d groups leave, want the 2 that were asked for", len(got))
		}
		if got := l.table.StartLeaving(time.Now(), math.MaxInt); len(got) != 1 {
			t.Errorf("%d groups leave, want the one that was not leaving", len(got))
		}
	})
}

func TestSuffix(t *testing.T) {
	long := strings.Repeat("x", 60)
	tests := []struct {
		name   string
		suffix func(l *lab) string
		group  string
		known  bool
	}{
		{"a short name stands there itself", func(*lab) string { return membership.Suffix(50, "room") }, "room", true},
		{"a long one by its hash, which its members know", func(l *lab) string { l.mustJoin(long, "a"); return membership.Suffix(50, long) }, long, true},
		{"a hash of what nobody is in is unknown", func(*lab) string { return membership.Suffix(50, long) }, "", false},
		{"it is known until the representative is removed", func(l *lab) string {
			l.mustJoin(long, "a")
			l.table.Leave(long, l.names["a"])
			return membership.Suffix(50, long)
		}, long, true},
		{"and no longer", func(l *lab) string {
			l.mustJoin(long, "a")
			l.table.Leave(long, l.names["a"])
			l.wantLingering(nil, long)
			return membership.Suffix(50, long)
		}, "", false},
		{"a group without a name is none", func(*lab) string { return "g." }, "", false},
		{"a connection stands for nobody else", func(*lab) string { return "0123456789abcdef" }, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, "a")
			suffix := tt.suffix(l)
			if len(suffix) > 50 {
				t.Errorf("the suffix has %d bytes, want no more than 50", len(suffix))
			}
			if got, known := l.table.Represented(suffix); got != tt.group || known != tt.known {
				t.Errorf("Represented(%q) = %q, %v, want %q, %v", suffix, got, known, tt.group, tt.known)
			}
		})
	}
}
