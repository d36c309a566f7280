package netpoll_test

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/netpoll"
)

func TestAcceptedSocketsInheritTheUserTimeout(t *testing.T) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
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
