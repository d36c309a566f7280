package chaos_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// dripping are clients that send their head a byte in a second.
type dripping struct {
	running sync.WaitGroup
	stop    chan struct{}

	mu          sync.Mutex // guards the fields below
	most, least []time.Duration
}

// drip opens so many, at most 2000 in a second, so that connecting them is not what is measured.
func drip(t *testing.T, addr string, n int) *dripping {
	t.Helper()
	d := &dripping{stop: make(chan struct{})}
	t.Cleanup(func() { close(d.stop); d.running.Wait() })
	head := "GET /ws/anyone/ HTTP/1.1\r\nX-Slow: " + strings.Repeat("x", 1000)
	for i := range n {
		if i%100 == 99 {
			pass(50 * time.Millisecond)
		}
		before := time.Now() // the server takes it between then and now
		c, err := net.DialTimeout("tcp", addr, handshakeTimeout)
		must(t, err)
		t.Cleanup(func() { _ = c.Close() })
		now := time.Now()
		d.running.Go(func() {
			var answer [1]byte
			_, _ = c.Read(answer[:]) // until it is cut off
			d.mu.Lock()
			defer d.mu.Unlock()
			d.most, d.least = append(d.most, time.Since(before)), append(d.least, time.Since(now))
		})
		d.running.Go(func() {
			ticks := time.NewTicker(time.Second)
			defer ticks.Stop()
			for i := range head {
				if _, err := io.WriteString(c, head[i:i+1]); err != nil {
					return
				}
				select {
				case <-ticks.C:
				case <-d.stop:
					return
				}
			}
		})
	}
	return d
}

// gone returns how many are gone, and how long the first and the last of them lived.
func (d *dripping) gone() (n int, first, last time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.most) == 0 {
		return 0, 0, 0
	}
	return len(d.most), slices.Min(d.most), slices.Max(d.least)
}

func TestT23SlowHeads(t *testing.T) {
	n, honest, patience := size(5000, 100), size(1000, 20), size(5*time.Second, time.Second)
	s := serve(t, "", openRoutes("BELLEVILLE_LIMITS_HANDSHAKE_TIMEOUT="+patience.String())...)
	goroutines := s.metric("go_goroutines", "")
	d := drip(t, s.addr, n)
	var times []time.Duration
	more := 0.0
	for i := range honest {
		began := time.Now()
		c, err := dial(s.addr, "/ws/anyone/", nil, "")
		must(t, err)
		times = append(times, time.Since(began))
		_ = c.conn.Close()
		if i == 0 {
			more = s.metric("go_goroutines", "") - goroutines
		}
		pass(time.Millisecond)
	}
	waitUntil(t, "all slow ones are gone", func() bool { gone, _, _ := d.gone(); return gone == n })
	_, first, last := d.gone()
	what := fmt.Sprintf("%d clients that send their head a byte in a second, and %d honest handshakes beside them", n, honest)
	slack := size(500*time.Millisecond, 10*time.Second)
	row(t, first >= patience-size(500*time.Millisecond, patience) && last <= patience+slack, "T23", what,
		fmt.Sprintf("gone after %s to %s", seconds(first), seconds(last)), fmt.Sprintf("%v, %v more or less", patience, slack))
	p99 := quantile(times, 0.99)
	row(t, p99 < size(100*time.Millisecond, handshakeTimeout), "T23", what, "p99 of the honest handshakes "+milliseconds(p99), fmt.Sprint(size(100*time.Millisecond, handshakeTimeout)))
	row(t, more < 50, "T23", what, fmt.Sprintf("%+.0f goroutines", more), "50")
}

// peak returns how much memory the server has had at most, in MiB.
func (s *served) peak() int {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command.Process.Pid))
	must(s.t, err)
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	kilobytes, err := strconv.Atoi(strings.Fields(after)[0])
	must(s.t, err)
	return kilobytes >> 10
}

// bomb is a message that is a thousand times as large when it is inflated, as a client's frame.
func bomb(t *testing.T, inflated int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	must(t, err)
	_, err = w.Write(make([]byte, inflated))
	must(t, err)
	must(t, w.Flush())
	payload := bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
	frame := append([]byte{0xc2, 0x80 | 127}, binary.BigEndian.AppendUint64(nil, uint64(len(payload)))...)
	return append(append(frame, 0, 0, 0, 0), payload...)
}

func TestT30BombsOfCompressionAtOnce(t *testing.T) {
	const limit = 1 << 20
	n, inflated := size(100, 10), size(900<<20, 90<<20)
	s := serve(t, "", openRoutes("BELLEVILLE_ROUTES_1_COMPRESSION=true", fmt.Sprint("BELLEVILLE_LIMITS_MAX_MESSAGE=", limit))...)
	frame := bomb(t, inflated)
	var codes [5000]atomic.Int32
	var running sync.WaitGroup
	sockets := make([]*socket, n)
	for i := range sockets {
		c, in := rawWith(t, s.addr, "/ws/anyone/", "Sec-WebSocket-Extensions: permessage-deflate\r\n")
		sockets[i] = &socket{conn: c}
		running.Go(func() {
			if opcode, payload, err := readFrame(in); err == nil && opcode == 0x8 && len(payload) > 1 {
				codes[min(4999, binary.BigEndian.Uint16(payload))].Add(1)
			}
			_ = c.Close()
		})
	}
	before := s.peak()
	for _, c := range sockets {
		running.Go(func() { _, _ = c.conn.Write(frame) }) // it is cut off at some time
	}
	running.Wait()
	grown := s.peak() - before
	what := fmt.Sprintf("%d messages of %d bytes at once that inflate to %d MiB, where a message may have 1 MiB", n, len(frame), inflated>>20)
	got := codes[1009].Load()
	row(t, int(got) == n, "T30", what, fmt.Sprintf("%d closed with 1009", got), fmt.Sprint(n))
	most := size(n*limit>>20, 500)
	row(t, grown <= most, "T30", what, fmt.Sprintf("memory grew by %d MiB at most", grown), fmt.Sprint(most, " MiB"))
}
