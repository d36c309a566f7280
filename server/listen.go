package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/belleville/belleville/consumers"
)

// Listen listens on "127.0.0.1:8001", ":8001", "unix:/run/belleville.sock", or on a socket that was
// inherited, "fd:3". A socket file that a dead process left behind is replaced; one that answers is not.
func Listen(address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if err := removeStale(path); err != nil {
			return nil, fmt.Errorf("listen on %s: %w", address, err)
		}
		return net.Listen("unix", path)
	}
	if number, ok := strings.CutPrefix(address, "fd:"); ok {
		return inherited(number)
	}
	return net.Listen("tcp", address)
}

// errInUse means that somebody else listens.
var errInUse = errors.New("another process listens there")

// removeStale removes a socket file that nobody listens on.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("the file exists and is no socket")
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return errInUse
	}
	return os.Remove(path)
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
