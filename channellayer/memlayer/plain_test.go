package memlayer

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// TestForgetting checks that what nobody uses any more does not gather.
func TestForgetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{Expiry: time.Second, GroupExpiry: time.Second})
		ctx, e := t.Context(), channellayer.Event{"type": "x"}
		for i := range 5000 {
			if err := l.Send(ctx, fmt.Sprint("jobs.", i), e); err != nil {
				t.Fatal(err)
			}
			if err := l.GroupAdd(ctx, fmt.Sprint("group.", i), "jobs"); err != nil {
				t.Fatal(err)
			}
			<-time.After(10 * time.Millisecond) // so that some hundred are fresh at any time
		}
		if got := len(l.plain.mailboxes); got > 1000 {
			t.Errorf("%d mailboxes are kept", got)
		}
		if got := len(l.members.groups); got > 1000 {
			t.Errorf("%d groups are kept", got)
		}
		if err := l.GroupDiscard(ctx, "group.4999", "jobs"); err != nil {
			t.Fatal(err)
		}
		if _, kept := l.members.groups["group.4999"]; kept {
			t.Error("a group without members is kept")
		}
	})
}

// TestPutBackKeepsOrder checks that an event that a listener could not take is the next one again.
func TestPutBackKeepsOrder(t *testing.T) {
	p := newPlainChannels()
	m := p.listen("jobs")
	for _, typ := range []string{"1", "2", "3"} {
		if !p.put("jobs", channellayer.NewDelivery(channellayer.Event{"type": typ}, time.Time{}), 3) {
			t.Fatalf("event %s was refused", typ)
		}
	}
	p.putBack(m, p.take(m))
	for _, want := range []string{"1", "2", "3"} {
		d, err := p.next(t.Context(), m)
		if err != nil || d.Event.Type() != want {
			t.Fatalf("got %v, error %v; want event %s", d, err, want)
		}
	}
	p.leave(m)
	if got := len(p.mailboxes); got != 0 {
		t.Errorf("%d mailboxes are kept, want 0", got)
	}
}
