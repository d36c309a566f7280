//go:build unix

package server_test

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/belleville/belleville/server"
)

func TestAUnixSocketHasTheModeThatItIsGiven(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	for _, mode := range []fs.FileMode{0o600, 0o660, 0o666, 0o777} {
		path := filepath.Join(t.TempDir(), "s")
		l, err := server.ListenUnix(path, mode)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("mode = %v, %v, want %v", info.Mode().Perm(), err, mode)
		}
	}
	path := filepath.Join(t.TempDir(), "s")
	l, err := server.Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("by default the mode is %v, %v, want 0660", info.Mode().Perm(), err)
	}
}

func TestWhatStandsInTheWayOfAUnixSocket(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name string
		make func(path string) error
		want bool // it is replaced
	}{
		{"nothing", func(string) error { return nil }, true},
		{"the file of a dead process", func(path string) error { return bind(path) }, true},
		{"a file", func(path string) error { return os.WriteFile(path, []byte("precious"), 0o600) }, false},
		{"a directory", func(path string) error { return os.Mkdir(path, 0o700) }, false},
		{"a link to a socket", func(path string) error {
			if err := bind(path + ".target"); err != nil {
				return err
			}
			return os.Symlink(path+".target", path)
		}, false},
		{"a socket that answers", func(path string) error {
			l, err := net.Listen("unix", path)
			if err == nil {
				t.Cleanup(func() { _ = l.Close() })
			}
			return err
		}, false},
		{"a living socket of another kind", func(path string) error {
			c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
			if err == nil {
				t.Cleanup(func() { _ = c.Close() })
			}
			return err
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(dir, tt.name)
			if err := tt.make(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.Lstat(path)
			l, err := server.ListenUnix(path, 0o600)
			if (err == nil) != tt.want {
				t.Errorf("ListenUnix: %v, want that it works: %v", err, tt.want)
			}
			if err == nil {
				_ = l.Close()
				return
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Error("what stood in the way is gone")
			}
		})
	}
	if l, err := server.ListenUnix(filepath.Join(dir, "odd"), fs.ModeSetuid|0o600); err == nil {
		_ = l.Close()
		t.Error("a mode that is more than permissions was taken")
	}
}

// bind leaves a socket file behind on which nobody listens.
func bind(path string) error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return syscall.Bind(fd, &syscall.SockaddrUnix{Name: path})
}
