package chaos_test

import (
	"fmt"
	"testing"
	"time"
)

func TestF17HalfOpenClients(t *testing.T) {
	interval, timeout := size(25*time.Second, 2*time.Second), size(10*time.Second, time.Second)
	n, silent := size(8000, 200), size(2000, 100)
	s := serve(t, "", openRoutes("BELLEVILLE_LIMITS_PING_INTERVAL="+interval.String(), "BELLEVILLE_LIMITS_PONG_TIMEOUT="+timeout.String())...)
	sockets := guests(t, s.addr, "/ws/anyone/", n)
	gone := make(chan time.Duration, silent)
	for range silent { // what a proxy that swallows everything looks like from the server: TCP lives, and says nothing
		conn, in := raw(t, s.addr, "/ws/anyone/")
		began := time.Now()
		go func() { // ends with the connection
			for {
				if _, _, err := readFrame(in); err != nil {
					break
				}
			}
			gone <- time.Since(began)
			_ = conn.Close()
		}()
	}
	var first, last time.Duration
	for i := range silent {
		select {
		case d := <-gone:
			if i == 0 {
				first = d
			}
			last = max(last, d)
		case <-time.After(interval + timeout + 10*time.Second):
			t.Fatalf("%d of %d are still held", silent-i, silent)
		}
	}
	limit := interval + timeout + time.Second
	what := fmt.Sprintf("%d of %d clients fall silent while TCP lives, ping %v, pong %v", silent, n+silent, interval, timeout)
	row(t, last <= limit && first >= interval, "F17", what, fmt.Sprintf("found after %s to %s", seconds(first), seconds(last)), limit.String())
	dropped := 0
	for _, c := range sockets {
		if !c.isOpen() {
			dropped++
		}
	}
	row(t, dropped == 0, "F17", what, fmt.Sprintf("%d of those who answer were dropped", dropped), "0")
}
