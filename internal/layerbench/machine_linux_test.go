package layerbench_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/belleville/belleville/channellayer"
)

// counter is the Receiver of many members that are no sockets.
type counter struct {
	members int64
	came    atomic.Int64
	all     chan struct{} // gets something when each member has got a message
}

func (c *counter) Receive(*channellayer.Delivery, int) bool {
	if c.came.Add(1)%c.members == 0 {
		c.all <- struct{}{}
	}
	return true
}

// makeMembers makes members of the group "made" in this process.
func (s subject) makeMembers(t *testing.T, n int) *counter {
	t.Helper()
	c := &counter{members: int64(n), all: make(chan struct{}, 1)}
	for range n {
		name, err := s.layer.NewChannel(t.Context(), c)
		must(t, err)
		must(t, s.layer.GroupAdd(t.Context(), "made", name))
	}
	return c
}

// machine says what this runs on.
func machine(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/cpuinfo")
	must(t, err)
	_, after, _ := strings.Cut(string(text), "model name\t: ")
	model, _, _ := strings.Cut(after, "\n")
	return fmt.Sprintf("%d cores of an %s", runtime.NumCPU(), model)
}

// loadAverage is how busy the machine was in the last minute.
func loadAverage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	must(t, err)
	return strings.Fields(string(text))[0]
}

// versions names the parts that are measured; what is not installed is left out.
func versions(t *testing.T) string {
	t.Helper()
	list := []string{strings.Replace(runtime.Version(), "go", "Go ", 1)}
	for _, p := range []string{"python3-django", "python3-channels-redis", "redis-server", "postgresql"} {
		out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", p).Output()
		if err == nil && len(out) > 0 {
			list = append(list, p+" "+string(out))
		}
	}
	return strings.Join(list, ", ")
}
