package channellayer_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/belleville/belleville/channellayer"
)

// cart is a Carrier that brings nothing before it is told to.
type cart struct{ loads []channellayer.Load }

// Carry implements [channellayer.Carrier].
func (c *cart) Carry(load channellayer.Load) { c.loads = append(c.loads, load) }

// Idle implements [channellayer.Carrier].
func (c *cart) Idle() bool { return len(c.loads) == 0 }

// bring delivers all.
func (c *cart) bring() {
	for _, load := range c.loads {
		load.Deliver()
	}
	c.loads = nil
}

// rider is a Receiver whose events a cart brings.
type rider struct {
	*channellayer.Queue
	cart     *cart
	prepared *int
}

// Carrier implements [channellayer.Carried].
func (r rider) Carrier() channellayer.Carrier {
	if r.cart == nil {
		return nil
	}
	return r.cart
}

// Prepare implements [channellayer.Carried].
func (r rider) Prepare(*channellayer.Delivery) { *r.prepared++ }

// ride opens a channel in a group.
func ride(t *testing.T, l *channellayer.Local, c *cart, prepared *int) (name string, r rider) {
	t.Helper()
	r = rider{channellayer.NewQueue(), c, prepared}
	name = l.Open("specific.a!", holding(2), r)
	if _, err := l.Join("g", name); err != nil {
		t.Fatal(err)
	}
	return name, r
}

// types returns the types of the events that a Receiver has, in their order.
func types(t *testing.T, q *channellayer.Queue) (types []string) {
	t.Helper()
	for q.Len() > 0 {
		e, err := q.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, e.Type())
	}
	return types
}

func TestACarrierBringsAGroupsEvents(t *testing.T) {
	var became outcome
	l := channellayer.NewLocal(became.tally)
	var one, two cart
	prepared := 0
	_, a := ride(t, l, &one, &prepared)
	_, b := ride(t, l, &one, &prepared)
	_, c := ride(t, l, &two, &prepared)
	_, free := ride(t, l, nil, &prepared)

	if members := l.DeliverGroup("g", newDelivery("first")); members != 4 {
		t.Errorf("the group has %d members, want 4", members)
	}
	if free.Len() != 1 || a.Len()+b.Len()+c.Len() != 0 || became != (outcome{1, 0}) {
		t.Errorf("before anything was carried %d, %d, %d, %d events were delivered, %v counted; want only the last",
			a.Len(), b.Len(), c.Len(), free.Len(), became)
	}
	if len(one.loads) != 1 || one.loads[0].Len() != 2 || len(two.loads) != 1 || two.loads[0].Len() != 1 || prepared != 2 {
		t.Errorf("the carriers have %v and %v, prepared %d times; want a load each, of two and of one", one.loads, two.loads, prepared)
	}
	for _, e := range []string{"second", "third"} {
		l.DeliverGroup("g", newDelivery(e))
	}
	one.bring()
	two.bring()
	for i, r := range []rider{a, b, c, free} {
		if got := types(t, r.Queue); !slices.Equal(got, []string{"first", "second"}) {
			t.Errorf("receiver %d has %v, want the first two events, of which it holds two", i, got)
		}
	}
	if became != (outcome{8, 4}) {
		t.Errorf("counted %v, want 8 delivered and 4 dropped", became)
	}
}

func TestWhatIsSentToOneChannelOvertakesNothing(t *testing.T) {
	var became outcome
	l := channellayer.NewLocal(became.tally)
	var c cart
	prepared := 0
	name, r := ride(t, l, &c, &prepared)
	l.DeliverGroup("g", newDelivery("to all"))
	for _, e := range []string{"to one", "one too many"} {
		if err := l.Deliver(name, newDelivery(e)); err != nil {
			t.Errorf("while events wait Deliver = %v, want no error", err)
		}
	}
	c.bring()
	if err := l.Deliver(name, newDelivery("full")); !errors.Is(err, channellayer.ErrFull) {
		t.Errorf("with an idle carrier Deliver = %v, want ErrFull", err)
	}
	if got := types(t, r.Queue); !slices.Equal(got, []string{"to all", "to one"}) {
		t.Errorf("received %v", got)
	}
	if became != (outcome{2, 2}) {
		t.Errorf("counted %v, want 2 delivered and 2 dropped", became)
	}
}

func TestACarrierIsForgottenWithItsLastChannel(t *testing.T) {
	l := channellayer.NewLocal(nil)
	prepared := 0
	var stays cart
	_, other := ride(t, l, &stays, &prepared)
	for i := range 3 { // each takes the place of the one before
		var c cart
		first, _ := ride(t, l, &c, &prepared)
		second, r := ride(t, l, &c, &prepared)
		l.Close(first)
		l.DeliverGroup("g", newDelivery(fmt.Sprint(i)))
		if len(c.loads) != 1 || c.loads[0].Len() != 1 {
			t.Fatalf("with one channel closed the carrier has %v, want one load for the other", c.loads)
		}
		l.Close(second)
		c.bring() // what was under way arrives, as without a carrier
		if got := types(t, r.Queue); !slices.Equal(got, []string{fmt.Sprint(i)}) {
			t.Errorf("received %v", got)
		}
		l.DeliverGroup("g", newDelivery("later"))
		if len(c.loads) != 0 {
			t.Errorf("without a channel the carrier has %v", c.loads)
		}
		stays.bring()
		types(t, other.Queue)
	}
}
