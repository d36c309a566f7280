package server

import (
	"testing"
	"time"
)

func TestTheWheelLooksInTime(t *testing.T) {
	tests := []struct {
		name string
		due  int64
		want int64 // the tick after which it is looked at
	}{
		{"what is overdue comes with the next step", -5, wheelStep},
		{"what is due now comes with the next step", 0, wheelStep},
		{"what is due within a step comes at its end", wheelStep + 1, 2 * wheelStep},
		{"what is due on a step comes with the following one", 2 * wheelStep, 3 * wheelStep},
		{"what is due beyond the wheel comes as late as it reaches", 1 << 40, (wheelSlots - 1) * wheelStep},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var w wheel
			w.add(timerEntry{1, 1}, tt.due)
			got := int64(-1)
			for now := int64(0); now < 2*wheelSlots*wheelStep; now += 5 {
				w.advance(now, func(e timerEntry) {
					if e != (timerEntry{1, 1}) || got >= 0 {
						t.Fatalf("looked at %v at %d, after %d", e, now, got)
					}
					got = now
				})
			}
			if got != tt.want {
				t.Errorf("looked at %d, want %d", got, tt.want)
			}
		})
	}
}

// entries counts what is in a wheel.
func (w *wheel) entries() (n int) {
	for _, slot := range w.slots {
		n += len(slot)
	}
	return n
}

func TestRescheduledConnectionsDoNotFillTheWheel(t *testing.T) {
	lab := newLab(Config{})
	l := &loop{server: lab.server}
	b := lab.open(t)
	b.fd, b.gen = 1, 1
	l.conns = append(l.conns, b.conn)
	l.remember(b.conn, 5000)
	for now := int64(0); now < 600_000; now += 100 {
		b.heard = now // so that nothing is due but what is asked for here
		l.remember(b.conn, now+30_000)
		l.remember(b.conn, now+20_000)
		l.wheel.advance(now, func(e timerEntry) { l.look(e, now) })
	}
	// Two a round, and a wheel's turn is 32 s long: no entry outlives its own time.
	if n, most := l.wheel.entries(), 2*32_000/100; n > most {
		t.Errorf("%d entries, want at most %d", n, most)
	}
	for now := int64(600_000); now < 700_000; now += 100 {
		b.heard = now
		l.wheel.advance(now, func(e timerEntry) { l.look(e, now) })
	}
	if n := l.wheel.entries(); n != 1 {
		t.Errorf("%d entries for one connection that was left alone, want 1", n)
	}
}

func TestAShortAgeIsNoticedInTime(t *testing.T) {
	const age = 3000
	lab := newLab(Config{MaxAge: age * time.Millisecond})
	l := &loop{server: lab.server}
	b := lab.open(t)
	b.fd, b.gen = 1, 1
	l.conns = append(l.conns, b.conn)
	l.remember(b.conn, ticks(lab.server.cfg.Load().HandshakeTimeout)) // as it was before it was open
	l.reschedule(b.conn, open)
	if b.due > b.heard+age {
		t.Errorf("it is looked at %d ms after it was opened, want %d at most", b.due-b.heard, age)
	}
	b.finish(t)
}
