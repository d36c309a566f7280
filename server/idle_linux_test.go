package server_test

import (
	"runtime"
	"testing"

	"github.com/belleville/belleville/server"
)

func TestIdleConnectionsCostNoGoroutines(t *testing.T) {
	s := serve(t, chatters(), server.Config{})
	s.open(t) // so that all that there is once is there
	settled := 0
	eventually(t, "the first one is settled", func() bool {
		last := settled
		settled = runtime.NumGoroutine()
		return settled == last
	})
	var last *peer
	for range 1000 {
		last = s.open(t)
	}
	spare := 16 * runtime.GOMAXPROCS(0) // goroutines that each loop may keep
	eventually(t, "as many goroutines as for one connection", func() bool { return runtime.NumGoroutine() <= settled+spare })
	last.say(frame(fText, "still here"))
	if _, got := last.read(); got != "still here" {
		t.Errorf("message = %q, want still here", got)
	}
}

func TestAnOpenConnectionKeepsNothingOfItsHead(t *testing.T) {
	const clients = 200
	s := serve(t, echoes(), server.Config{})
	large := with("", "X-Large: "+repeat("x", 15<<10)+"\r\n")
	before := heap()
	for range clients {
		p := s.raw(t)
		p.say(large)
		p.answer()
	}
	// What is measured is the clients' too, whose readers have 4 KiB each.
	if grown := (heap() - before) / clients; grown > 10<<10 {
		t.Errorf("%d bytes for each connection, of whose head there were more than %d", grown, 15<<10)
	}
}
