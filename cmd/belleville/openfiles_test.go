package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/belleville/belleville/config"
)

// connections are a configuration that allows so many, at one address or at several.
func connections(n int, addresses ...string) *config.Config {
	c := &config.Config{Listen: addresses}
	c.Limits.MaxConnections = n
	return c
}

func TestT37ConnectionsAreNoMoreThanFilesAllow(t *testing.T) {
	tests := []struct {
		name  string
		limit int
		cfg   *config.Config
		want  string
	}{
		{"no number is named", 1024, connections(0, ":1"), ""},
		{"the files are just enough", 1024, connections(768, ":1"), ""},
		{"one is missing", 1024, connections(769, ":1"), "limits.max_connections: 769 are more than 1024 open files allow; lower it, or raise LimitNOFILE of the service, or ulimit -n"},
		{"each address has as many", 1024, connections(384, ":1", ":2"), ""},
		{"and all of them together too many", 1024, connections(385, ":1", ":2"), "limits.max_connections: 385 at each of 2 addresses are more than 1024 open files allow; lower it, or raise LimitNOFILE of the service, or ulimit -n"},
		{"the limit is smaller than what is left for others", 100, connections(1, ":1"), "limits.max_connections: 1 are more than 100 open files allow; lower it, or raise LimitNOFILE of the service, or ulimit -n"},
		{"the limit is not known", 0, connections(1<<30, ":1"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := checkOpenFiles(tt.limit, tt.cfg); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestT37ServeRefusesMoreConnectionsThanFiles(t *testing.T) {
	database, tooMany := djangoDatabase(t), fmt.Sprintf("[limits]\nmax_connections = %d\n", openFilesLimit()-255)
	got := run(t, "", "serve", "--config", configuration(t, database, "listen = \"127.0.0.1:0\"\n", tooMany))
	want := fmt.Sprintf("belleville: limits.max_connections: %d are more than %d open files allow; lower it, or raise LimitNOFILE of the service, or ulimit -n\n", openFilesLimit()-255, openFilesLimit())
	if got.code != exitFailure || got.out != "" || got.err != want {
		t.Errorf("got %+v, want %q", got, want)
	}

	path := configuration(t, database, "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n", "")
	cmd, line, log := child(t, path)
	if !regexp.MustCompile(bannerFormat).MatchString(line) {
		t.Fatalf("belleville did not start: %q\n%s", line, log)
	}
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(was, tooMany...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "SIGHUP does not take it over either", func() bool {
		return strings.Contains(log.String(), "the one before stays") && strings.Contains(log.String(), "open files allow")
	})
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end: %v\n%s", err, log)
	}
}
