package djangocompat_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/chaos"
)

// TestT15BombsAreRefusedSoon is security row T15: a rightly signed text that inflates without end is refused soon, whatever
// the serializer. How soon and in how little memory is a figure of the full rows alone.
func TestT15BombsAreRefusedSoon(t *testing.T) {
	for serializer, name := range map[djangocompat.Serializer]string{djangocompat.JSONSerializer: "JSON", djangocompat.PickleSerializer: "a pickle"} {
		codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k"), Serializer: serializer}
		for _, size := range []int{1, 16, 100, 512} {
			text := bomb(t, codec, size)
			decode := func() {
				if _, err := codec.Decode(text); !errors.Is(err, djangocompat.ErrTooLarge) {
					t.Errorf("%s, %d MiB: %v, want ErrTooLarge", name, size, err)
				}
			}
			if !chaos.Full() {
				if n := allocated(decode); n > 5<<20 {
					t.Errorf("%s, %d MiB: %d bytes allocated, want 5 MiB at most", name, size, n)
				}
				continue
			}
			runtime.LockOSThread()
			grown := int64(0)
			least := time.Hour
			for range 20 {
				grown = max(grown, peakGrowth(t, decode))
				start := threadTime(t)
				decode()
				least = min(least, threadTime(t)-start)
			}
			runtime.UnlockOSThread()
			chaos.Row(t, grown < 4_000_000 && least < 5*time.Millisecond, "T15", fmt.Sprintf("%d KB of a session, %s, that inflate to %d MiB", len(text)/1000, name, size),
				fmt.Sprintf("ErrTooLarge, the process at most %.1f MB larger, refused after %.1f ms of a processor, the quickest of 20", float64(grown)/1e6, least.Seconds()*1000), "4 MB, 5 ms")
		}
	}
}

// threadTime is the time of a processor that the thread has used.
func threadTime(t *testing.T) time.Duration {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		t.Fatal(err)
	}
	return time.Duration(now.Nano())
}

// peakGrowth returns by how much the resident memory of the process grows while f runs.
func peakGrowth(t *testing.T, f func()) int64 {
	t.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the peak is from now on, proc(5)
		t.Skipf("the peak of memory cannot be measured: %v", err)
	}
	before := resident(t, "VmRSS:")
	f()
	return resident(t, "VmHWM:") - before
}

// resident returns a line of /proc/self/status, in bytes.
func resident(t *testing.T, name string) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kilobytes int64
		if after, ok := strings.CutPrefix(line, name); ok {
			if _, err := fmt.Sscan(after, &kilobytes); err != nil {
				t.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	t.Fatalf("no %s in /proc/self/status", name)
	return 0
}
