package sessionstore

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/chaos"
)

// TestT08NoHashIsGuessed is security row T08: the time of a verdict does not tell how much of an auth hash, or of a
// signature, was right. It compares those that differ in the first character with those that differ in the last. How
// they compare is a figure of the full row alone.
func TestT08NoHashIsGuessed(t *testing.T) {
	keys := djangocompat.NewKeys("a key")
	s := &Store{cfg: Config{Keys: keys}.withDefaults()}
	s.keyed.Store(newKeyed(s.cfg))
	row := userRow{user: &djangocompat.User{PK: djangocompat.IntPK(1), IsActive: true}, password: "pbkdf2_sha256$1$x$y"}
	right := djangocompat.SessionAuthHash(keys, row.password)
	codec := djangocompat.SessionCodec{Keys: keys}
	text, err := codec.EncodeBytes([]byte(`{"_auth_user_id":"1"}`))
	if err != nil {
		t.Fatal(err)
	}
	signature := strings.LastIndexByte(text, ':') + 1
	for _, tt := range []struct {
		name   string
		right  string
		first  int // where what is secret begins
		refuse func(tried string) bool
	}{
		{"auth hash", right, 0, func(tried string) bool { return s.verifyHash(row, tried) == HashMismatch }},
		{"signature", text, signature, func(tried string) bool {
			_, err := codec.Decode(tried)
			return err == djangocompat.ErrBadSignature
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			classes := [2]string{changedAt(tt.right, tt.first), changedAt(tt.right, len(tt.right)-1)}
			if tt.refuse(tt.right) || !tt.refuse(classes[0]) || !tt.refuse(classes[1]) {
				t.Fatal("the verdicts are not what they should be")
			}
			if !chaos.Full() {
				return // a machine that does other things proves nothing
			}
			times := measure(tt.refuse, classes)
			scores, worst := make([]string, 0, 3), 0.0
			for _, share := range []float64{1, 0.9, 0.5} {
				score := welch(times, share)
				scores = append(scores, fmt.Sprintf("%.1f", score))
				worst = max(worst, math.Abs(score))
			}
			chaos.Row(t, worst < 4.5, "T08", tt.name+": wrong in the first character against the last, "+fmt.Sprint(len(times[0])+len(times[1]))+" verdicts in random order",
				"t = "+strings.Join(scores, ", ")+" for all, the quickest 90 % and the quickest half", "4.5")
		})
	}
}

// changedAt returns text with another character in a place.
func changedAt(text string, i int) string {
	other := "0"
	if text[i] == '0' {
		other = "1"
	}
	return text[:i] + other + text[i+1:]
}

// measure times 5000 verdicts of each class at least, in random order.
func measure(refuse func(string) bool, classes [2]string) [2][]float64 {
	var times [2][]float64
	for len(times[0]) < 5000 || len(times[1]) < 5000 {
		class := rand.IntN(2)
		tried := strings.Clone(classes[class])
		began := time.Now()
		for range 8 {
			refuse(tried)
		}
		times[class] = append(times[class], float64(time.Since(began)))
	}
	for i := range times {
		slices.Sort(times[i])
	}
	return times
}

// welch returns Welch's t of the quickest share of two samples, which are sorted: the limit is the same for both, as
// those who are slower were interrupted.
func welch(times [2][]float64, share float64) float64 {
	all := slices.Sorted(slices.Values(slices.Concat(times[0], times[1])))
	limit := all[int(share*float64(len(all)-1))]
	var mean, variance [2]float64
	for i, sample := range times {
		n, _ := slices.BinarySearch(sample, math.Nextafter(limit, math.Inf(1)))
		for _, x := range sample[:n] {
			mean[i] += x / float64(n)
		}
		for _, x := range sample[:n] {
			variance[i] += (x - mean[i]) * (x - mean[i]) / float64(n-1)
		}
		variance[i] /= float64(n)
	}
	return (mean[0] - mean[1]) / math.Sqrt(variance[0]+variance[1]+1e-9)
}
