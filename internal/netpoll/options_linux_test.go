package netpoll_test

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/netpoll"
)

// plainListener listens without Multipath TCP, whose connections do not inherit all options.
func plainListener(t *testing.T) net.Listener {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestAcceptedSocketsInheritTheUserTimeout(t *testing.T) {
	l := plainListener(t)
	if err := netpoll.SetUserTimeout(l.(syscall.Conn), 12345*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	raw, err := served.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) {
		if got, err := netpoll.UserTimeout(int(fd)); got != 12345*time.Millisecond || err != nil {
			t.Errorf("TCP_USER_TIMEOUT = %v, %v, want 12.345s", got, err)
		}
	})
}

// What a peer does not read stays with us, where it counts, and is not hidden in the kernel.
func TestTheKernelKeepsLittleForAPeerThatDoesNotRead(t *testing.T) {
	l := plainListener(t)
	listener, err := netpoll.Duplicate(l.(syscall.Conn))
	if err != nil {
		t.Fatal(err)
	}
	defer netpoll.Close(listener)
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	fd, _, err := netpoll.Accept(listener)
	if err != nil {
		t.Fatal(err)
	}
	defer netpoll.Close(fd)
	kept, block := 0, make([]byte, 16<<10)
	for {
		n, err := netpoll.Write(fd, block)
		if errors.Is(err, netpoll.ErrAgain) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kept += n
	}
	if kept < 64<<10 || kept > 512<<10 {
		t.Errorf("the kernel took %d bytes, want some, and less than half a megabyte", kept)
	}
}
