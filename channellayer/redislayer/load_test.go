package redislayer_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/redistest"
)

// checker is a Receiver that proves that events came once and in order.
type checker struct {
	mu    sync.Mutex // guards the fields below
	next  int64
	gone  int // numbers that were left out
	wrong int // numbers that came twice or too late
	came  int
	gaps  int
}

func (c *checker) Receive(d *channellayer.Delivery, _ int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.Event.Type() == redislayer.GapType {
		c.gaps++
		return true
	}
	n, _ := d.Event["n"].(int64)
	if n < c.next {
		c.wrong++
	} else {
		c.gone += int(n - c.next)
		c.next = n + 1
	}
	c.came++
	return true
}

func (c *checker) state() (came, gone, wrong int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.came, c.gone, c.wrong
}

// last returns the number of the last event.
func (c *checker) last() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next - 1
}

// announced returns how many gaps there were.
func (c *checker) announced() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gaps
}

// TestBurstFromDjango has Django send to a group as fast as it can, with its default capacity of 100. What does
// not arrive must be what Django knows that it has dropped.
func TestBurstFromDjango(t *testing.T) {
	for _, tt := range []struct{ sockets, sends int }{{200, 10_000}, {2_000, 1_000}} { // row F26 has ten thousand sockets
		t.Run(fmt.Sprint(tt.sockets, " sockets, ", tt.sends, " sends"), func(t *testing.T) {
			if testing.Short() {
				tt.sends /= 10
			}
			server := redistest.Open(t)
			s := site{ // on a machine that is slow, but not deaf
				ours:   open(t, redislayer.Config{Hosts: hosts(t, server), Heartbeat: time.Minute}),
				django: startPeer(t, "core", map[string]any{"hosts": []string{server.URL()}}),
			}
			checkers := make([]*checker, tt.sockets)
			for i := range checkers {
				checkers[i] = new(checker)
				name, err := s.ours.NewChannel(t.Context(), checkers[i])
				must(t, err)
				must(t, s.ours.GroupAdd(t.Context(), "room", name))
			}
			took := s.django.burst("room", tt.sends, 0)
			t.Cleanup(func() {
				if came, _, _ := checkers[0].state(); t.Failed() {
					t.Logf("%d have come to socket 0, with %d gaps; Django dropped %d", came, checkers[0].announced(), took.Dropped)
				}
			})
			for i, c := range checkers {
				waitUntil(t, fmt.Sprint("all has come to socket ", i), func() bool {
					came, _, _ := c.state()
					return came+took.Dropped >= tt.sends
				})
				if came, _, wrong := c.state(); came+took.Dropped != tt.sends || wrong > 0 {
					t.Errorf("socket %d: %d came, %d of them twice or late, and Django dropped %d of %d", i, came, wrong, took.Dropped, tt.sends)
				}
			}
			t.Logf("%d sends at %.0f a second, %d dropped by Django", tt.sends, float64(tt.sends)/took.Seconds, took.Dropped)
		})
	}
}

// TestCutUnderLoad cuts all connections while a process sends: nothing comes twice or late, and every cut is announced.
func TestCutUnderLoad(t *testing.T) {
	const sends, cuts = 3_000, 3
	server := redistest.Open(t)
	c := redislayer.Config{Hosts: hosts(t, server)}
	ours, other := open(t, c), open(t, c)
	check := new(checker)
	name, err := ours.NewChannel(t.Context(), check)
	must(t, err)
	must(t, ours.GroupAdd(t.Context(), "room", name))
	failed := 0
	for n := range sends {
		if n%(sends/cuts) == sends/cuts/2 {
			server.Do(t, "CLIENT", "KILL", "TYPE", "normal")
		}
		if other.GroupSend(t.Context(), "room", channellayer.Event{"type": "numbered", "n": int64(n)}) != nil {
			failed++
		}
	}
	ready(t, ours)
	ready(t, other)
	must(t, other.GroupSend(t.Context(), "room", channellayer.Event{"type": "numbered", "n": int64(sends)}))
	waitUntil(t, "the last event has come", func() bool { return check.last() == sends })
	came, gone, wrong := check.state()
	if wrong > 0 {
		t.Errorf("%d events came twice or late, want none", wrong)
	}
	if gaps := check.announced(); gaps < cuts {
		t.Errorf("%d gaps were announced, want %d", gaps, cuts)
	}
	t.Logf("%d came; %d did not, of which %d sends had returned an error", came, gone, failed)
}

// TestGroupSendCostsDjangoTheSame compares a group of 1 with one of 15,000, both in one process of ours.
func TestGroupSendCostsDjangoTheSame(t *testing.T) {
	server := redistest.Open(t)
	s := openSite(t, []*redistest.Server{server}, encryption{})
	join := func(group string, n int) {
		for range n {
			name, err := s.ours.NewChannel(t.Context(), new(checker))
			must(t, err)
			must(t, s.ours.GroupAdd(t.Context(), group, name))
		}
	}
	join("small", 1)
	join("large", 15_000)
	for _, group := range []string{"small", "large"} {
		members := server.DoLines(t, "ZRANGE", "asgi:group:"+group, "0", "-1")
		if len(members) != 1 || !strings.HasSuffix(members[0], "!g."+group) {
			t.Errorf("members of the %s group: %q, want its representative", group, members)
		}
	}
	const (
		sends, rounds = 100, 5
		pause         = 6 * time.Millisecond // in which ours has done its work, so that the two do not compete
	)
	least := map[string]float64{}
	for range rounds { // the least of several, for others use this machine too
		for _, group := range []string{"small", "large"} {
			took := s.django.burst(group, sends, pause)
			if best := least[group]; best == 0 || took.CPU < best {
				least[group] = took.CPU
			}
		}
	}
	ratio := least["large"] / least["small"]
	t.Logf("CPU for a group of 15,000 is %.2f times that for a group of 1 (%.0f µs a send)", ratio, least["small"]/sends*1e6)
	// Channels' own members make it 85 times as much; what others do on this machine makes a little more.
	if ratio > 3 {
		t.Errorf("CPU for a group of 15,000 is %.2f times that for a group of 1, want about 1", ratio)
	}
}
