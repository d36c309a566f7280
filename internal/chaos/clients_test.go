package chaos_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// openRoutes are settings of a server without a database, whose clients are nobody: "ws/anyone/" echoes, and what one
// says in "ws/open/" all there hear.
func openRoutes(more ...string) []string {
	return append([]string{
		"BELLEVILLE_DJANGO_SESSION_ENGINE=django.contrib.sessions.backends.signed_cookies",
		"BELLEVILLE_ROUTES_2_PATH=ws/open/", "BELLEVILLE_ROUTES_2_CONSUMER=relay", "BELLEVILLE_ROUTES_2_GROUPS=open",
		"BELLEVILLE_ROUTES_2_PUBLISH=room.message",
	}, more...)
}

// guests opens sockets of nobody on a path, many at a time.
func guests(t testing.TB, addr, path string, n int) []*socket {
	t.Helper()
	sockets, failed := make([]*socket, n), make(chan error, n)
	var entering sync.WaitGroup
	for begin := range 20 {
		entering.Go(func() {
			for i := begin; i < n; i += 20 {
				s, err := dial(addr, path, nil, "")
				if err != nil {
					failed <- err
					return
				}
				sockets[i] = s
			}
		})
	}
	entering.Wait()
	t.Cleanup(func() {
		for _, s := range sockets {
			if s != nil {
				_ = s.conn.Close()
				<-s.ended
			}
		}
	})
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
	return sockets
}

// talkers are clients that wait for the echo of each message before they send the next.
type talkers struct {
	running sync.WaitGroup
	stop    chan struct{}

	mu     sync.Mutex // guards the fields below
	times  []time.Duration
	failed int
}

// talk makes clients talk, each pausing between two messages, until they are ended or the server ends.
func talk(t testing.TB, addr string, n int, pause time.Duration) *talkers {
	t.Helper()
	w := &talkers{stop: make(chan struct{})}
	for i := range n {
		conn, in := raw(t, addr, "/ws/anyone/")
		w.running.Go(func() {
			pass(pause * time.Duration(i) / time.Duration(n)) // not all at once
			w.talk(conn, in, pause)
		})
	}
	return w
}

// raw opens a WebSocket of nobody that nobody reads.
func raw(t testing.TB, addr, path string) (net.Conn, *bufio.Reader) {
	t.Helper()
	return rawWith(t, addr, path, "")
}

// rawWith is raw with more lines in the head.
func rawWith(t testing.TB, addr, path, lines string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, handshakeTimeout)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	in := bufio.NewReaderSize(conn, 512)
	must(t, (&socket{conn: conn}).shakeHandsWith(in, path, lines))
	return conn, in
}

func (w *talkers) talk(conn net.Conn, in *bufio.Reader, pause time.Duration) {
	s := &socket{conn: conn}
	ticks := time.NewTicker(pause)
	defer ticks.Stop()
	for {
		began := time.Now()
		err := s.write(0x1, []byte("hello"))
		for opcode := byte(0x9); err == nil && opcode != 0x1; {
			var payload []byte
			if opcode, payload, err = readFrame(in); opcode == 0x8 {
				_ = s.write(0x8, payload) // the server ends the connection then
				_ = conn.Close()
				return
			}
		}
		w.mu.Lock()
		if err != nil {
			w.failed++
		}
		w.times = append(w.times, time.Since(began))
		w.mu.Unlock()
		if err != nil {
			return
		}
		select {
		case <-ticks.C:
		case <-w.stop:
			return
		}
	}
}

// took forgets what was measured so far, and returns the 99th percentile of it, and how many have lost their connection.
func (w *talkers) took() (p99 time.Duration, failed int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	times := w.times
	w.times = nil
	return quantile(times, 0.99), w.failed
}

// windows returns the 99th percentile of each window of time while f runs, at least of one. What is left at its end is left
// out.
func (w *talkers) windows(each time.Duration, f func()) (p99 []time.Duration) {
	w.took()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
	}()
	ticks := time.NewTicker(each)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			took, _ := w.took()
			p99 = append(p99, took)
		case <-ended:
			if len(p99) == 0 {
				took, _ := w.took()
				p99 = append(p99, took)
			}
			return p99
		}
	}
}

// end makes the clients fall silent.
func (w *talkers) end() {
	close(w.stop)
	w.running.Wait()
}

// signal sends the server a signal.
func (s *served) signal(sig syscall.Signal) {
	s.t.Helper()
	must(s.t, s.command.Process.Signal(sig))
}

// exit waits for the server's end, and returns its exit code and how long that took; -1 where it does not end.
func (s *served) exit() (code int, took time.Duration) {
	began := time.Now()
	select {
	case <-s.ended:
		s.ended = nil
		return s.command.ProcessState.ExitCode(), time.Since(began)
	case <-time.After(time.Minute):
		return -1, time.Since(began)
	}
}

// said returns whether the server has logged something.
func (s *served) said(what string) bool {
	text, err := os.ReadFile(s.log)
	return err == nil && strings.Contains(string(text), what)
}

// ready returns the status of the server's readiness, 0 where it does not answer.
func (s *served) ready() int {
	r, err := http.Get("http://" + s.admin + "/readyz")
	if err != nil {
		return 0
	}
	_ = r.Body.Close()
	return r.StatusCode
}

// cpu returns how much time of a processor the server has used. It needs no descriptor of the server's.
func (s *served) cpu() time.Duration {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.command.Process.Pid))
	must(s.t, err)
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	user, _ := strconv.Atoi(fields[11]) // the kernel writes numbers
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// milliseconds returns a duration in a few digits.
func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 1, 64) + " ms"
}
