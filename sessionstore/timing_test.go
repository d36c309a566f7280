package sessionstore

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

// TestT08NoHashIsGuessed measures whether the time of a verdict tells how much of an auth hash was right: hashes that
// differ in the first character against those that differ in the last. A machine that does other things may
// spoil one measurement, not all of them.
func TestT08NoHashIsGuessed(t *testing.T) {
	keys := djangocompat.NewKeys("a key")
	s := &Store{cfg: Config{Keys: keys}.withDefaults()}
	row := userRow{user: &djangocompat.User{PK: djangocompat.IntPK(1), IsActive: true}, password: "pbkdf2_sha256$1$x$y"}
	right := djangocompat.SessionAuthHash(keys, row.password)
	changed := func(i int) string {
		other := "0"
		if right[i] == '0' {
			other = "1"
		}
		return right[:i] + other + right[i+1:]
	}
	classes := [2]string{changed(0), changed(len(right) - 1)}
	if s.verifyHash(row, right) != LoggedIn || s.verifyHash(row, classes[0]) != HashMismatch || s.verifyHash(row, classes[1]) != HashMismatch {
		t.Fatal("the verdicts are not what they should be")
	}
	var score float64
	for range 5 {
		if score = welch(measure(s, row, classes)); math.Abs(score) < 4.5 {
			return
		}
	}
	t.Errorf("t = %.1f in each of five measurements, want less than 4.5", score)
}

// measure times 5000 verdicts of each class, in random order, and leaves out the slowest tenth: those that were
// interrupted.
func measure(s *Store, row userRow, classes [2]string) [2][]float64 {
	var times [2][]float64
	for len(times[0]) < 5000 || len(times[1]) < 5000 {
		class := rand.IntN(2)
		hash := strings.Clone(classes[class])
		began := time.Now()
		for range 4 {
			s.verifyHash(row, hash)
		}
		times[class] = append(times[class], float64(time.Since(began)))
	}
	for i := range times {
		slices.Sort(times[i])
		times[i] = times[i][:4500]
	}
	return times
}

// welch returns Welch's t of two samples.
func welch(times [2][]float64) float64 {
	var mean, variance [2]float64
	for i, sample := range times {
		for _, x := range sample {
			mean[i] += x / float64(len(sample))
		}
		for _, x := range sample {
			variance[i] += (x - mean[i]) * (x - mean[i]) / float64(len(sample)-1)
		}
		variance[i] /= float64(len(sample))
	}
	return (mean[0] - mean[1]) / math.Sqrt(variance[0]+variance[1]+1e-9)
}
