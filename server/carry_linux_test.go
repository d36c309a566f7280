package server

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/internal/netpoll"
)

// passenger is a Receiver that a loop carries to.
type passenger struct {
	loop *loop
	got  atomic.Int64
}

// Receive implements channellayer.Receiver.
func (p *passenger) Receive(*channellayer.Delivery, int) bool {
	p.got.Add(1)
	return true
}

// Carrier implements channellayer.Carried.
func (p *passenger) Carrier() channellayer.Carrier { return p.loop }

// Prepare implements channellayer.Carried.
func (*passenger) Prepare(*channellayer.Delivery) {}

// station is a loop that does not run, and a group of passengers, who are one.
func station(t *testing.T, members int) (l *loop, p *passenger, send func()) {
	t.Helper()
	poller, err := netpoll.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	l = &loop{server: newLab(Config{}).server, poller: poller, listener: -1}
	l.room.L = &l.mu
	p = &passenger{loop: l}
	local := channellayer.NewLocal(nil)
	for range members {
		if _, err := local.Join("all", local.Open("specific.a!", channellayer.NewCapacities(100, nil), p)); err != nil {
			t.Fatal(err)
		}
	}
	return l, p, func() {
		local.DeliverGroup("all", channellayer.NewDelivery(channellayer.Event{"type": "x"}, time.Time{}))
	}
}

func TestAFullLoopHoldsUpWhoSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const members = 4 << 10
		l, p, send := station(t, members)
		defer l.shut()
		for range maxFreight / members {
			send()
		}
		if l.Idle() || p.got.Load() != 0 {
			t.Errorf("before its turn the loop is idle: %v, and has brought %d", l.Idle(), p.got.Load())
		}
		var sent atomic.Bool
		go func() {
			send()
			sent.Store(true)
		}()
		synctest.Wait()
		if sent.Load() {
			t.Error("there was room for more than there is")
		}
		l.deliver() // as many as go in a row, and there is room again
		synctest.Wait()
		if got := p.got.Load(); got < loadsInARow*members || !sent.Load() {
			t.Errorf("%d were brought in a row, want %d at least; then there was room: %v", got, loadsInARow*members, sent.Load())
		}
		for !l.Idle() {
			l.deliver()
		}
		if got := p.got.Load(); got != maxFreight+members {
			t.Errorf("%d were brought, want %d", got, maxFreight+members)
		}
	})
}

func TestALoopThatEndsBringsWhatIsLeft(t *testing.T) {
	l, p, send := station(t, 3)
	send()
	l.shut()
	send() // it is too late for the loop
	if got := p.got.Load(); got != 6 {
		t.Errorf("%d were brought, want 6", got)
	}
}

func TestFreightKeepsItsOrder(t *testing.T) {
	// Loads differ in how many they are for; as many are put at a time as the name says, and half of them taken.
	for _, some := range []int{1, 2, 7, 64, 3000} {
		t.Run(fmt.Sprint(some), func(t *testing.T) {
			var f freight
			loads, next, want := trips(t, 5*some), 0, 0
			for len(loads) > next {
				for range min(some, len(loads)-next) {
					f.put(loads[next])
					next++
				}
				for range (some + 1) / 2 {
					wantLoad(t, &f, want)
					want++
				}
			}
			for ; want < len(loads); want++ {
				wantLoad(t, &f, want)
			}
			if load, ok := f.take(); ok || f.receivers != 0 || len(f.loads) != 0 || cap(f.loads) > keptLoads {
				t.Errorf("an empty freight gives %v, for %d receivers, and has room for %d", load, f.receivers, cap(f.loads))
			}
		})
	}
}

// hoard is a Carrier that keeps its loads.
type hoard struct{ loads []channellayer.Load }

// Carry implements channellayer.Carrier.
func (h *hoard) Carry(load channellayer.Load) { h.loads = append(h.loads, load) }

// Idle implements channellayer.Carrier.
func (*hoard) Idle() bool { return false }

// hoarded is a Receiver of a hoard's.
type hoarded struct {
	passenger
	hoard *hoard
}

// Carrier implements channellayer.Carried.
func (h *hoarded) Carrier() channellayer.Carrier { return h.hoard }

// trips returns loads that are for one, two, three receivers, and so on up to nine, again and again.
func trips(t *testing.T, n int) []channellayer.Load {
	t.Helper()
	local, h := channellayer.NewLocal(nil), new(hoard)
	for size := range 9 {
		for range size + 1 {
			name := local.Open("specific.a!", channellayer.NewCapacities(100, nil), &hoarded{hoard: h})
			if _, err := local.Join(fmt.Sprint("of.", size), name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range n {
		local.DeliverGroup(fmt.Sprint("of.", i%9), channellayer.NewDelivery(channellayer.Event{"type": "x"}, time.Time{}))
	}
	return h.loads
}

// wantLoad takes the load of a number.
func wantLoad(t *testing.T, f *freight, number int) {
	t.Helper()
	before := f.receivers
	load, ok := f.take()
	if size := number%9 + 1; !ok || load.Len() != size || f.receivers != before-size {
		t.Fatalf("load %d is there: %v, and for %d, want %d", number, ok, load.Len(), size)
	}
}
