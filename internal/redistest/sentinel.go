package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/belleville/belleville/internal/parts"
)

// MasterName is what a Sentinel calls the master that it watches.
const MasterName = "belleville"

// OpenSentinel starts a Sentinel that alone decides what becomes of master, which ends with the test. Its URL names it.
func OpenSentinel(t testing.TB, master *Server) *Server {
	t.Helper()
	s, err := newSentinel(t.Context(), master)
	parts.Need(t, "Redis", err)
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newSentinel(ctx context.Context, master *Server) (*Server, error) {
	program, err := find("redis-server")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "redistest-")
	if err != nil {
		return nil, fmt.Errorf("make folder for Sentinel: %w", err)
	}
	s := &Server{program: program, dir: dir, sentinel: true}
	for range portTries {
		if s.port, err = parts.FreePort(); err != nil {
			break
		}
		file := filepath.Join(dir, "sentinel.conf")
		if err = os.WriteFile(file, []byte(sentinelConfig(s, master)), 0o600); err != nil {
			break
		}
		s.mode = []string{file, "--sentinel"}
		if err = s.Start(ctx); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(err, os.RemoveAll(dir))
}

// sentinelConfig makes a Sentinel that holds a master for dead after half a second.
func sentinelConfig(s, master *Server) string {
	config := fmt.Sprintf("port %d\nbind 127.0.0.1\nunixsocket %s\ndir %s\nprotected-mode no\n", s.port, s.SocketPath(), s.dir)
	config += fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 1\n", MasterName, master.port)
	config += fmt.Sprintf("sentinel down-after-milliseconds %s 500\nsentinel failover-timeout %s 3000\n", MasterName, MasterName)
	if master.config.Password != "" {
		config += fmt.Sprintf("sentinel auth-pass %s %s\n", MasterName, master.config.Password)
	}
	return config
}
