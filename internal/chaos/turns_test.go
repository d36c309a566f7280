package chaos_test

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// turns is what honest clients met by turns: while nothing was wrong, and while somebody misbehaved.
type turns struct {
	calm, during       time.Duration // the medians of the 99th percentiles
	elsewhere          time.Duration // that of clients of another server meanwhile: what is the machine's and the clients' own
	calmCPU, duringCPU float64       // likewise, how much of a processor the server used
	failed             int           // clients that lost their connection
}

// measured are clients whose times are taken.
type measured interface {
	// took forgets what was measured so far, and returns the 99th percentile of it, and how many have lost their connection.
	took() (p99 time.Duration, failed int)
}

// inTurns has honest clients measured by turns of some time each, so that what else the machine does is in both. Each
// turn's misbehaviour begins before what it is measured in, and ends after it. There may be clients of another server,
// which nobody attacks.
func inTurns(t *testing.T, s *served, honest, elsewhere measured, rounds int, each time.Duration, misbehave func(t *testing.T)) turns {
	t.Helper()
	var p99, cpu, other [2][]time.Duration
	failed := 0
	measure := func(i int) {
		honest.took()
		if elsewhere != nil {
			elsewhere.took()
		}
		began := s.cpu()
		pass(each)
		if elsewhere != nil {
			took, _ := elsewhere.took()
			other[i] = append(other[i], took)
		}
		var took time.Duration
		took, failed = honest.took()
		p99[i], cpu[i] = append(p99[i], took), append(cpu[i], s.cpu()-began)
	}
	for range rounds {
		measure(0)
		t.Run("", func(t *testing.T) { // what it opens is closed at its end
			misbehave(t)
			measure(1)
		})
	}
	measure(0)
	share := func(i int) float64 { return float64(median(cpu[i])) / float64(each) }
	r := turns{calm: median(p99[0]), during: median(p99[1]), calmCPU: share(0), duringCPU: share(1), failed: failed}
	if elsewhere != nil {
		r.elsewhere = median(other[1])
	}
	return r
}

// median returns the one in the middle of times, whose order it changes.
func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// row prints what became of the honest. A time of a few milliseconds says little on a machine that does other things: a
// millisecond more is nothing in full, and a second in the small rows.
func (r turns) row(t *testing.T, id, what string, factor float64) {
	t.Helper()
	slack := size(time.Millisecond, time.Second)
	limit := max(time.Duration(factor*float64(r.calm)), r.calm+slack)
	row(t, r.failed == 0, id, what, fmt.Sprintf("%d honest clients dropped", r.failed), "0")
	row(t, r.during <= limit, id, what,
		fmt.Sprintf("p99 of the others %s, calm %s: %.2f times", milliseconds(r.during), milliseconds(r.calm), float64(r.during)/float64(r.calm)),
		fmt.Sprintf("%.1f times, or %v more", factor, slack))
}
