package server

import (
	"net/netip"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

func TestHandshakesHaveARate(t *testing.T) {
	type try struct {
		client string
		tick   int64
		want   bool
	}
	tests := []struct {
		name        string
		rate, burst int
		tries       []try
	}{
		{"no limit by default", 0, 0, []try{{"192.0.2.1", 0, true}, {"192.0.2.1", 0, true}, {"192.0.2.1", 0, true}}},
		{"a burst, then no more", 1, 2, []try{{"192.0.2.1", 0, true}, {"192.0.2.1", 0, true}, {"192.0.2.1", 0, false}}},
		{"one more with time", 2, 2, []try{{"192.0.2.1", 0, true}, {"192.0.2.1", 0, true}, {"192.0.2.1", 499, false}, {"192.0.2.1", 500, true}, {"192.0.2.1", 501, false}}},
		{"a refusal costs nothing", 1, 1, []try{{"192.0.2.1", 0, true}, {"192.0.2.1", 1, false}, {"192.0.2.1", 999, false}, {"192.0.2.1", 1000, true}}},
		{"rest is saved up to the burst", 1, 2, []try{{"192.0.2.1", 0, true}, {"192.0.2.1", 90_000, true}, {"192.0.2.1", 90_000, true}, {"192.0.2.1", 90_000, false}}},
		{"another address has its own", 1, 1, []try{{"192.0.2.1", 0, true}, {"192.0.2.2", 0, true}, {"192.0.2.1", 0, false}}},
		{"a network of IPv6 is one", 1, 1, []try{{"2001:db8::1", 0, true}, {"2001:db8::2", 0, false}, {"2001:db8:0:1::1", 0, true}}},
		{"what was forgotten was not needed", 1, 1, []try{{"192.0.2.1", 0, true}, {"192.0.2.2", 1001, true}, {"192.0.2.1", 1001, true}, {"192.0.2.1", 1500, false}, {"192.0.2.2", 2002, true}, {"192.0.2.1", 2000, false}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newAddressRates(tt.rate, tt.burst)
			for i, try := range tt.tries {
				if got := r.allow(netip.MustParseAddr(try.client), try.tick); got != try.want {
					t.Errorf("try %d: allow(%s) at %d = %v, want %v", i, try.client, try.tick, got, try.want)
				}
			}
		})
	}
}

func TestRatesRememberABoundedNumberOfAddresses(t *testing.T) {
	r := newAddressRates(1, 1)
	for i := range 4 * maxBuckets {
		r.allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 0)
	}
	if n := len(r.now) + len(r.then); n > 2*maxBuckets {
		t.Errorf("%d addresses are remembered, want at most %d", n, 2*maxBuckets)
	}
}

// T33: who sends more than is allowed is read from more slowly, and loses nothing; who never rests is closed.
func TestAFloodIsHeldBackThenClosed(t *testing.T) {
	b := newLab(Config{MessageRate: 5, MessageBurst: 10}).open(t)
	message := []byte{0x82, 0x80, 0, 0, 0, 0}
	flood := func(n int) (all []byte) {
		for range n {
			all = append(all, message...)
		}
		return all
	}
	if b.feed(flood(15)) || b.mayRead() {
		t.Fatal("a flood is read on from")
	}
	if got := b.passed.messagesIn.Load(); got != 10 {
		t.Errorf("%v messages were taken at once, want 10", got)
	}
	b.heard -= ticksInSecond
	b.expire(b.server.clock.now())
	if b.wanted()&wantRead == 0 || !b.mayRead() {
		t.Fatal("a second later nothing more is read")
	}
	b.resume()
	if got := b.passed.messagesIn.Load(); got != 15 {
		t.Errorf("%v messages were taken after a second, want 15", got)
	}
	for range 40 {
		b.feed(flood(10))
		b.heard -= ticksInSecond
		b.expire(b.server.clock.now())
		b.wanted()
		for !b.resume() && !b.starved { // its consumer has enough for now
			<-b.wakeups
			b.wanted()
		}
	}
	b.settle(t)
	if _, _, sent := b.finish(t); sent != consumers.ClosePolicyViolation {
		t.Errorf("closed with %d, want 1008", sent)
	}
}

func TestAUserHasALimitOfConnections(t *testing.T) {
	l := newLab(Config{MaxConnectionsPerUser: 2})
	pk := func(n int64) *djangocompat.User { return &djangocompat.User{PK: djangocompat.IntPK(n), Username: "u"} }
	a := l.server.admission
	var first, second, third, other, nobody, late ticket
	for _, tk := range []*ticket{&first, &second, &third, &other, &nobody} {
		*tk, _ = a.admit()
	}
	if !a.join(&first, pk(1)) || !a.join(&second, pk(1)) {
		t.Fatal("as many as are allowed were refused")
	}
	if a.join(&third, pk(1)) {
		t.Error("one more was let in")
	}
	if !a.join(&other, pk(2)) || !a.join(&nobody, new(djangocompat.User)) {
		t.Error("others were refused")
	}
	a.release(&first)
	if !a.join(&third, pk(1)) {
		t.Error("a place that was given back is not free")
	}
	for _, tk := range []*ticket{&second, &third, &other, &nobody} {
		a.release(tk)
	}
	late, _ = a.admit()
	a.release(&late)
	if !a.join(&late, pk(1)) || len(a.byUser) != 0 {
		t.Errorf("%d users are counted though nobody is there", len(a.byUser))
	}
}
