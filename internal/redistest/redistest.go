// Package redistest gives tests a real Redis: Debian's redis-server, private, on free ports and in temporary
// folders.
//
// Start with [Open]; [OpenShards] starts several, [OpenReplica] and [OpenSentinel] what a failover needs. A server
// can be stopped, killed, frozen and started again by its test.
//
// It never touches a server that it did not start. A server ends with the process that started it, also when that
// is killed.
package redistest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Do runs a command on the server with redis-cli and returns what that prints: raw values, a line each.
func (s *Server) Do(t testing.TB, args ...string) string {
	t.Helper()
	program, err := find("redis-cli")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, append([]string{"--raw", "-s", s.SocketPath()}, args...)...)
	if s.config.Password != "" {
		cmd.Env = append(os.Environ(), "REDISCLI_AUTH="+s.config.Password)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %s: %v: %s", args[0], err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// DoLines is [Server.Do] for an answer of several values.
func (s *Server) DoLines(t testing.TB, args ...string) []string {
	t.Helper()
	out := s.Do(t, args...)
	if out == "" {
		return nil
	}
	return strings.Split(out, "\n")
}

// DoRaw is [Server.Do] for a command whose last argument may hold any bytes, and may be long.
func (s *Server) DoRaw(t testing.TB, args ...string) string {
	t.Helper()
	last := len(args) - 1
	program, err := find("redis-cli")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, append([]string{"--raw", "-s", s.SocketPath(), "-x"}, args[:last]...)...)
	cmd.Stdin = strings.NewReader(args[last])
	if s.config.Password != "" {
		cmd.Env = append(os.Environ(), "REDISCLI_AUTH="+s.config.Password)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %s: %v: %s", args[0], err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}
