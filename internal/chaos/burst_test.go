package chaos_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/redistest"
)

// hall is a number of clients that hear one group, each with a checker of what came.
type hall struct {
	conns     []net.Conn
	checkers  []*chaos.Checker
	listening sync.WaitGroup
	came      atomic.Int64 // at all of them

	mu  sync.Mutex // guards the field below
	cut []string   // how connections have ended, also those that were closed by leave
}

// fillHall opens a WebSocket of the group "open" for each login, nil for nobody, twenty at a time.
func fillHall(t *testing.T, addr string, logins []*login) *hall {
	t.Helper()
	n := len(logins)
	h := &hall{conns: make([]net.Conn, n), checkers: make([]*chaos.Checker, n)}
	t.Cleanup(h.leave)
	failed := make(chan error, n)
	var entering sync.WaitGroup
	for begin := range 20 {
		entering.Go(func() {
			for i := begin; i < n; i += 20 {
				if err := h.enter(addr, i, logins[i]); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	entering.Wait()
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
	return h
}

func (h *hall) enter(addr string, i int, l *login) error {
	conn, err := net.DialTimeout("tcp", addr, handshakeTimeout)
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(conn, 512)
	if err := (&socket{login: l, conn: conn}).shakeHands(in, "/ws/open/", ""); err != nil {
		_ = conn.Close()
		return err
	}
	h.conns[i], h.checkers[i] = conn, new(chaos.Checker)
	h.listening.Go(func() { h.listen(conn, in, h.checkers[i]) })
	return nil
}

// listen reads until the connection ends.
func (h *hall) listen(conn net.Conn, in *bufio.Reader, c *chaos.Checker) {
	for {
		opcode, payload, err := readFrame(in)
		switch {
		case err == nil && opcode == 0x8 && len(payload) >= 2:
			h.end(fmt.Sprint("closed with ", binary.BigEndian.Uint16(payload)))
			return
		case err != nil || opcode == 0x8:
			h.end("cut off")
			return
		}
		switch opcode {
		case 0x1:
			c.Receive(channellayer.NewDelivery(chaos.Numbered(senderOf(payload), numberOf(payload)), time.Time{}), 0)
			h.came.Add(1)
		case 0x9:
			_ = (&socket{conn: conn}).write(0xa, payload) // it may just be closing
		}
	}
}

// end takes note of how a connection has ended.
func (h *hall) end(how string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cut = append(h.cut, how)
}

// ended returns how many connections have ended, and how the first one did.
func (h *hall) ended() (n int, how string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.cut) == 0 {
		return 0, ""
	}
	return len(h.cut), ", the first " + h.cut[0]
}

// senderOf returns the name in a message {"sender": "name", …}.
func senderOf(payload []byte) string {
	_, text, _ := bytes.Cut(payload, []byte(`"sender":`))
	text = bytes.TrimLeft(text, ` "`)
	name, _, _ := bytes.Cut(text, []byte(`"`))
	return string(name)
}

// numberOf returns the number in a message {"n": 123, …}, or -1, which is in a wrong place.
func numberOf(payload []byte) int64 {
	_, text, _ := bytes.Cut(payload, []byte(`"n":`))
	text = bytes.TrimLeft(text, " ")
	end := bytes.IndexAny(text, ",}")
	n, err := strconv.ParseInt(string(text[:max(end, 0)]), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// leave ends the clients.
func (h *hall) leave() {
	for _, c := range h.conns {
		if c != nil {
			_ = c.Close()
		}
	}
	h.listening.Wait()
}

// settle waits until so many messages have come, or nothing has for a while. It returns when the last one came.
func (h *hall) settle(want int64, quiet time.Duration) (last time.Time) {
	looks := time.NewTicker(20 * time.Millisecond)
	defer looks.Stop()
	before, last := int64(-1), time.Now()
	for {
		if now := h.came.Load(); now != before {
			before, last = now, time.Now()
		}
		if before >= want || time.Since(last) > quiet {
			return last
		}
		<-looks.C
	}
}

// heard is what came of a burst.
type heard struct {
	offered, came int
	told          int // of those that did not come: what the sender was told of
	least         int // that came to one socket
	wrong         int // came twice, or out of order
	cut           int // connections that ended
	how           string
	sending, all  time.Duration // all is until the last came
}

// silent returns how many did not come without anybody being told.
func (h heard) silent() int { return h.offered - h.came - h.told }

// String returns it in a few words.
func (h heard) String() string {
	percent := func(n int) string { return strconv.FormatFloat(100*float64(n)/float64(h.offered), 'f', 1, 64) + " %" }
	return fmt.Sprintf("%d of %d deliveries came (%s), at least %d to each socket, %d in a wrong place; the sender was told of %d that were dropped (%s), nobody of %d (%s); %d connections lost%s; sent in %s, the last came after %s",
		h.came, h.offered, percent(h.came), h.least, h.wrong, h.told, percent(h.told), h.silent(), percent(h.silent()), h.cut, h.how, seconds(h.sending), seconds(h.all))
}

// burst has Django send to the group of a hall, and returns what came.
func burst(t *testing.T, h *hall, url string, sends int) heard {
	t.Helper()
	sockets := len(h.conns)
	began := time.Now()
	dropped := peerSends(t, url, "open", "django", sends, 0, 0)
	r := heard{offered: sends * sockets, told: dropped * sockets, least: sends, sending: time.Since(began)}
	r.all = h.settle(int64(r.offered-r.told), size(70*time.Second, 5*time.Second)).Sub(began) // Redis keeps what waits for 60 s
	r.cut, r.how = h.ended()
	judged := map[string]chaos.Sent{"django": {Count: int64(sends)}}
	for _, c := range h.checkers {
		v := c.Verdict(judged)
		r.came += v.Come
		r.least = min(r.least, v.Come)
		r.wrong += len(v.Doubled) + len(v.Swapped)
	}
	return r
}

// startDaphne serves the site in testdata, and returns its address. It ends with the test.
func startDaphne(t *testing.T, redisURL string) string {
	t.Helper()
	if err := exec.Command(python, "-c", "import daphne").Run(); err != nil {
		parts.Need(t, "Daphne", fmt.Errorf("%w: daphne for %s (Debian's package python3-daphne)", parts.ErrMissing, python))
	}
	port, err := parts.FreePort()
	must(t, err)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	must(t, err)
	defer log.Close() // Daphne has its own
	cmd := exec.Command(python, "-m", "daphne", "--verbosity", "0", "--websocket_connect_timeout", "60", "--ping-timeout", "60", "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "daphnesite:application")
	cmd.Dir = "testdata"
	cmd.Env = append(os.Environ(), "BURST_REDIS="+redisURL, "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stdout, cmd.Stderr = log, log
	p, err := parts.Start(parts.Account{}, cmd)
	must(t, err)
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("Daphne said:\n%s", said)
		}
	})
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	waitUntil(t, "Daphne listens", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return addr
}

// TestF26 has Django send a burst to a process with many sockets: Belleville's, and then Daphne's.
func TestF26(t *testing.T) {
	needPeer(t)
	sockets, sends := size(10_000, 50), size(1000, 150)
	what := fmt.Sprintf("%d group_sends of Django's at once to %d sockets of ", sends, sockets)
	t.Run("Belleville", func(t *testing.T) {
		redis := redistest.Open(t)
		b := serve(t, "", openRoutes("BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=channels_redis.core.RedisChannelLayer",
			"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_HOSTS="+redis.URL(), "BELLEVILLE_LIMITS_PONG_TIMEOUT=60s")...) // a ping waits behind the burst
		r := burst(t, fillHall(t, b.addr, make([]*login, sockets)), redis.URL(), sends)
		figure := fmt.Sprintf("%v; %.0f of the events were older than 60 s when their turn came, and counted", r, b.metric("redislayer_events_dropped_total", "expired"))
		row(t, r.silent() == 0 && r.wrong == 0 && r.cut == 0, "F26", what+"belleville serve", figure, "all, or counted by the sender")
	})
	t.Run("Daphne", func(t *testing.T) {
		redis := redistest.Open(t)
		r := burst(t, fillHall(t, startDaphne(t, redis.URL()), make([]*login, sockets)), redis.URL(), sends)
		row(t, r.came > 0, "F26", what+"Daphne", r.String(), "no limit: for comparison")
	})
}
