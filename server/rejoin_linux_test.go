package server_test

import (
	"io"
	"net/http"
	"runtime"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
)

// A proxy keeps its connections. One that becomes a WebSocket after a plain request costs what any other costs.
func TestAnUpgradeOfAKeptConnectionCostsNoGoroutines(t *testing.T) {
	const kept = 60
	reg := newRegistry()
	s := serve(t, echoes(), server.Config{Registerer: reg})
	s.open(t)
	before := runtime.NumGoroutine()
	var peers []*peer
	for range kept {
		p := s.raw(t)
		p.say("GET /x HTTP/1.1\r\nHost: example.com\r\n\r\n")
		first, err := http.ReadResponse(p.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, first.Body)
		p.say(goodHead + frame(fText, "early"))
		if r, _ := p.answer(); r.StatusCode != 101 {
			t.Fatalf("status = %d, want 101", r.StatusCode)
		}
		if _, got := p.read(); got != "early" {
			t.Fatalf("message = %q, want early", got)
		}
		peers = append(peers, p)
	}
	eventually(t, "no goroutine for each", func() bool { return runtime.NumGoroutine() < before+kept/4 })
	if got := reg.value("server_connections"); got != kept+1 {
		t.Errorf("server_connections = %v, want %d", got, kept+1)
	}
	for _, p := range peers {
		p.say(frame(fText, "late"))
		if _, got := p.read(); got != "late" {
			t.Fatalf("message = %q, want late", got)
		}
		p.say(frame(fClose, closePayload(goingAway, "")))
		p.wantClosed(goingAway)
		_ = p.Close()
	}
	eventually(t, "one connection is left", func() bool { return reg.value("server_connections") == 1 })
}

// goingAway is a code that a client closes with.
const goingAway = uint16(consumers.CloseGoingAway)
