package redislayer

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestCanaries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c canaries
		c.reset(2)
		numbers, missed, deaf := c.send()
		if len(numbers) != 2 || missed != 0 || deaf {
			t.Fatalf("send = %v, %d missed, deaf %v, want the first two", numbers, missed, deaf)
		}
		if !c.waiting() {
			t.Error("waiting = false with two on their way")
		}
		<-time.After(time.Second)
		if lag, all, ok := c.back(0, numbers[0]); lag != time.Second || all || !ok {
			t.Errorf("back(0) = %v, %v, %v, want a lag of a second in one of two lanes", lag, all, ok)
		}
		if _, _, ok := c.back(0, numbers[0]); ok {
			t.Error("a canary came back twice, want the second one ignored")
		}
		if _, all, ok := c.back(1, numbers[1]); !all || !ok {
			t.Errorf("back(1) = %v, %v, want all lanes", all, ok)
		}
		if c.waiting() {
			t.Error("waiting = true when all are back")
		}
		c.send()
		if _, missed, deaf = c.send(); missed != 2 || deaf {
			t.Errorf("after one miss: %d missed, deaf %v, want 2 and not yet", missed, deaf)
		}
		if _, _, ok := c.back(0, numbers[0]+1); ok {
			t.Error("a late canary counts, want it ignored")
		}
		if _, _, deaf = c.send(); !deaf {
			t.Error("after two misses the host is not deaf, want it deaf")
		}
		c.reset(2)
		if _, _, deaf = c.send(); deaf {
			t.Error("a new session is deaf, want a fresh start")
		}
		if _, _, ok := c.back(7, int64(1)); ok {
			t.Error("a lane that does not exist counts")
		}
	})
}

// TestCanariesAreDue follows one that does not come back: it counts as missed, and the host as deaf, within an interval.
func TestCanariesAreDue(t *testing.T) {
	var c canaries
	c.reset(1)
	for round, comeBack := range []bool{true, false} {
		var sent []int
		for fifth := range fifths {
			if !c.due(fifth) {
				continue
			}
			numbers, _, deaf := c.send()
			if sent = append(sent, fifth); deaf {
				break
			}
			if comeBack {
				c.back(0, numbers[0])
			}
		}
		if want := [][]int{{0}, {0, 2, 4}}[round]; !slices.Equal(sent, want) {
			t.Errorf("where they come back = %t, canaries are sent in the fifths %v, want %v", comeBack, sent, want)
		}
	}
}

func TestBackoff(t *testing.T) {
	var b backoff
	for try := range 100 {
		bound := min(longestWait, firstPause<<min(try, 20))
		if d := b.next(); d < 0 || d >= bound {
			t.Errorf("try %d waits %v, want less than %v", try, d, bound)
		}
	}
	b.reset()
	if d := b.next(); d >= firstPause {
		t.Errorf("after reset: %v, want less than %v", d, firstPause)
	}
}

func TestDialer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	d := newDialer("tcp")
	dial := func(config *tls.Config) error {
		conn, err := d.dial(t.Context(), addr, new(net.Dialer), config)
		if err == nil {
			err = conn.Close()
		}
		return err
	}
	if err := dial(nil); err != nil {
		t.Errorf("dial = %v, want a connection", err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	a := d.address(addr)
	for range 20 { // the pause is random, and may be none
		if err := dial(nil); err == nil {
			t.Fatal("connected to nobody")
		}
	}
	if a.backoff.failures == 0 || a.backoff.failures > 20 {
		t.Errorf("%d failures, want some", a.backoff.failures)
	}
	a.next = time.Now().Add(time.Hour)
	if err := dial(nil); !errors.Is(err, errTooSoon) {
		t.Errorf("dial before its time = %v, want errTooSoon", err)
	}
	a.turn <- struct{}{} // somebody else dials
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.dial(ctx, addr, new(net.Dialer), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("dial while another one does = %v, want to wait for ctx", err)
	}
}

func TestArrivalsAreBounded(t *testing.T) {
	a := newArrivals()
	a.put(make([]message, mostWaiting))
	if a.hasRoom() {
		t.Errorf("there is room beyond %d messages", mostWaiting)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errDeaf)
	if err := a.awaitRoom(ctx); !errors.Is(err, errDeaf) {
		t.Errorf("awaitRoom = %v, want to wait until ctx is done", err)
	}
	a.take()
	a.put([]message{{data: make([]byte, mostBytes)}})
	if a.hasRoom() {
		t.Errorf("there is room beyond %d bytes", mostBytes)
	}
	if a.take(); !a.hasRoom() {
		t.Error("there is no room after all was taken")
	}
}
