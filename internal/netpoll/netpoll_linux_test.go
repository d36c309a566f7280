package netpoll_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/netpoll"
)

// patience is how long a test waits for an event, in milliseconds.
const patience = 10_000

// pair is a connection that was accepted here, and its other end.
type pair struct {
	fd    int
	peer  netip.AddrPort
	other *net.TCPConn
}

// newPair makes a connection through a listener.
func newPair(t *testing.T) pair {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	listener, err := netpoll.Duplicate(l.(syscall.Conn))
	if err != nil {
		t.Fatal(err)
	}
	defer netpoll.Close(listener)
	if _, _, err := netpoll.Accept(listener); !errors.Is(err, netpoll.ErrAgain) {
		t.Fatalf("Accept of nobody: %v, want ErrAgain", err)
	}
	other, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	fd, peer, err := netpoll.Accept(listener)
	if err != nil {
		t.Fatal(err)
	}
	return pair{fd, peer, other.(*net.TCPConn)}
}

// newPoller returns a Poller that watches a descriptor under a token.
func newPoller(t *testing.T, fd int, token uint64) *netpoll.Poller {
	t.Helper()
	p, err := netpoll.Open(8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	if fd >= 0 {
		if err := p.Add(fd, token); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// next waits for events. A signal may interrupt a wait.
func next(t *testing.T, p *netpoll.Poller) netpoll.Event {
	t.Helper()
	for end := time.Now().Add(patience * time.Millisecond); time.Now().Before(end); {
		events, err := p.Wait(nil, patience)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) > 0 {
			return events[0]
		}
	}
	t.Fatal("no event came")
	return netpoll.Event{}
}

func TestAConnectionsLife(t *testing.T) {
	c := newPair(t)
	const token = 0xfedc_ba98_7654_3210
	p := newPoller(t, c.fd, token)
	if want := c.other.LocalAddr().String(); c.peer.String() != want {
		t.Errorf("the peer is %v, want %v", c.peer, want)
	}
	if got, want := netpoll.LocalAddr(c.fd).String(), c.other.RemoteAddr().String(); got != want {
		t.Errorf("LocalAddr = %v, want %v", got, want)
	}
	if events, err := p.Wait(nil, 0); len(events) > 0 || err != nil {
		t.Errorf("a new connection: %+v, %v, want no event", events, err)
	}
	buf := make([]byte, 100)
	if n, err := netpoll.Read(c.fd, buf); n != 0 || !errors.Is(err, netpoll.ErrAgain) {
		t.Errorf("Read = %d, %v, want 0, ErrAgain", n, err)
	}
	if _, err := io.WriteString(c.other, "hello"); err != nil {
		t.Fatal(err)
	}
	if ev := next(t, p); ev.Token != token || !ev.Readable || ev.Writable || ev.HungUp {
		t.Errorf("bytes have come: %+v, want it readable", ev)
	}
	if n, err := netpoll.Read(c.fd, buf); string(buf[:n]) != "hello" || err != nil {
		t.Errorf("Read = %q, %v, want hello", buf[:n], err)
	}
	if n, err := netpoll.Write(c.fd, []byte("bye")); n != 3 || err != nil {
		t.Errorf("Write = %d, %v, want 3", n, err)
	}
	netpoll.CloseWrite(c.fd)
	if got, err := io.ReadAll(c.other); string(got) != "bye" || err != nil {
		t.Errorf("the peer got %q, %v, want bye", got, err)
	}
	if err := c.other.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if ev := next(t, p); !ev.Readable || !ev.HungUp {
		t.Errorf("the stream has ended: %+v, want it readable and hung up", ev)
	}
	if n, err := netpoll.Read(c.fd, buf); n != 0 || err != nil {
		t.Errorf("Read = %d, %v at the end of the stream, want 0, nil", n, err)
	}
	netpoll.Close(c.fd)
}

func TestAResetIsAnError(t *testing.T) {
	c := newPair(t)
	p := newPoller(t, c.fd, 1)
	if err := errors.Join(c.other.SetLinger(0), c.other.Close()); err != nil {
		t.Fatal(err)
	}
	if ev := next(t, p); !ev.Readable || !ev.HungUp {
		t.Errorf("event = %+v, want it readable and hung up", ev)
	}
	if _, err := netpoll.Read(c.fd, make([]byte, 1)); err == nil || errors.Is(err, netpoll.ErrAgain) {
		t.Errorf("Read: %v, want that the connection is gone", err)
	}
	if _, err := netpoll.Write(c.fd, []byte("x")); err == nil || errors.Is(err, netpoll.ErrAgain) {
		t.Errorf("Write: %v, want that the connection is gone", err)
	}
	netpoll.Close(c.fd)
}

func TestAFullSocketSaysWhenThereIsRoom(t *testing.T) {
	c := newPair(t)
	p := newPoller(t, c.fd, 1)
	block, written := make([]byte, 64<<10), 0
	for {
		n, err := netpoll.Write(c.fd, block)
		written += n
		if errors.Is(err, netpoll.ErrAgain) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var running sync.WaitGroup
	if err := p.AddWrites(c.fd, 2); err != nil {
		t.Fatal(err)
	}
	running.Go(func() { _, _ = io.CopyN(io.Discard, c.other, int64(written)) })
	if ev := next(t, p); ev.Token != 2 || !ev.Writable || ev.Readable {
		t.Errorf("there is room: %+v, want it writable", ev)
	}
	if _, err := netpoll.Write(c.fd, []byte("x")); err != nil {
		t.Errorf("Write: %v once there is room", err)
	}
	running.Wait()
	if err := p.AddWrites(c.fd, 3); err != nil {
		t.Fatal(err)
	}
	if ev := next(t, p); ev.Token != 3 || !ev.Writable {
		t.Errorf("there was room before: %+v, want it writable at once", ev)
	}
	if err := p.RemoveWrites(c.fd, 1); err != nil {
		t.Fatal(err)
	}
	if events, err := p.Wait(nil, 0); len(events) > 0 || err != nil {
		t.Errorf("events of room that nobody asked for: %+v, %v", events, err)
	}
	netpoll.Close(c.fd)
}

func TestWakeEndsAWait(t *testing.T) {
	p := newPoller(t, -1, 0)
	for range 1000 {
		var running sync.WaitGroup
		for range 4 {
			running.Go(p.Wake)
		}
		start := time.Now()
		if events, err := p.Wait(nil, patience); len(events) > 0 || err != nil {
			t.Fatalf("Wait = %v, %v, want nothing", events, err)
		}
		if took := time.Since(start); took > patience/2*time.Millisecond {
			t.Fatalf("Wait took %v", took)
		}
		running.Wait()
		p.Wake() // one that nobody waits for is kept for the next
		if _, err := p.Wait(nil, patience); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADescriptorBecomesAConn(t *testing.T) {
	c := newPair(t)
	p := newPoller(t, c.fd, 1)
	if err := p.Remove(c.fd); err != nil {
		t.Fatal(err)
	}
	nc, err := netpoll.Conn(c.fd)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := io.WriteString(nc, "hi"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 2)
	if _, err := io.ReadFull(c.other, got); string(got) != "hi" || err != nil {
		t.Errorf("the peer got %q, %v, want hi", got, err)
	}
}

func TestIsExhausted(t *testing.T) {
	for err, want := range map[error]bool{
		syscall.EMFILE: true, syscall.ENFILE: true, fmt.Errorf("accept: %w", syscall.ENOBUFS): true,
		syscall.EINVAL: false, netpoll.ErrAgain: false, nil: false,
	} {
		if got := netpoll.IsExhausted(err); got != want {
			t.Errorf("IsExhausted(%v) = %v, want %v", err, got, want)
		}
	}
}

func ExampleOpen() {
	poller, err := netpoll.Open(128)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer poller.Close()
	poller.Wake() // from another goroutine, where somebody wants something
	events, err := poller.Wait(nil, -1)
	fmt.Println(len(events), err)
	// Output: 0 <nil>
}
