package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/coder/websocket"
)

// What testdata/db.sqlite3 holds: it was made by Django 5.2.
const (
	djangoKey    = `django-insecure-oj%ljn#*xdfose+up!&29*hz7me)qk6$gnwxp(4r0hy8u$uz&-`
	aliceCookie  = "06cxm3903lo16j5oh9iu24wqomyl2oqd"
	aliceName    = "alicevml"
	asChildOf    = "RUN_AS_BELLEVILLE" // makes the test's program be belleville
	testOrigin   = "http://127.0.0.1"
	bannerFormat = `^belleville listens on (.*?); admin on ([^;\s]+)(?:; broker on \S+)?\n$`
)

func TestMain(m *testing.M) {
	if os.Getenv(asChildOf) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// djangoDatabase returns the URL of a copy of testdata/db.sqlite3.
func djangoDatabase(t *testing.T) string {
	t.Helper()
	f, err := os.Open("testdata/db.sqlite3.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "db.sqlite3")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:///" + path
}

// configuration writes a belleville.toml with these lines in front and behind.
func configuration(t *testing.T, databaseURL, front, behind string) string {
	t.Helper()
	text := front + `
[django]
secret_key = '` + djangoKey + `'
database_url = "` + databaseURL + `"
allowed_hosts = ["127.0.0.1"]

[[routes]]
path = "ws/whoami/"
consumer = "whoami"

[[routes]]
path = "ws/echo/"
consumer = "echo"

[[routes]]
path = "ws/chat/<slug:room>/"
consumer = "relay"
allow = "authenticated"
groups = ["chat_{room}", "user_{user.pk}"]
publish = "chat.message"
stamp = ["user.username"]
` + behind
	path := filepath.Join(t.TempDir(), "belleville.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serving is "belleville serve" in this process.
type serving struct {
	*belleville
	listens []string
}

// serve runs "belleville serve" with a configuration, until the test or stop ends it.
func serve(t *testing.T, path string) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, w := io.Pipe()
	s := &serving{belleville: &belleville{log: new(syncBuffer)}}
	p := program{in: strings.NewReader(""), out: w, err: s.log, lifetime: func() context.Context { return ctx }}
	exited := make(chan int, 1)
	go func() {
		code := p.run([]string{"serve", "--config", path})
		_ = w.Close()
		exited <- code
	}()
	s.stop = sync.OnceValue(func() int { cancel(); return <-exited })
	t.Cleanup(func() { s.stop() })
	line, err := bufio.NewReader(out).ReadString('\n')
	m := regexp.MustCompile(bannerFormat).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("belleville did not start: %q, %v\n%s", line, err, s.log)
	}
	s.listens, s.admin = strings.Split(m[1], ", "), m[2]
	s.addr = s.listens[0]
	return s
}

// open opens a WebSocket by one of the addresses.
func (s *serving) open(t *testing.T, address, path, origin, cookie string) (*websocket.Conn, int) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if file, ok := strings.CutPrefix(address, "unix:"); ok {
			network, addr = "unix", file
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}}
	host := address
	if strings.HasPrefix(address, "unix:") {
		host = "127.0.0.1"
	}
	header := http.Header{"Cookie": {"sessionid=" + cookie}}
	if origin != "" {
		header.Set("Origin", origin)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ws, r, err := websocket.Dial(ctx, "ws://"+host+path, &websocket.DialOptions{HTTPClient: &client, HTTPHeader: header})
	if r == nil {
		t.Fatalf("dial %s: %v", path, err)
	}
	if ws != nil {
		t.Cleanup(func() { _ = ws.CloseNow() })
	}
	return ws, r.StatusCode
}

// hear reads a message.
func hear(t *testing.T, ws *websocket.Conn) string {
	t.Helper()
	_, text, err := ws.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// say sends a message.
func say(t *testing.T, ws *websocket.Conn, text string) {
	t.Helper()
	if err := ws.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// get asks the admin listener.
func (s *serving) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	r, err := http.Get("http://" + s.admin + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

func TestServe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "b.sock")
	front := fmt.Sprintf("listen = [\"127.0.0.1:0\", \"unix:%s\"]\nadmin_listen = \"127.0.0.1:0\"\n", file)
	s := serve(t, configuration(t, djangoDatabase(t), front, ""))
	if len(s.listens) != 2 || s.listens[1] != "unix:"+file {
		t.Fatalf("it listens on %q", s.listens)
	}
	const chat = `{"message":"hi","user.username":"` + aliceName + `"}`
	first, _ := s.open(t, s.listens[0], "/ws/chat/lobby/", testOrigin, aliceCookie)
	second, _ := s.open(t, s.listens[1], "/ws/chat/lobby/", testOrigin, aliceCookie)
	say(t, first, `{"message":"hi","type":"x.y","user.username":"root"}`)
	if a, b := hear(t, first), hear(t, second); a != chat || b != chat {
		t.Errorf("heard %s by TCP and %s by the unix socket, want %s", a, b, chat)
	}
	who, _ := s.open(t, s.addr, "/ws/whoami/", testOrigin, aliceCookie)
	if got := hear(t, who); !strings.Contains(got, `"username":"`+aliceName+`"`) {
		t.Errorf("whoami says %s", got)
	}
	for _, tt := range []struct {
		name, path, origin, cookie string
		want                       int
	}{
		{"a path without a route", "/ws/none/", testOrigin, aliceCookie, 404},
		{"the page of another site", "/ws/whoami/", "http://example.org", aliceCookie, 403},
		{"no page", "/ws/whoami/", "", aliceCookie, 403},
		{"nobody where somebody is wanted", "/ws/chat/lobby/", testOrigin, "", 403},
		{"a room that is no slug", "/ws/chat/a%2Fb/", testOrigin, aliceCookie, 404},
	} {
		if ws, got := s.open(t, s.addr, tt.path, tt.origin, tt.cookie); got != tt.want || ws != nil {
			t.Errorf("%s: status %d, want %d", tt.name, got, tt.want)
		}
	}
	r, err := http.Get("http://" + s.addr + "/ws/whoami/")
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("without an upgrade: status %d, want 426", r.StatusCode)
	}
	if strings.Contains(s.log.String(), aliceCookie) || strings.Contains(s.log.String(), djangoKey) {
		t.Errorf("the log tells too much:\n%s", s.log)
	}
}

func TestAdminListener(t *testing.T) {
	s := serve(t, configuration(t, djangoDatabase(t), "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n", ""))
	ws, _ := s.open(t, s.addr, "/ws/echo/", testOrigin, aliceCookie)
	say(t, ws, "x")
	hear(t, ws)
	for _, tt := range []struct {
		path   string
		status int
		body   string
	}{
		{"/healthz", 200, "ok\n"},
		{"/readyz", 200, "ok server\nok database\nok layer\n"},
		{"/debug/pprof/", 404, "404 page not found\n"},
		{"/", 404, "404 page not found\n"},
	} {
		if status, body := s.get(t, tt.path); status != tt.status || body != tt.body {
			t.Errorf("%s: %d %q, want %d %q", tt.path, status, body, tt.status, tt.body)
		}
	}
	_, text := s.get(t, "/metrics")
	series := make(map[string]string)
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			name, _, _ = strings.Cut(name, "{")
			series[name] = value
		}
	}
	for name := range series {
		if !strings.HasPrefix(name, metricsPrefix) || strings.HasPrefix(name, metricsPrefix+metricsPrefix) {
			t.Errorf("%s has not the prefix %s, once", name, metricsPrefix)
		}
	}
	for _, name := range []string{"server_websockets", "sessions_database_up", "auth_visitors_total", "memlayer_channels", "go_goroutines", "process_open_fds"} {
		if _, ok := series[metricsPrefix+name]; !ok {
			t.Errorf("there is no %s%s", metricsPrefix, name)
		}
	}
	if open := series[metricsPrefix+"server_websockets"]; open != "1" {
		t.Errorf("%s WebSockets are open, want 1", open)
	}
}

