// Package memcachetest gives tests a real memcached: Debian's, private, on a free port.
//
// Start with [Open]. It never touches a server that it did not start. A server ends with the process that started
// it, also when that is killed.
package memcachetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/parts"
)

const (
	patience  = 20 * time.Second
	portTries = 5 // somebody may take the port that was free a moment before
)

// A Server is a memcached of a test's own, on a free port of 127.0.0.1. Its methods are called by one goroutine at
// a time.
type Server struct {
	account parts.Account
	program string
	port    int
	process *parts.Process // nil while it is stopped
}

// Open starts a server, which ends with the test. Without memcached it skips the test, or fails it in CI.
func Open(t testing.TB) *Server {
	t.Helper()
	s, err := newServer(t.Context())
	parts.Need(t, "memcached", err)
	t.Cleanup(func() {
		if s.process == nil {
			return
		}
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newServer(ctx context.Context) (*Server, error) {
	program, err := exec.LookPath("memcached")
	if err != nil {
		return nil, fmt.Errorf("%w: memcached (Debian's package of that name)", parts.ErrMissing)
	}
	s := &Server{program: program}
	if s.account, err = parts.Unprivileged("memcache"); err != nil {
		return nil, err
	}
	for range portTries {
		if s.port, err = parts.FreePort(); err != nil {
			return nil, err
		}
		if err = s.Start(ctx); err == nil {
			return s, nil
		}
	}
	return nil, err
}

// Start starts the server again after Kill, on the same port, empty, and returns when it answers.
func (s *Server) Start(ctx context.Context) error {
	cmd := exec.Command(s.program, "-l", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", "0", "-m", "64")
	cmd.Dir = "/"
	var err error
	if s.process, err = parts.Start(s.account, cmd); err != nil {
		return err
	}
	if err := s.await(ctx); err != nil {
		return errors.Join(fmt.Errorf("start memcached: %w", err), s.Kill())
	}
	return nil
}

// await waits until the server answers.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		_, err := s.ask(ctx, "version\r\n")
		if err == nil {
			return nil
		}
		select {
		case <-look.C:
		case <-s.process.Ended():
			return errors.New("it ended by itself")
		case <-ctx.Done():
			return err
		}
	}
}

// ask sends a command and returns the first line of the answer.
func (s *Server) ask(ctx context.Context, command string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Address())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	if _, err := conn.Write([]byte(command)); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

// Store stores a value with flags, as any client may, for an hour.
func (s *Server) Store(t testing.TB, key string, flags uint32, value []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answer, err := s.ask(ctx, fmt.Sprintf("set %s %d 3600 %d\r\n%s\r\n", key, flags, len(value), value))
	if err != nil || answer != "STORED" {
		t.Fatalf("memcached's answer to set = %q, %v, want STORED", answer, err)
	}
}

// Kill ends the server at once, as in a crash.
func (s *Server) Kill() error {
	process := s.process
	if process == nil {
		return errors.New("the server does not run")
	}
	s.process = nil
	return process.Kill()
}

// Address is where it listens, as in "127.0.0.1:11211".
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }
