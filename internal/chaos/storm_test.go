package chaos_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/pgtest"
)

// poolSize is the default of database.pool_size; one more connection listens.
const poolSize = 6

// TestF03 has all clients of a server that was killed come back at once. T51 is the same again, with what it remembers
// warm.
func TestF03(t *testing.T) {
	s := openSite(t, pgtest.Open(t))
	s.migrate("up", "live_sessions")
	s.migrate("up", "live_sessions_updates")
	b := serve(t, s.db.URL(), "BELLEVILLE_LIVE_TRIGGERS=required")
	logins := s.logins("u", size(1000, 50), 1, 24*time.Hour)
	c, in := enter(t, b.addr, logins, 10)
	t.Log("at first: ", in)
	n := len(c.sockets)
	for _, storm := range []string{"cold", "warm"} {
		if storm == "cold" {
			b.kill()
			for _, k := range c.sockets {
				<-k.ended
			}
			b.start()
		} else {
			c.leave()
		}
		waitUntil(t, "changes are heard of", func() bool { return b.metric("changes_heard", "") == 1 })
		before, hits := b.queries(), b.metric("sessions_remembered_total", `result="hit"`)
		most := s.watchConnections()
		c, in = enter(t, b.addr, logins, 10)
		queries, remembered := b.queries()-before, b.metric("sessions_remembered_total", `result="hit"`)-hits
		connections := most()
		limit := size(10*time.Second, 30*time.Second)
		id := map[string]string{"cold": "F03", "warm": "T51"}[storm]
		row(t, in.took <= limit && connections <= poolSize+1, id, fmt.Sprintf("%d clients of %d sessions reconnect at once, cache %s", n, len(logins), storm),
			fmt.Sprintf("%v; %d queries, %.0f lookups remembered, %d Postgres connections", in, queries, remembered, connections),
			fmt.Sprintf("%v, %d connections", limit, poolSize+1))
	}
}

// knocking is what a steady stream of handshakes met.
type knocking struct {
	cancel  func()
	running sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	results map[string]int
	bare    int // refused with 503, but without Retry-After
	times   []time.Duration
	lastIn  time.Time
}

// knock opens sockets, and closes them at once, so many a second, by turns for some logins, until stop.
func knock(addr, path string, logins []*login, aSecond int) *knocking {
	done := make(chan struct{})
	k := &knocking{results: make(map[string]int), cancel: sync.OnceFunc(func() { close(done) })}
	k.running.Go(func() {
		ticks := time.NewTicker(time.Second / time.Duration(aSecond))
		defer ticks.Stop()
		for i := 0; ; i++ {
			select {
			case <-ticks.C:
				k.running.Go(func() { k.try(addr, path, logins[i%len(logins)]) })
			case <-done:
				return
			}
		}
	})
	return k
}

// try makes one handshake.
func (k *knocking) try(addr, path string, l *login) {
	began := time.Now()
	s, err := dial(addr, path, l, "203.0.113.8")
	took := time.Since(began)
	if err == nil {
		_ = s.conn.Close()
		<-s.ended
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.times = append(k.times, took)
	if err == nil {
		k.results["101"]++
		k.lastIn = time.Now()
		return
	}
	k.results[kindOfRefusal(err)]++
	if e, ok := err.(*errStatus); ok && e.status == http.StatusServiceUnavailable && e.retryAfter == "" {
		k.bare++
	}
}

// stop ends the stream, and returns how many handshakes there were, how many of them failed, and how many of those
// otherwise than with 503 and Retry-After.
func (k *knocking) stop() (all, failed, otherwise int) {
	k.cancel()
	k.running.Wait()
	for result, n := range k.results {
		all += n
		if result != "101" {
			failed += n
		}
		if result != "101" && result != "503" {
			otherwise += n
		}
	}
	return all, failed, otherwise + k.bare
}

// p99 returns how long a handshake took.
func (k *knocking) p99() time.Duration { return quantile(k.times, 0.99) }

// floodFrom makes handshakes from one address until stop, as cheaply as a client can: it does not look at what it is
// answered, but waits for it, and its connections leave nothing behind.
func floodFrom(addr string, cookie func(i int64) string, n *atomic.Int64, stop <-chan struct{}) {
	answer := make([]byte, 512)
	for {
		select {
		case <-stop:
			return
		default:
		}
		conn, err := net.DialTimeout("tcp", addr, handshakeTimeout)
		if err != nil {
			continue // it is tried again
		}
		_ = conn.SetDeadline(time.Now().Add(handshakeTimeout)) // an open connection takes it
		_, _ = io.WriteString(conn, "GET /ws/room/ HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nConnection: Upgrade\r\n"+
			"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Forwarded-For: 203.0.113.7\r\n"+cookie(n.Add(1))+"\r\n")
		_, _ = conn.Read(answer)
		_ = conn.(*net.TCPConn).SetLinger(0) // it was dialled as such
		_ = conn.Close()
	}
}

// TestT20 floods a server with session keys that are nobody's. The machine is as busy with the requests to which the
// figure is compared: they have no session, and are refused.
func TestT20(t *testing.T) {
	s := openSite(t, pgtest.Open(t))
	b := serve(t, s.db.URL(), "BELLEVILLE_TRUSTED_PROXIES=127.0.0.1")
	logins := s.logins("u", 50, 1, 24*time.Hour)
	duration := size(10*time.Second, 2*time.Second)
	measure := func(cookie func(i int64) string) (p99 time.Duration, tries int64, failed int) {
		stop, flood := make(chan struct{}), new(sync.WaitGroup)
		var n atomic.Int64
		for range 16 {
			flood.Go(func() { floodFrom(b.addr, cookie, &n, stop) })
		}
		valid := knock(b.addr, "/ws/room/", logins, 50)
		pass(duration)
		_, failed, _ = valid.stop()
		close(stop)
		flood.Wait()
		return valid.p99(), n.Load(), failed
	}
	usual, others, _ := measure(func(int64) string { return "" })
	before := b.metric("sessions_loaded_total", `result="unknown"`)
	p99, tries, failed := measure(func(i int64) string { return fmt.Sprintf("Cookie: sessionid=%032d\r\n", i) })
	asked := b.metric("sessions_loaded_total", `result="unknown"`) - before
	limit := 100*duration.Seconds()*1.2 + 200 // what the default of max_unknown_keys allows
	row(t, asked > 0 && asked <= limit, "T20", fmt.Sprintf("%.0f handshakes a second with keys that are nobody's, from one address", float64(tries)/duration.Seconds()),
		fmt.Sprintf("%.0f of %d keys looked up", asked, tries), fmt.Sprintf("%.0f: 100 a second, and a burst", limit))
	row(t, failed == 0 && p99 <= size[time.Duration](2, 20)*usual, "T20", "visitors of another address meanwhile",
		fmt.Sprintf("p99 %v, and %v while %.0f a second without a key are refused; %d failed", p99.Round(100*time.Microsecond), usual.Round(100*time.Microsecond), float64(others)/duration.Seconds(), failed), "twice as long; none fails")
}
