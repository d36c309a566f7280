package server_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/server"
)

func TestT35ClientsThatStopInAFrameHoldUpNobody(t *testing.T) {
	onBoth(t, echoes, server.Config{}, func(t *testing.T, s *site) {
		for _, stop := range []string{"G", goodHead[:40], goodHead + "\x81", goodHead + "\x82\xff\x00", goodHead + frame(fBinary, repeat("x", 5000))[:3000]} {
			for range 10 {
				s.raw(t).say(stop)
			}
		}
		p := s.open(t)
		for range 100 {
			p.say(frame(fText, "hi"))
			if _, got := p.read(); got != "hi" {
				t.Fatalf("message = %q, want hi", got)
			}
		}
	})
}

func TestT36TheLimitOfConnectionsIsExact(t *testing.T) {
	const limit, dials = 50, 200
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			l, err := server.Listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			reg := newRegistry()
			s := serveOn(t, tr.wrap(l), echoes(), server.Config{MaxConnections: limit, Registerer: reg})
			for round := range 3 {
				answers := s.dialAtOnce(t, dials)
				if answers[101] != limit || answers[503] != dials-limit {
					t.Errorf("round %d: answers %v, want %d times 101 and %d times 503", round, answers, limit, dials-limit)
				}
				eventually(t, "all places are free again", func() bool { return reg.value("server_connections") == 0 })
			}
		})
	}
}

// dialAtOnce makes so many handshakes at the same time, counts how they were answered, and closes all.
func (s *site) dialAtOnce(t *testing.T, dials int) map[int]int {
	t.Helper()
	statuses := make(chan int, dials)
	var running sync.WaitGroup
	answered := make(chan struct{})
	for range dials {
		running.Go(func() {
			c, err := net.Dial("tcp", s.addr)
			if err != nil {
				statuses <- 0
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			_, _ = io.WriteString(c, goodHead) // it may be refused before
			r, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				statuses <- 0
				return
			}
			statuses <- r.StatusCode
			<-answered // nobody's place is free before
		})
	}
	answers := map[int]int{}
	for range dials {
		answers[<-statuses]++
	}
	close(answered)
	running.Wait()
	return answers
}
