package chaos_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestF18DescriptorsRunOut(t *testing.T) {
	limit, dials := size(4096, 500), size(6000, 800)
	s := serve(t, "", openRoutes(fmt.Sprint("BELLEVILLE_LIMITS_MAX_CONNECTIONS=", limit*5/4))...) // it refuses more than there are files
	s.allowFiles(limit)
	held := talk(t, s.addr, limit/8, 200*time.Millisecond)
	var crowd []net.Conn
	for range dials { // the kernel takes more than the server can
		c, err := net.DialTimeout("tcp", s.addr, 5*time.Second)
		if err != nil {
			break // the queue of the kernel is full
		}
		crowd = append(crowd, c)
	}
	waitUntil(t, "the server runs out of descriptors", func() bool { return s.said("cannot accept connections") })
	before, began := s.cpu(), time.Now()
	held.took()
	pass(size(5*time.Second, 2*time.Second)) // less than the heads may take
	share := float64(s.cpu()-before) / float64(time.Since(began))
	p99, failed := held.took()
	for _, c := range crowd {
		_ = c.Close()
	}
	freed := time.Now()
	guests(t, s.addr, "/ws/anyone/", 1)
	back := time.Since(freed)
	held.end()
	what := fmt.Sprintf("limit of %d files, %d dials, %d sockets that talk", limit, len(crowd), limit/8)
	row(t, failed == 0, "F18", what, fmt.Sprintf("%d of the sockets lost, p99 %s", failed, milliseconds(p99)), "none")
	row(t, share < 0.2, "F18", what, fmt.Sprintf("%.0f %% of a processor meanwhile", 100*share), "20 %")
	row(t, back <= time.Second, "F18", what, "takes a client again after "+seconds(back), "1 s")
}

// allowFiles takes descriptors from the server while it runs.
func (s *served) allowFiles(n int) {
	s.t.Helper()
	out, err := exec.Command("prlimit", fmt.Sprint("--pid=", s.command.Process.Pid), fmt.Sprint("--nofile=", n)).CombinedOutput()
	if err != nil {
		s.t.Fatalf("prlimit: %v: %s", err, out)
	}
}

// group is a control group of version 1, for memory or for processors.
type group struct{ dir string }

// newGroup makes a control group with settings. Where this process may not, the row is not run, and says so.
func newGroup(t *testing.T, kind string, settings map[string]string) group {
	t.Helper()
	g := group{filepath.Join("/sys/fs/cgroup", kind, fmt.Sprint("belleville-chaos-", os.Getpid()))}
	err := os.Mkdir(g.dir, 0o755)
	for name, value := range settings {
		if err == nil {
			err = os.WriteFile(filepath.Join(g.dir, name), []byte(value), 0o644)
		}
	}
	t.Cleanup(func() { _ = os.Remove(g.dir) })
	if err != nil {
		t.Skipf("no control group of version 1 can be made here: %v", err)
	}
	return g
}

// wrap starts a program in the group.
func (g group) wrap() []string {
	return []string{"sh", "-c", `echo $$ > "$0/cgroup.procs" && exec "$@"`, g.dir}
}

// number returns what a file of the group holds behind a word, or at its beginning.
func (g group) number(t *testing.T, file, word string) int64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	must(t, err)
	_, after, _ := strings.Cut(string(text), word)
	n, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	must(t, err)
	return n
}

func TestF22LittleMemory(t *testing.T) {
	const limit = 128 << 20
	n := size(9000, 1000)
	g := newGroup(t, "memory", map[string]string{"memory.limit_in_bytes": strconv.Itoa(limit)})
	s := prepare(t, "", openRoutes("GOMEMLIMIT=100MiB", "BELLEVILLE_LIMITS_MAX_CONNECTIONS="+strconv.Itoa(n+500),
		"BELLEVILLE_LIMITS_MAX_MESSAGE=16384", "BELLEVILLE_LIMITS_QUEUE_BYTES=16384", "BELLEVILLE_LIMITS_WRITE_TIMEOUT=10s")...)
	s.wrap = g.wrap()
	s.start()
	sockets := guests(t, s.addr, "/ws/anyone/", n)
	flood(t, s, 100, "T23", "T32", "T34", "T35")
	load := talk(t, s.addr, 20, 100*time.Millisecond)
	pass(size(20*time.Second, 3*time.Second))
	load.end()
	_, failed := load.took()
	kills, peak := g.number(t, "memory.oom_control", "oom_kill "), g.number(t, "memory.max_usage_in_bytes", "")
	lost := 0
	for _, c := range sockets {
		if !c.isOpen() {
			lost++
		}
	}
	what := fmt.Sprintf("128 MB, %d sockets, and 400 clients that stop in a head or frame, read nothing, or ping without end", n)
	row(t, kills == 0, "F22", what, fmt.Sprint(kills, " kills"), "0")
	row(t, lost == 0 && failed == 0, "F22", what, fmt.Sprintf("%d sockets lost, %d talkers cut off", lost, failed), "0, 0")
	row(t, peak < limit*9/10, "F22", what, fmt.Sprintf("at most %d MB, with what the kernel has for the sockets", peak>>20), "115 MB")
}

