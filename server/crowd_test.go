package server

import "testing"

func TestConnectionsAreACrowdOnlyInCloseSuccession(t *testing.T) {
	var c crowd
	for now := int64(10); now < 1000; now += crowdGap + 1 {
		if c.joined(now); c.lasts(now) {
			t.Fatalf("one that comes %d ticks behind another is a crowd", crowdGap+1)
		}
	}
	c.joined(2000)
	c.joined(2000 + crowdGap)
	if !c.lasts(2000 + crowdGap) {
		t.Errorf("two with %d tick between them are none", crowdGap)
	}
	if !c.lasts(2000+crowdGap+crowdLinger-1) || c.lasts(2000+crowdGap+crowdLinger) {
		t.Errorf("a crowd does not end %d ticks behind the last that came", crowdLinger)
	}
}
