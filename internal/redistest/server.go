package redistest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/parts"
)

const (
	patience  = 20 * time.Second
	portTries = 5 // somebody may take the port that was free a moment before
)

// A Config says how a server differs from Debian's default. The zero Config is a good one.
type Config struct {
	// Password is what clients have to say. Default: nothing.
	Password string

	// TLS makes the TCP port speak TLS alone, with a certificate that Server.CAFile vouches for.
	TLS bool

	// Args are further arguments, as in "--maxmemory", "4mb".
	Args []string
}

// A Server is a Redis of a test's own, on a free port of 127.0.0.1 and a unix socket. It keeps nothing on disk:
// after Kill or Stop, Start brings back an empty one. Its methods are called by one goroutine at a time.
type Server struct {
	config  Config
	program string
	mode    []string // further arguments that make it a replica, or all that a Sentinel has
	dir     string
	port    int

	sentinel bool
	process  *parts.Process // nil while it is stopped
}

// Open starts a server, which ends with the test. Without Redis it skips the test, or fails it in CI.
func Open(t testing.TB) *Server {
	t.Helper()
	return OpenWith(t, Config{})
}

// OpenWith is [Open] for a server with a Config.
func OpenWith(t testing.TB, c Config) *Server {
	t.Helper()
	return open(t, c, nil)
}

// OpenReplica starts a server that copies master, whose Config it has.
func OpenReplica(t testing.TB, master *Server) *Server {
	t.Helper()
	of := []string{"--replicaof", "127.0.0.1", strconv.Itoa(master.port), "--repl-diskless-sync-delay", "0"}
	if master.config.Password != "" {
		of = append(of, "--masterauth", master.config.Password)
	}
	return open(t, master.config, of)
}

// OpenShards starts several servers.
func OpenShards(t testing.TB, n int) []*Server {
	t.Helper()
	servers := make([]*Server, n)
	for i := range servers {
		servers[i] = Open(t)
	}
	return servers
}

func open(t testing.TB, c Config, mode []string) *Server {
	t.Helper()
	s, err := newServer(t.Context(), c, mode)
	parts.Need(t, "Redis", err)
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newServer(ctx context.Context, c Config, mode []string) (*Server, error) {
	program, err := find("redis-server")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "redistest-") // not t.TempDir, whose path may be too long for a socket
	if err != nil {
		return nil, fmt.Errorf("make folder for Redis: %w", err)
	}
	s := &Server{config: c, program: program, mode: mode, dir: dir}
	if c.TLS {
		if err := writeCertificates(dir); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	for range portTries {
		if s.port, err = parts.FreePort(); err != nil {
			break
		}
		if err = s.Start(ctx); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(err, os.RemoveAll(dir))
}

// find looks for a program on PATH.
func find(name string) (string, error) {
	program, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w: %s (Debian's package redis)", parts.ErrMissing, name)
	}
	return program, nil
}

// Start starts the server again after Stop or Kill, on the same port, empty, and returns when it answers.
func (s *Server) Start(ctx context.Context) error {
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return fmt.Errorf("start Redis: %w", err)
	}
	defer log.Close() // Redis has its own
	cmd := exec.Command(s.program, s.args()...)
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = parts.Start(parts.Account{}, cmd); err != nil {
		return err
	}
	if err := s.await(ctx); err != nil {
		said, readErr := os.ReadFile(log.Name())
		err = fmt.Errorf("start Redis: %w\n%s", errors.Join(err, readErr), said)
		return errors.Join(err, s.Kill())
	}
	return nil
}

func (s *Server) args() []string {
	if s.sentinel {
		return s.mode
	}
	port := strconv.Itoa(s.port)
	args := []string{
		"--bind", "127.0.0.1", "--unixsocket", s.SocketPath(), "--dir", s.dir,
		"--save", "", "--appendonly", "no", "--loglevel", "notice", "--protected-mode", "no",
	}
	if s.config.TLS {
		args = append(args, "--port", "0", "--tls-port", port, "--tls-cert-file", filepath.Join(s.dir, certFile),
			"--tls-key-file", filepath.Join(s.dir, keyFile), "--tls-ca-cert-file", s.CAFile(), "--tls-auth-clients", "no")
	} else {
		args = append(args, "--port", port)
	}
	if s.config.Password != "" {
		args = append(args, "--requirepass", s.config.Password)
	}
	args = append(args, s.mode...)
	return append(args, s.config.Args...)
}

// await waits until the server answers on its socket.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		err := s.ping(ctx)
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

// ping wants any answer at all: one that asks for a password is good enough.
func (s *Server) ping(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", s.SocketPath())
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

// Stop asks the server to end.
func (s *Server) Stop() error { return s.end((*parts.Process).Stop) }

// Kill ends the server at once, as in a crash.
func (s *Server) Kill() error { return s.end((*parts.Process).Kill) }

func (s *Server) end(how func(*parts.Process) error) error {
	process := s.process
	if process == nil {
		return errors.New("the server does not run")
	}
	s.process = nil
	return how(process)
}

// Freeze stops the server from doing anything, with its connections open, until Thaw.
func (s *Server) Freeze() error { return syscall.Kill(s.process.Pid(), syscall.SIGSTOP) }

// Thaw undoes Freeze.
func (s *Server) Thaw() error { return syscall.Kill(s.process.Pid(), syscall.SIGCONT) }

func (s *Server) close() error {
	var err error
	if s.process != nil {
		err = errors.Join(s.Thaw(), s.Kill())
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// Port is the TCP port on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// SocketPath is the path of the unix socket.
func (s *Server) SocketPath() string { return filepath.Join(s.dir, "socket") }

// CAFile holds the certificate that vouches for the server's own, where Config.TLS asks for one.
func (s *Server) CAFile() string { return filepath.Join(s.dir, certFile) }

// URL names database 0 of the server over TCP, with the password.
func (s *Server) URL() string {
	u := url.URL{Scheme: "redis", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/0"}
	if s.config.TLS {
		u.Scheme = "rediss"
	}
	if s.config.Password != "" {
		u.User = url.UserPassword("", s.config.Password)
	}
	return u.String()
}

// SocketURL names database 0 of the server over its unix socket, with the password.
func (s *Server) SocketURL() string {
	u := url.URL{Scheme: "unix", Path: s.SocketPath(), RawQuery: "db=0"}
	if s.config.Password != "" {
		u.User = url.UserPassword("", s.config.Password)
	}
	return u.String()
}

// Password returns a password that nobody guesses.
func Password() string { return rand.Text() }
