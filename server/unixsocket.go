package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// defaultUnixMode lets a proxy in that shares the server's group.
const defaultUnixMode fs.FileMode = 0o660

// ListenUnix listens on a socket file of its own. Who may connect is who may write to it, so that its permissions are
// those of mode from the first moment, whatever the umask is. A file that a dead process left behind is replaced; one
// that answers, or that may, is not, and neither is a file that is no socket.
func ListenUnix(path string, mode fs.FileMode) (net.Listener, error) {
	if mode&^fs.ModePerm != 0 {
		return nil, fmt.Errorf("listen on unix:%s: %v is more than permissions", path, mode)
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("listen on unix:%s: %w", path, err)
	}
	var config net.ListenConfig
	config.Control = func(_, _ string, raw syscall.RawConn) error {
		var chmodErr error
		err := raw.Control(func(fd uintptr) { chmodErr = syscall.Fchmod(int(fd), uint32(mode)) }) // the file gets what the socket has
		return errors.Join(err, chmodErr)
	}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil { // and what the umask took
		return nil, errors.Join(fmt.Errorf("listen on unix:%s: %w", path, err), l.Close())
	}
	return l, nil
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
	c, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = c.Close()
		return errInUse
	case errors.Is(err, fs.ErrNotExist):
		return nil // it is gone by now
	case !errors.Is(err, syscall.ECONNREFUSED):
		return errInUse // it may be busy, or not for us
	}
	return os.Remove(path)
}
