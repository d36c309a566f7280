package server

import (
	"net"
	"testing"
)

func TestALoopGivesToOneThatHasFewer(t *testing.T) {
	tests := []struct {
		name      string
		own, have int64
		want      bool
	}{
		{"as many", 1000, 1000, false},
		{"a few more", 1063, 1000, false},
		{"notably more", 1064, 1000, true},
		{"a sixteenth of many", 100_000, 96_000, false},
		{"more than a sixteenth of many", 100_000, 94_000, true},
		{"fewer", 10, 1000, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, other := new(loop), new(loop)
			l.held.Store(tt.own)
			other.held.Store(tt.have)
			l.fleet = []*loop{l, other}
			for range 2 { // whichever it looks at
				if got := l.lighter() == other; got != tt.want {
					t.Errorf("it gives one away: %v, want %v", got, tt.want)
				}
			}
		})
	}
}

// openLoops serves a listener with loops.
func openLoops(t *testing.T, n int) (loops []*loop, addr string) {
	t.Helper()
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pools, _, err := newLab(Config{Loops: n}).server.open(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, p := range pools {
			p.close()
		}
	})
	for _, p := range pools[1:] {
		loops = append(loops, p.(*loop))
	}
	return loops, l.Addr().String()
}

func TestWhatABusyLoopDoesNotAcceptIsGivenToIt(t *testing.T) {
	const clients = 400
	loops, addr := openLoops(t, 2)
	busy, free := make(chan struct{}), make(chan struct{})
	go loops[0].call(func() { close(busy); <-free })
	<-busy
	var conns []net.Conn
	for range clients {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	for loops[0].held.Load()+loops[1].held.Load() < clients {
		loops[1].call(func() {}) // who accepts them all
	}
	close(free)
	var answer [12]byte
	for i, c := range conns {
		if _, err := c.Write([]byte("GET / HTTP/1.1\r\nno header\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(answer[:]); err != nil || string(answer[:]) != "HTTP/1.1 400" {
			t.Fatalf("client %d is answered %q, %v", i, answer, err)
		}
	}
	for i, l := range loops {
		var held int64
		l.call(func() { held = l.held.Load() })
		if held < (clients-uneven)/2-1 {
			t.Errorf("loop %d has %d connections of %d", i, held, clients)
		}
	}
}

func TestAConnectionOnItsWayToALoopThatEndsIsClosed(t *testing.T) {
	loops, addr := openLoops(t, 2)
	busy, free := make(chan struct{}), make(chan struct{})
	go loops[0].call(func() { close(busy); <-free; loops[0].quit = true })
	<-busy
	loops[1].call(func() { loops[1].held.Add(1000) }) // so that it keeps none
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for loops[0].held.Load() == 0 {
		loops[1].call(func() {})
	}
	loops[1].call(func() { loops[1].held.Add(-1000) })
	close(free)
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d bytes, %v; want the end", n, err)
	}
}
