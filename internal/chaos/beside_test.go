package chaos_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// shout has a client send so many small messages in a second, as far as it is let, until the test ends. It returns a
// count of those that it was answered.
func shout(t *testing.T, addr string, rate int) *atomic.Int64 {
	t.Helper()
	c, in := raw(t, addr, "/ws/anyone/")
	batch := bytes.Repeat([]byte{0x81, 0x82, 0, 0, 0, 0, 'h', 'i'}, rate/100)
	answered := new(atomic.Int64)
	var running sync.WaitGroup
	t.Cleanup(func() { _ = c.Close(); running.Wait() })
	running.Go(func() {
		for _, _, err := readFrame(in); err == nil; _, _, err = readFrame(in) {
			answered.Add(1)
		}
	})
	running.Go(func() {
		ticks := time.NewTicker(10 * time.Millisecond)
		defer ticks.Stop()
		for range ticks.C {
			if _, err := c.Write(batch); err != nil {
				return
			}
		}
	})
	return answered
}

func TestT33AFloodOfMessages(t *testing.T) {
	const rate = 50_000
	n := size(5000, 100)
	s := serve(t, "", openRoutes("BELLEVILLE_LIMITS_MESSAGE_RATE=100")...)
	honest := talk(t, s.addr, n, size(5*time.Second, 200*time.Millisecond))
	pass(size(5*time.Second, 200*time.Millisecond))
	took := 0.0
	r := inTurns(t, s, honest, nil, size(5, 1), size(8*time.Second, 500*time.Millisecond), func(t *testing.T) {
		answered := shout(t, s.addr, rate)
		pass(size(10*time.Second, 100*time.Millisecond)) // the kernel has room for some
		before, began := answered.Load(), time.Now()
		t.Cleanup(func() { took = float64(answered.Load()-before) / time.Since(began).Seconds() })
	})
	honest.end()
	what := fmt.Sprintf("one client sends %d messages/s, 100/s are allowed, beside %d that echo (%.0f/s are answered)", rate, n, took)
	r.row(t, "T33", what, 2)
	share := 1 - r.calmCPU/r.duringCPU
	row(t, share <= size(0.25, 1), "T33", what, fmt.Sprintf("%.0f %% of the server's processor time is its: %.2f processors, calm %.2f", 100*share, r.duringCPU, r.calmCPU), fmt.Sprintf("%.0f %%", 100*size(0.25, 1)))
}

func TestT35ClientsThatStopInAFrame(t *testing.T) {
	n, stopped := size(1000, 50), size(1000, 50)
	s := serve(t, "", openRoutes()...)
	honest := talk(t, s.addr, n, 200*time.Millisecond)
	pass(size(2*time.Second, 200*time.Millisecond))
	goroutines := s.metric("go_goroutines", "")
	more := 0.0
	r := inTurns(t, s, honest, nil, size(7, 1), size(4*time.Second, 500*time.Millisecond), func(t *testing.T) {
		for range stopped {
			c, _ := raw(t, s.addr, "/ws/anyone/")
			_, err := c.Write([]byte{0x82, 0xfe, 0x3f})
			must(t, err)
		}
		pass(size(time.Second, 100*time.Millisecond))
		more = max(more, s.metric("go_goroutines", "")-goroutines)
	})
	honest.end()
	what := fmt.Sprintf("%d clients stop after three bytes of a frame, beside %d that echo", stopped, n)
	r.row(t, "T35", what, 1.1)
	row(t, more < 50, "T35", what, fmt.Sprintf("%+.0f goroutines at most", more), "50")
}

// audience are clients that hear what is said to their group, and take the time from when it was said.
type audience struct {
	listening sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	times  []time.Duration
	failed int
}

// listen opens so many, which read until the test ends.
func listen(t *testing.T, addr string, n int) *audience {
	t.Helper()
	a := new(audience)
	t.Cleanup(a.listening.Wait)
	for range n {
		c, in := raw(t, addr, "/ws/open/")
		a.listening.Go(func() { a.hear(t, c, bufio.NewReaderSize(in, 2*len(long))) }) // a message is one read
	}
	return a
}

// hear reads messages until the connection or the test ends.
func (a *audience) hear(t *testing.T, c net.Conn, in *bufio.Reader) {
	for {
		took, opcode, err := readStamped(in)
		if err != nil || opcode == 0x8 {
			a.mu.Lock()
			defer a.mu.Unlock()
			if t.Context().Err() == nil {
				a.failed++
			}
			return
		}
		switch opcode {
		case 0x1:
			a.mu.Lock()
			a.times = append(a.times, took)
			a.mu.Unlock()
		case 0x9:
			_ = (&socket{conn: c}).write(0xa, nil) // it may just be closing
		}
	}
}

