package chaos_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
)

// moody echoes, until it is told to misbehave.
type moody struct{ over *atomic.Bool }

func (m *moody) Connect(_ context.Context, c *consumers.Conn) error { return c.Accept() }

func (m *moody) Receive(ctx context.Context, c *consumers.Conn, said consumers.Message) error {
	switch said.Text() {
	case "panic":
		panic("as told")
	case "wait":
		<-ctx.Done()
		return nil
	case "loop":
		for !m.over.Load() { // nobody gives way here
		}
		return nil
	}
	return c.Send(said)
}

func (m *moody) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// lines collects what is logged.
type lines struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestF38ConsumersThatMisbehave(t *testing.T) {
	n, each := size(1000, 50), size(100, 5)
	over, log, reg := new(atomic.Bool), new(lines), prometheus.NewRegistry()
	srv := server.New(consumers.New(func() *moody { return &moody{over} }), memlayer.New(memlayer.Config{}),
		server.Config{Logger: slog.New(slog.NewTextHandler(log, nil)), Registerer: reg, PingInterval: time.Second, DrainTimeout: time.Second})
	l, err := server.Listen("127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, l) }()
	t.Cleanup(func() { over.Store(true); cancel(); <-ended })
	addr := l.Addr().String()

	honest := talk(t, addr, n, 200*time.Millisecond)
	pass(size(5*time.Second, time.Second))
	before, _ := honest.took()
	codes := make(map[uint16]int)
	for range each {
		conn, in := raw(t, addr, "/ws/anyone/")
		must(t, (&socket{conn: conn}).write(0x1, []byte("panic")))
		if opcode, payload, err := readFrame(in); err == nil && opcode == 0x8 {
			codes[binary.BigEndian.Uint16(payload)]++
		}
	}
	stuck := func(how string, clients int) {
		for range clients {
			conn, _ := raw(t, addr, "/ws/anyone/")
			s := &socket{conn: conn}
			must(t, s.write(0x1, []byte(how)))
			for range 20 { // more than its mailbox takes
				must(t, s.write(0x1, []byte("more")))
			}
		}
	}
	stuck("wait", each)
	stuck("loop", 1) // a processor is then gone for good
	honest.took()
	pass(size(10*time.Second, 2*time.Second))
	during, failed := honest.took()
	what := fmt.Sprintf("%d consumers panic, %d wait for ever, 1 loops, beside %d that echo", each, each, n)
	row(t, codes[1011] == each, "F38", what, fmt.Sprintf("codes of those that panic %v", codes), "all 1011")
	row(t, failed == 0, "F38", what, fmt.Sprintf("%d others cut off", failed), "0")
	limit := max(2*before, size(25*time.Millisecond, time.Second)) // a test host may have other things to do
	row(t, during <= limit, "F38", what, fmt.Sprintf("p99 of the others %s, before %s", milliseconds(during), milliseconds(before)), fmt.Sprint("twice, or ", size("25 ms", "1 s"), " where that is more"))
	if full() {
		told := waitUntil(t, "the log tells of it", func() bool { return strings.Contains(log.String(), "has taken no message for long") })
		row(t, told <= 35*time.Second, "F38", what, "told after another "+seconds(told), "35 s")
	}
	honest.end()
}

func TestF23HalfAProcessor(t *testing.T) {
	n := size(5000, 300)
	g := newGroup(t, "cpu", map[string]string{"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000"})
	s := prepare(t, "", openRoutes("BELLEVILLE_LIMITS_PING_INTERVAL=2s", "BELLEVILLE_LIMITS_PONG_TIMEOUT=2s")...)
	s.wrap = g.wrap()
	s.start()
	sockets := guests(t, s.addr, "/ws/anyone/", n)
	load := talk(t, s.addr, 50, 100*time.Millisecond)
	pass(size(30*time.Second, 6*time.Second))
	load.end()
	p99, failed := load.took()
	lost := 0
	for _, c := range sockets {
		if !c.isOpen() {
			lost++
		}
	}
	what := fmt.Sprintf("half a processor, %d silent sockets that are pinged every 2 s, 500 echoes/s", n)
	row(t, lost == 0 && failed == 0, "F23", what, fmt.Sprintf("%d and %d lost, p99 %s", lost, failed, milliseconds(p99)), "none")
}
