package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/belleville/belleville/cmd/belleville/bench"
)

// What the database of the program's tests holds, which Django made: its key, and the cookie of somebody who is
// logged in. They are no secrets of anybody.
const (
	siteDatabase = "cmd/belleville/testdata/db.sqlite3.gz"
	siteKey      = `django-insecure-oj%ljn#*xdfose+up!&29*hz7me)qk6$gnwxp(4r0hy8u$uz&-`
	siteCookie   = "sessionid=06cxm3903lo16j5oh9iu24wqomyl2oqd\n"
)

// whole is a run of "belleville bench" against "belleville serve".
type whole struct {
	What    string       `json:"what"`
	Network string       `json:"network"`
	Report  bench.Report `json:"report"`
}

// configuration is the site that is served.
const configuration = `
listen = ["127.0.0.1:0", "unix:%[1]s/s"]
admin_listen = ""

[django]
secret_key = '%[2]s'
database_url = "sqlite:///%[1]s/db.sqlite3"
allowed_hosts = ["127.0.0.1"]

[limits]
max_connections_per_address = 100000

[[routes]]
path = "ws/echo/"
consumer = "echo"

[[routes]]
path = "ws/chat/<slug:room>/"
consumer = "relay"
allow = "authenticated"
groups = ["chat_{room}"]
publish = "chat.message"
`

// measureProgram serves a site with the program, and measures it with the program.
func measureProgram(ctx context.Context, program, dir string) ([]whole, error) {
	if err := writeSite(dir); err != nil {
		return nil, err
	}
	serving := exec.CommandContext(ctx, program, "serve", "--config", filepath.Join(dir, "belleville.toml"))
	serving.Stderr = os.Stderr
	serving.Cancel = func() error { return serving.Process.Signal(syscall.SIGTERM) }
	out, err := serving.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := serving.Start(); err != nil {
		return nil, err
	}
	defer func() {
		_ = serving.Process.Kill()
		_ = serving.Wait()
	}()
	banner, err := bufio.NewReader(out).ReadString('\n')
	address, _, _ := strings.Cut(strings.TrimPrefix(banner, "belleville listens on "), ",")
	if err != nil || address == banner {
		return nil, fmt.Errorf("the program does not say where it listens: %w", err)
	}
	var all []whole
	for _, network := range []string{"TCP", "unix"} {
		for _, w := range wholes() {
			args := append([]string{"bench", w.mode, "--json", "--duration=3s", "--url=ws://" + address + w.path}, w.args...)
			if network == "unix" {
				args = append(args, "--unix="+dir+"/s")
			}
			if w.cookie {
				args = append(args, "--cookie-file="+dir+"/cookies")
			}
			one := whole{What: w.what, Network: network}
			if err := runBench(ctx, program, args, &one.Report); err != nil {
				return nil, fmt.Errorf("%s: %w", w.what, err)
			}
			all = append(all, one)
		}
	}
	return all, nil
}

// runOf is one run of the clients.
type runOf struct {
	what, mode, path string
	cookie           bool
	args             []string
}

// wholes are the runs.
func wholes() []runOf {
	const echo, chat = "/ws/echo/", "/ws/chat/bench/"
	return []runOf{
		{"handshakes, 64 at a time", "connect", echo, false, nil},
		{"handshakes, logged in by SQLite", "connect", chat, true, nil},
		{"5,000 idle connections: their handshakes", "idle", echo, false, []string{"--clients=5000"}},
		{"echo, 1,000 clients", "echo", echo, false, []string{"--clients=1000"}},
		{"echo, 100 clients, 1,000 messages/s", "echo", echo, false, []string{"--clients=100", "--rate=1000"}},
		{"relay, a group of 1,000, one message at a time: deliveries", "broadcast", chat, true, []string{"--clients=1000"}},
		{"relay, a group of 1,000, four messages at a time: deliveries", "broadcast", chat, true, []string{"--clients=1000", "--in-flight=4"}},
	}
}

// runBench runs the clients once.
func runBench(ctx context.Context, program string, args []string, r *bench.Report) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return errors.Join(err, json.Unmarshal(out, r))
}

// writeSite writes what the program serves.
func writeSite(dir string) error {
	packed, err := os.Open(siteDatabase)
	if err != nil {
		return err
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		return err
	}
	database, err := io.ReadAll(unpacked)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "db.sqlite3"), database, 0o600),
		os.WriteFile(filepath.Join(dir, "cookies"), []byte(siteCookie), 0o600),
		os.WriteFile(filepath.Join(dir, "belleville.toml"), fmt.Appendf(nil, configuration, dir, siteKey), 0o600),
	)
}
