package netpoll_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/netpoll"
)

// pair returns both ends of a connection: a descriptor, and a net.Conn.
func pair(t *testing.T) (int, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fd, err := netpoll.Duplicate(l.(*net.TCPListener))
	if err != nil {
		t.Fatal(err)
	}
	defer netpoll.Close(fd)
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	p := openPoller(t)
	if err := p.AddListener(fd, 1); err != nil {
		t.Fatal(err)
	}
	wait(t, p, func(e netpoll.Event) bool { return e.Token == 1 && e.Readable })
	conn, peer, err := netpoll.Accept(fd)
	if err != nil || peer.String() != c.LocalAddr().String() {
		t.Fatalf("Accept = %v, %v, want %v", peer, err, c.LocalAddr())
	}
	return conn, c
}

// openPoller opens a Poller for one test.
func openPoller(t *testing.T) *netpoll.Poller {
	t.Helper()
	p, err := netpoll.Open(16)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// wait waits for an event that is as wanted.
func wait(t *testing.T, p *netpoll.Poller, want func(netpoll.Event) bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	var events []netpoll.Event
	for time.Now().Before(deadline) {
		var err error
		if events, err = p.Wait(events, 1000); err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if want(e) {
				return
			}
		}
	}
	t.Fatal("the event did not come")
}

func TestAConnectionTellsWhatIsPossible(t *testing.T) {
	fd, c := pair(t)
	defer netpoll.Close(fd)
	const token = 7<<32 | 5
	p := openPoller(t)
	if err := p.Add(fd, token); err != nil {
		t.Fatal(err)
	}
	wait(t, p, func(e netpoll.Event) bool { return e.Token == token && e.Writable && !e.Readable })

	if _, err := io.WriteString(c, "hi"); err != nil {
		t.Fatal(err)
	}
	wait(t, p, func(e netpoll.Event) bool { return e.Token == token && e.Readable && !e.HungUp })
	b := make([]byte, 8)
	if n, err := netpoll.Read(fd, b); err != nil || string(b[:n]) != "hi" {
		t.Errorf("Read = %q, %v, want hi", b[:n], err)
	}
	if _, err := netpoll.Read(fd, b); !errors.Is(err, netpoll.ErrAgain) {
		t.Errorf("Read of nothing: %v, want ErrAgain", err)
	}

	if n, err := netpoll.Write(fd, []byte("ho")); n != 2 || err != nil {
		t.Errorf("Write = %d, %v", n, err)
	}
	netpoll.CloseWrite(fd)
	if got, err := io.ReadAll(c); string(got) != "ho" || err != nil {
		t.Errorf("the peer read %q, %v", got, err)
	}
	_ = c.Close()
	wait(t, p, func(e netpoll.Event) bool { return e.Token == token && e.HungUp })
	if n, err := netpoll.Read(fd, b); n != 0 || err != nil {
		t.Errorf("Read at the end = %d, %v, want 0, nil", n, err)
	}
}

func TestWriteStopsWhereThereIsNoRoom(t *testing.T) {
	fd, _ := pair(t)
	defer netpoll.Close(fd)
	block := make([]byte, 1<<20)
	for range 1000 {
		if _, err := netpoll.Write(fd, block); errors.Is(err, netpoll.ErrAgain) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
	t.Error("a thousand megabytes went to a peer that does not read")
}

func TestWakeIsNeverLost(t *testing.T) {
	p := openPoller(t)
	const rounds = 5000
	var posted, seen int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range rounds {
				mu.Lock()
				posted++
				mu.Unlock()
				p.Wake()
			}
		})
	}
	var events []netpoll.Event
	for seen < 4*rounds {
		var err error
		if events, err = p.Wait(events, 10_000); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		if posted == seen && seen < 4*rounds {
			mu.Unlock()
			continue // an early wake-up is allowed
		}
		seen = posted
		mu.Unlock()
	}
	wg.Wait()
}