func TestDrain(t *testing.T) {
	front := "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n"
	s := serve(t, configuration(t, djangoDatabase(t), front, "[limits]\ndrain_timeout = \"1m\"\n"))
	reading, _ := s.open(t, s.addr, "/ws/echo/", testOrigin, aliceCookie)
	stubborn, _ := s.open(t, s.addr, "/ws/echo/", testOrigin, aliceCookie) // reads nothing, so it does not answer the close

	exited := make(chan int, 1)
	go func() { exited <- s.stop() }()
	_, _, err := reading.Read(t.Context())
	if code := websocket.CloseStatus(err); code != websocket.StatusServiceRestart {
		t.Errorf("the client was told %v, want %d", err, websocket.StatusServiceRestart)
	}
	if status, body := s.get(t, "/readyz"); status != 503 || !strings.HasPrefix(body, "failed server: draining\n") {
		t.Errorf("readyz while draining: %d %q, want 503", status, body)
	}
	if _, err := net.Dial("tcp", s.addr); err == nil {
		t.Error("new clients are taken while draining")
	}
	_, _, _ = stubborn.Read(t.Context())
	if code := <-exited; code != 0 {
		t.Errorf("exit code %d, want 0:\n%s", code, s.log)
	}
}

// child starts the program as a process of its own, and returns its banner and where it writes errors.
func child(t *testing.T, path string) (cmd *exec.Cmd, line string, log *syncBuffer) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log = new(syncBuffer)
	cmd = exec.Command(program, "serve", "--config", path)
	others := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "BELLEVILLE_") }) // those are of the test
	cmd.Env = append(others, asChildOf+"=1")
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("no banner: %v\n%s", err, log)
	}
	return cmd, line, log
}

