package server

import (
	"testing"
	"time"
)

// Connections that came together do not go together, and none stays longer than it may.
func TestAgesAreScattered(t *testing.T) {
	l := newLab(Config{MaxAge: time.Hour})
	hour, tenths := ticks(time.Hour), make(map[int64]int)
	for i := range 10_000 {
		c := &conn{server: l.server, gen: uint32(i), port: uint16(i)}
		age := c.endOfAge(5000) - 5000
		if age > hour || age < hour-hour/10 {
			t.Fatalf("it is closed after %v", time.Duration(age)*time.Millisecond)
		}
		tenths[(hour-age)*10/(hour/10+1)]++
	}
	for i := range int64(10) {
		if n := tenths[i]; n < 800 || n > 1200 {
			t.Errorf("%d of 10000 in part %d of 10, want about 1000", n, i)
		}
	}
}

func TestAUsersConnectionsShareABudget(t *testing.T) {
	var u userBudget
	b := messageBudget{rate: 10, burst: 5}
	spend := func(now int64, n int) (left int) {
		for range n {
			if !u.take(b, now, 1000) {
				return left
			}
			left++
		}
		return left
	}
	if got := spend(0, 100); got != 4 { // after the fifth there is none
		t.Errorf("at once %d, want 4 more", got)
	}
	if u.take(b, 50, 0) || !u.take(b, 100, 0) {
		t.Error("there is one more after a tenth of a second, and none before")
	}
	if got := spend(1_000_000, 100); got != 4 {
		t.Errorf("after a rest %d, want 4 more", got)
	}
}