// readStamped reads a frame, and returns how long ago it was sent where it is one that says.
func readStamped(in *bufio.Reader) (took time.Duration, opcode byte, err error) {
	head, err := in.Peek(4)
	if err != nil {
		return 0, 0, err
	}
	opcode = head[0] & 0xf
	begin, size := 2, int(head[1])
	if size == 126 {
		begin, size = 4, int(binary.BigEndian.Uint16(head[2:]))
	}
	if opcode == 0x1 {
		const stamp = len(`{"t":`) + 19
		text, err := in.Peek(begin + stamp)
		if err != nil {
			return 0, 0, err
		}
		nanoseconds, err := strconv.ParseInt(string(text[begin+len(`{"t":`):]), 10, 64)
		if err != nil {
			return 0, 0, err
		}
		took = time.Duration(time.Now().UnixNano() - nanoseconds)
	}
	_, err = in.Discard(begin + size)
	return took, opcode, err
}

// took implements measured.
func (a *audience) took() (p99 time.Duration, failed int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	times := a.times
	a.times = nil
	return quantile(times, 0.99), a.failed
}

// long is a message's payload.
var long = strings.Repeat("z", 4000)

// speak says something long to the group as often as it is told to, until the test ends.
func speak(t *testing.T, addr string, every time.Duration) {
	t.Helper()
	c, in := raw(t, addr, "/ws/open/")
	stop := make(chan struct{})
	var running sync.WaitGroup
	t.Cleanup(func() { close(stop); _ = c.Close(); running.Wait() })
	running.Go(func() {
		for _, _, err := readStamped(in); err == nil; _, _, err = readStamped(in) {
			continue
		}
	})
	running.Go(func() {
		ticks := time.NewTicker(every)
		defer ticks.Stop()
		for {
			text := fmt.Sprintf(`{"t":%d,"z":"%s"}`, time.Now().UnixNano(), long)
			frame := append([]byte{0x81, 0x80 | 126}, binary.BigEndian.AppendUint16(nil, uint16(len(text)))...)
			if _, err := c.Write(append(append(frame, 0, 0, 0, 0), text...)); err != nil {
				return
			}
			select {
			case <-ticks.C:
			case <-stop:
				return
			}
		}
	})
}

// stall opens a WebSocket of the group that nobody reads, for which the kernel keeps little.
func stall(t *testing.T, addr string) {
	t.Helper()
	d := net.Dialer{Timeout: handshakeTimeout, Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10) })
	}}
	c, err := d.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, (&socket{conn: c}).shakeHands(bufio.NewReader(c), "/ws/open/", ""))
}

func TestT34ClientsThatDoNotRead(t *testing.T) {
	const bound = 256 << 10
	timeout, each := size(5*time.Second, time.Second), size(30*time.Second, 3*time.Second)
	n, stalled := size(9500, 50), size(500, 5)
	s := serve(t, "", openRoutes("BELLEVILLE_LIMITS_WRITE_TIMEOUT="+timeout.String())...)
	readers := listen(t, s.addr, n)
	speak(t, s.addr, size(500*time.Millisecond, 10*time.Millisecond))
	pass(size(5*time.Second, 500*time.Millisecond))
	most, open, closed := 0, 0.0, 0.0
	r := inTurns(t, s, readers, nil, size(2, 1), each, func(t *testing.T) {
		before, slow := s.memory(), s.metric("server_slow_closes_total", "")
		for range stalled {
			stall(t, s.addr)
		}
		t.Cleanup(func() {
			most = max(most, s.peak()-before)
			open += s.metric("server_connections", "") - float64(n+1)
			closed += s.metric("server_slow_closes_total", "") - slow
		})
	})
	what := fmt.Sprintf("%d of %d in a group read nothing", stalled, n+stalled)
	r.row(t, "T34", what, 1.1)
	row(t, open == 0, "T34", what, fmt.Sprintf("%.0f of them open after %v, %.0f closed", open, each, closed), "0")
	row(t, most <= size(stalled*bound*11/10>>20, 500), "T34", what, fmt.Sprintf("memory grew by %d MiB at most", most), fmt.Sprintf("%d MiB", size(stalled*bound*11/10>>20, 500)))
}