func TestSignals(t *testing.T) {
	front := "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n"
	path := configuration(t, djangoDatabase(t), front, "[limits]\ndrain_timeout = \"10m\"\n")
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		cmd, _, log := child(t, path)
		_ = cmd.Process.Signal(syscall.SIGHUP) // changes nothing
		eventually(t, "SIGHUP is answered", func() bool { return strings.Contains(log.String(), "SIGHUP") })
		_ = cmd.Process.Signal(sig)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v\n%s", sig, err, log)
		}
	}

	cmd, line, log := child(t, path)
	m := regexp.MustCompile(bannerFormat).FindStringSubmatch(line)
	s := &serving{belleville: &belleville{addr: m[1], admin: m[2]}}
	s.open(t, s.addr, "/ws/echo/", testOrigin, "") // holds the drain up
	_ = cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, "it drains", func() bool { status, _ := s.get(t, "/readyz"); return status == 503 })
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitFailure {
		t.Errorf("a second SIGTERM: %v, want exit code 1\n%s", err, log)
	}
}

func TestServeRefusesToStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	database := djangoDatabase(t)
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, front, want string
	}{
		{"an address that is taken", "listen = \"" + taken.Addr().String() + "\"\n", "belleville: listen: listen tcp " + taken.Addr().String() + ": bind: address already in use\n"},
		{"an admin address that is taken", "listen = \"127.0.0.1:0\"\nadmin_listen = \"" + taken.Addr().String() + "\"\n", "belleville: admin_listen: listen tcp " + taken.Addr().String() + ": bind: address already in use\n"},
		{"a socket that is a file", "listen = \"unix:" + plain + "\"\n", "belleville: listen: listen on unix:" + plain + ": the file exists and is no socket\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, "", "serve", "--config", configuration(t, database, tt.front, ""))
			_, after, _ := strings.Cut(got.err, "belleville: ") // behind the warnings
			if got.code != exitFailure || "belleville: "+after != tt.want {
				t.Errorf("got %+v, want %q", got, tt.want)
			}
		})
	}
}

func TestSessionShow(t *testing.T) {
	path := configuration(t, djangoDatabase(t), "", "")
	tests := []struct {
		name  string
		input string
		args  []string
		want  typed
	}{
		{"a key on standard input", aliceCookie + "\n", nil, typed{0, `"verdict":"logged_in"`, ""}},
		{"a key as an argument", "", []string{aliceCookie}, typed{0, `"username":"` + aliceName + `"`, ""}},
		{"a Cookie header", "Cookie: a=b; sessionid=" + aliceCookie, nil, typed{0, `"_auth_user_id":"1"`, ""}},
		{"a header without the cookie", "", []string{"a=b"}, typed{1, "", "belleville: there is no cookie sessionid in what was given; see django.session_cookie_name\n"}},
		{"a session that there is not", "", []string{strings.Repeat("x", 32)}, typed{1, "", "belleville: there is no such session: it was deleted, as by a logout, or it is in another database, cache or table\n"}},
		{"nothing", "", nil, typed{2, "", "belleville: the session key is missing, as an argument and on standard input; see belleville session show --help\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, tt.input, append([]string{"session", "show", "--config", path}, tt.args...)...)
			if got.code != tt.want.code || got.err != tt.want.err || !strings.Contains(got.out, tt.want.out) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if got.code == 0 && !json.Valid([]byte(got.out)) {
				t.Errorf("%s is no JSON", got.out)
			}
		})
	}
}

func TestContainerMemory(t *testing.T) {
	tests := []struct {
		name  string
		files fstest.MapFS
		want  int64
	}{
		{"version 2", fstest.MapFS{"memory.max": {Data: []byte("134217728\n")}}, 134217728},
		{"version 1", fstest.MapFS{"memory/memory.limit_in_bytes": {Data: []byte("134217728\n")}}, 134217728},
		{"no limit in version 2", fstest.MapFS{"memory.max": {Data: []byte("max\n")}}, 0},
		{"no limit in version 1", fstest.MapFS{"memory/memory.limit_in_bytes": {Data: []byte("9223372036854771712\n")}}, 0},
		{"no container", fstest.MapFS{}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := containerMemory(tt.files); got != tt.want {
				t.Errorf("containerMemory = %d, want %d", got, tt.want)
			}
		})
	}
}