// attacks are what hostile clients do, by the rows that they are from: stop in a head, ping and read nothing, read nothing
// of what they asked for, stop in a frame.
var attacks = map[string]func(t *testing.T, addr string) (c net.Conn, say []byte, every time.Duration){
	"T23": func(t *testing.T, addr string) (net.Conn, []byte, time.Duration) {
		c, err := net.Dial("tcp", addr)
		must(t, err)
		return c, []byte("G"), time.Second
	},
	"T32": func(t *testing.T, addr string) (net.Conn, []byte, time.Duration) {
		c, _ := raw(t, addr, "/ws/anyone/")
		return c, []byte(strings.Repeat("\x89\x80\x00\x00\x00\x00", 50)), 200 * time.Millisecond
	},
	"T34": func(t *testing.T, addr string) (net.Conn, []byte, time.Duration) {
		c, _ := raw(t, addr, "/ws/anyone/")
		return c, append([]byte{0x82, 0xfe, 0x20, 0x00, 0, 0, 0, 0}, make([]byte, 0x2000)...), 50 * time.Millisecond
	},
	"T35": func(t *testing.T, addr string) (net.Conn, []byte, time.Duration) {
		c, _ := raw(t, addr, "/ws/anyone/")
		return c, []byte{0x82, 0xfe, 0x3f}, time.Hour
	},
}

// flood attacks the server with so many clients of each kind at once, until the test ends.
func flood(t *testing.T, s *served, each int, kinds ...string) {
	t.Helper()
	stop := make(chan struct{})
	var running sync.WaitGroup
	t.Cleanup(func() { close(stop); running.Wait() })
	for i := range each * len(kinds) {
		c, say, every := attacks[kinds[i%len(kinds)]](t, s.addr)
		t.Cleanup(func() { _ = c.Close() })
		running.Go(func() {
			ticks := time.NewTicker(every)
			defer ticks.Stop()
			for {
				_ = c.SetWriteDeadline(time.Now().Add(every))
				_, _ = c.Write(say) // it may be cut off: then it is cut off
				select {
				case <-ticks.C:
				case <-stop:
					return
				}
			}
		})
	}
}

func TestF34FloodsAtOnce(t *testing.T) {
	n, each := size(5000, 200), size(500, 25)
	s := serve(t, "", openRoutes()...)
	pause := size(5*time.Second, 200*time.Millisecond)
	honest := talk(t, s.addr, n, pause)
	defer honest.end()
	elsewhere := talk(t, serve(t, "", openRoutes()...).addr, n/5, pause)
	defer elsewhere.end()
	pass(size(10*time.Second, time.Second))
	turn := size(8*time.Second, 500*time.Millisecond)
	begin := func(kinds ...string) func(*testing.T) {
		return func(t *testing.T) {
			flood(t, s, each, kinds...)
			pass(turn / 4)
		}
	}
	if full() {
		for kind := range attacks {
			r := inTurns(t, s, honest, elsewhere, 1, turn, begin(kind))
			t.Logf("%d of %s alone: p99 %s, calm %s, of clients elsewhere %s; %.2f processors, calm %.2f", each, kind, milliseconds(r.during), milliseconds(r.calm), milliseconds(r.elsewhere), r.duringCPU, r.calmCPU)
		}
	}
	r := inTurns(t, s, honest, elsewhere, size(3, 1), turn, begin("T23", "T32", "T34", "T35"))
	what := fmt.Sprintf("%d each of T23, T32, T34 and T35 at once beside %d honest clients", each, n)
	limit := max(2*r.calm, 2*r.elsewhere, size(25*time.Millisecond, time.Second)) // a test host may have other things to do
	row(t, r.failed == 0, "F34", what, fmt.Sprintf("%d honest clients dropped", r.failed), "0")
	row(t, r.during <= limit, "F34", what,
		fmt.Sprintf("p99 of the honest %s, calm %s, of clients of another server meanwhile %s; the server uses %.2f processors, calm %.2f", milliseconds(r.during), milliseconds(r.calm), milliseconds(r.elsewhere), r.duringCPU, r.calmCPU),
		fmt.Sprint("twice that of the calm or of the other server, or ", size(25*time.Millisecond, time.Second)))
}
