package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/belleville/belleville/consumers"
)

// Listen listens on "127.0.0.1:8001", ":8001", "unix:/run/belleville.sock", or on a socket that was
// inherited, "fd:3". A socket file is for the server's user and group; see [ListenUnix].
func Listen(address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return ListenUnix(path, defaultUnixMode)
	}
	if number, ok := strings.CutPrefix(address, "fd:"); ok {
		return inherited(number)
	}
	var config net.ListenConfig
	config.SetMultipathTCP(false) // its sockets lack options of TCP, as the one for Config.UserTimeout
	return config.Listen(context.Background(), "tcp", address)
}

// inherited returns the listener that the parent process opened.
func inherited(number string) (net.Listener, error) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 3 || n > 1<<16 {
		return nil, fmt.Errorf("listen on fd:%s: want the number of an inherited socket, as in fd:3", number)
	}
	f := os.NewFile(uintptr(n), "fd:"+number)
	l, err := net.FileListener(f)
	_ = f.Close() // FileListener has its own copy
	if err != nil {
		return nil, fmt.Errorf("listen on fd:%s: it is no listening socket of this process", number)
	}
	return l, nil
}

// tooMany is the answer to a connection that cannot be held.
func tooMany(status int) []byte {
	return appendRefused(nil, consumers.Response{Status: status, Header: retryAfter()})
}
