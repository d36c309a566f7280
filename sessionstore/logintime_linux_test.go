package sessionstore_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/sessionstore"
)

// TestT08LoginsTakeAsLong is security row T08: how long a login takes does not tell whether there is such a user. The
// verdict is on what a login takes of a processor: what else the machine does counts in the time by the clock. How long
// that is, is a figure of the full row alone.
func TestT08LoginsTakeAsLong(t *testing.T) {
	b := sqliteBed(t)
	cfg := b.config()
	cfg.Passwords = djangocompat.HasherConfig{Iterations: chaos.Size(200_000, 20)}
	cfg.Tries = sessionstore.TryConfig{PerName: -1} // or most would not be hashed
	right := hashed(t, cfg.Passwords, "wonderland")
	b.addUser(t, 1, "alice", right, true)
	b.addUser(t, 2, "off", right, false)
	b.addUser(t, 3, "unusable", djangocompat.UnusablePassword(), true)
	s := open(t, cfg)
	classes := []struct{ name, username, password string }{
		{"right", "alice", "wonderland"},
		{"wrong", "alice", "x"},
		{"unknown", "mallory", "wonderland"},
		{"inactive", "off", "wonderland"},
		{"unusable", "unusable", "wonderland"},
	}
	each := chaos.Size(200, 3)
	cpu, wall := make([][]time.Duration, len(classes)), make([][]time.Duration, len(classes))
	for range each {
		for _, i := range rand.Perm(len(classes)) {
			used, began := processTime(t), time.Now()
			_, err := s.Authenticate(t.Context(), classes[i].username, classes[i].password)
			cpu[i], wall[i] = append(cpu[i], processTime(t)-used), append(wall[i], time.Since(began))
			if (err == nil) != (classes[i].name == "right") {
				t.Fatalf("%s: %v", classes[i].name, err)
			}
		}
	}
	if !chaos.Full() {
		return // a machine that does other things proves nothing
	}
	var figures []string
	for i, c := range classes {
		figures = append(figures, fmt.Sprintf("%s %.2f (%.2f)", c.name, median(cpu[i]).Seconds()*1000, median(wall[i]).Seconds()*1000))
	}
	apart := spread(cpu)
	chaos.Row(t, apart <= 0.02, "T08", fmt.Sprintf("%d logins of each of 5 classes of users, in random order", each),
		fmt.Sprintf("medians in ms of a processor (by the clock): %s; %.2f %% apart (%.2f %%)", strings.Join(figures, ", "), 100*apart, 100*spread(wall)), "2 %")
}

// processTime is the time of processors that the process has used.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now); err != nil {
		t.Fatal(err)
	}
	return time.Duration(now.Nano())
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// spread returns by how much the largest median is larger than the smallest.
func spread(times [][]time.Duration) float64 {
	var medians []float64
	for _, of := range times {
		medians = append(medians, float64(median(of)))
	}
	return slices.Max(medians)/slices.Min(medians) - 1
}
