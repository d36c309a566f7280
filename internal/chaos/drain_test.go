package chaos_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// endOf returns how sockets ended: how many with each code, and when the first and the last did.
func endOf(sockets []*socket) (codes map[int]int, first, last time.Time) {
	codes = make(map[int]int)
	for _, s := range sockets {
		<-s.ended
		code, at, _, _ := s.end()
		codes[code]++
		if first.IsZero() || !at.IsZero() && at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	return codes, first, last
}

func TestF12Drain(t *testing.T) {
	n, rate := size(9000, 300), size(2000, 200)
	for _, window := range []time.Duration{0, size(10*time.Second, 2*time.Second)} {
		s := serve(t, "", openRoutes("BELLEVILLE_LIMITS_DRAIN_WINDOW="+window.String())...)
		sockets := guests(t, s.addr, "/ws/open/", n)
		load := talk(t, s.addr, rate/10, 100*time.Millisecond)
		must(t, sockets[0].write(0x1, []byte(`{"t":1}`)))
		pass(time.Second)
		began := time.Now()
		s.signal(syscall.SIGTERM)
		red := waitUntil(t, "it is not ready", func() bool { return s.ready() != 200 })
		codes, _, last := endOf(sockets)
		code, _ := s.exit()
		took, spread := time.Since(began), last.Sub(began)
		load.end()
		_, failed := load.took()
		what := fmt.Sprintf("SIGTERM with %d sockets under %d echoes/s, window %v", n, rate, window)
		row(t, codes[1012] == n && failed == 0, "F12", what, fmt.Sprintf("codes %v, %d echoes cut off", codes, failed), "all 1012, none cut off")
		row(t, code == 0, "F12", what, fmt.Sprint("exit code ", code), "0")
		row(t, red <= size(50*time.Millisecond, time.Second), "F12", what, "readiness red after "+milliseconds(red), size("50 ms", "1 s"))
		if window == 0 {
			row(t, took <= 5*time.Second, "F12", what, "gone after "+seconds(took), "5 s")
			continue
		}
		slack := max(window/20, size(200*time.Millisecond, time.Second))
		row(t, spread > window-slack && spread < window+slack, "F12", what, "last close after "+seconds(spread), fmt.Sprint(window, " +- ", slack))
	}
}

func TestF13DrainWithStalledReaders(t *testing.T) {
	const timeout = 3 * time.Second
	n, stalled := size(2000, 100), size(500, 30)
	s := serve(t, "", openRoutes("BELLEVILLE_LIMITS_DRAIN_TIMEOUT="+timeout.String())...)
	sockets := guests(t, s.addr, "/ws/anyone/", n)
	frame := append([]byte{0x82, 0xfe, 0xff, 0xff, 0, 0, 0, 0}, make([]byte, 65535)...)
	for range stalled {
		conn, _ := raw(t, s.addr, "/ws/anyone/")
		_ = conn.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		for range 200 { // until nothing more goes in
			if _, err := conn.Write(frame); err != nil {
				break
			}
		}
	}
	began := time.Now()
	s.signal(syscall.SIGTERM)
	codes, _, last := endOf(sockets)
	code, _ := s.exit()
	took := time.Since(began)
	what := fmt.Sprintf("SIGTERM with %d clients that read nothing and %d that do, timeout %v", stalled, n, timeout)
	row(t, took <= timeout+time.Second && code == 0, "F13", what, fmt.Sprintf("gone after %s, exit code %d", seconds(took), code), fmt.Sprint(timeout+time.Second, ", 0"))
	row(t, codes[1012] == n, "F13", what, fmt.Sprintf("codes of the others %v, the last after %s", codes, seconds(last.Sub(began))), "all 1012")
}

func TestF14SignalsDuringADrain(t *testing.T) {
	for _, second := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		s := serve(t, "", openRoutes("BELLEVILLE_LIMITS_DRAIN_WINDOW=1m")...)
		guests(t, s.addr, "/ws/anyone/", 50)
		s.signal(syscall.SIGTERM)
		waitUntil(t, "it drains", func() bool { return s.ready() == 503 })
		s.signal(syscall.SIGHUP)
		waitUntil(t, "it says what becomes of SIGHUP", func() bool { return s.said("SIGHUP: nothing is read again while the process ends") })
		s.signal(second)
		code, took := s.exit()
		what := "SIGHUP and then " + strings.ToUpper(second.String()) + " during a drain of a minute"
		row(t, code == 1 && took < time.Second, "F14", what, fmt.Sprintf("SIGHUP ignored with a line, gone after %s, exit code %d", seconds(took), code), "1 s, 1")
	}
}
