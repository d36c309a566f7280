package server_test

import (
	"testing"
	"time"
)

// contender is one of those that a benchmark compares.
type contender struct {
	name string
	// prepare gets it ready, until the end of the benchmark that it is given.
	prepare func(b *testing.B) runner
}

// runner is a contender that is ready.
type runner struct {
	turn   func()                    // does what is measured; a few hundredths of a second's worth
	finish func() map[string]float64 // called after the last turn; returns figures of its own by unit. May be nil
}

// bill is what all turns of a contender have used.
type bill struct {
	turns          int
	wall, cpu      time.Duration
	user           time.Duration
	mallocs, bytes uint64
	own            map[string]float64
}

// inTurns makes a benchmark of each contender, one operation of which is one of the units of a turn. They are measured
// at the same time, in turns, by whichever benchmark is the first: the machine is faster in one second than in
// another, and a ratio is to be of the contenders.
func inTurns(b *testing.B, network string, units int, contenders ...contender) {
	b.Helper()
	var bills []bill
	for i, c := range contenders {
		b.Run(c.name+"/"+network, func(b *testing.B) {
			if bills == nil {
				bills = compete(b, contenders)
			}
			bills[i].report(b, units)
		})
	}
}

// compete lets the contenders have their turns until the time of the benchmark is over.
func compete(b *testing.B, contenders []contender) []bill {
	b.Helper()
	bills, runners := make([]bill, len(contenders)), make([]runner, len(contenders))
	for i, c := range contenders {
		runners[i] = c.prepare(b)
	}
	for b.Loop() {
		for i, r := range runners {
			before := used(b)
			r.turn()
			bills[i].add(before, used(b))
		}
	}
	for i, r := range runners {
		if r.finish != nil {
			bills[i].own = r.finish()
		}
	}
	return bills
}

// add adds a turn.
func (l *bill) add(before, after usage) {
	l.turns++
	l.wall += after.at.Sub(before.at)
	l.cpu += after.cpu - before.cpu
	l.user += after.user - before.user
	l.mallocs += after.mallocs - before.mallocs
	l.bytes += after.bytes - before.bytes
}

// report turns the bill into the figures of one unit. CPU is user and system time of the server's process alone.
func (l *bill) report(b *testing.B, units int) {
	b.Helper()
	b.ReportAllocs()
	n := float64(l.turns) * float64(units)
	b.ReportMetric(float64(l.wall.Nanoseconds())/n, "ns/op")
	b.ReportMetric(float64(l.cpu.Nanoseconds())/n, "cpu-ns/op")
	b.ReportMetric(float64(l.user.Nanoseconds())/n, "user-ns/op")
	b.ReportMetric(float64(l.mallocs)/n, "allocs/op")
	b.ReportMetric(float64(l.bytes)/n, "B/op")
	for unit, value := range l.own {
		b.ReportMetric(value, unit)
	}
}
