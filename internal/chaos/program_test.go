package chaos_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/pgtest"
)

// program builds belleville, once for all tests of the process.
var program = sync.OnceValues(func() (built, error) {
	dir, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		return built{}, err
	}
	guard, err := parts.NewGuard(parts.Account{}, `rm -rf "$1"`, dir)
	if err != nil {
		return built{}, err
	}
	path := filepath.Join(dir, "belleville")
	if out, err := exec.Command("go", "build", "-o", path, "../../cmd/belleville").CombinedOutput(); err != nil {
		return built{}, fmt.Errorf("build belleville: %w\n%s", err, out)
	}
	return built{path, guard}, nil
})

// built is a program that was built, and what removes it when this process ends.
type built struct {
	path  string
	guard *parts.Guard
}

// routes are those that the rows' server has.
const routes = `
[[routes]]
path = "ws/room/"
consumer = "relay"
allow = "authenticated"
groups = ["room"]
publish = "room.message"

[[routes]]
path = "ws/anyone/"
consumer = "echo"
`

// secretKey is SECRET_KEY of the rows' site.
const secretKey = "the secret key of the rows of the table of faults"

// served is "belleville serve" in a process of its own.
type served struct {
	t     *testing.T
	env   []string
	wrap  []string // what the program is started with, in front of it
	file  string   // the configuration
	log   string
	addr  string
	admin string

	command *exec.Cmd
	ended   chan struct{}
}

// serve starts "belleville serve" on a database, where it has the role of docs/operations.md. It ends with the test.
func serve(t *testing.T, databaseURL string, env ...string) *served {
	t.Helper()
	s := prepare(t, pgtest.Restricted(t, databaseURL), env...)
	s.start()
	return s
}

// prepare is serve, but for the start.
func prepare(t *testing.T, databaseURL string, env ...string) *served {
	t.Helper()
	port, err := parts.FreePort()
	must(t, err)
	dir := t.TempDir()
	s := &served{t: t, file: filepath.Join(dir, "belleville.toml"), log: filepath.Join(dir, "log"), addr: fmt.Sprint("127.0.0.1:", port)}
	must(t, os.WriteFile(s.file, []byte(routes), 0o600))
	others := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "BELLEVILLE_") }) // those are of the test
	s.env = append(others, "BELLEVILLE_LISTEN=0.0.0.0:"+strconv.Itoa(port), "BELLEVILLE_ADMIN_LISTEN=127.0.0.1:0",
		"BELLEVILLE_DJANGO_SECRET_KEY="+secretKey, "BELLEVILLE_DJANGO_DATABASE_URL="+databaseURL, "BELLEVILLE_DJANGO_ALLOWED_HOSTS=127.0.0.1")
	s.env = append(s.env, env...)
	t.Cleanup(func() {
		s.kill()
		if said, err := os.ReadFile(s.log); err == nil && t.Failed() {
			t.Logf("belleville said:\n%s", said)
		}
	})
	return s
}

// run starts the program with arguments, and returns what it prints.
func (s *served) run(args ...string) io.Reader {
	s.t.Helper()
	p, err := program()
	must(s.t, err)
	all := append(append(append([]string(nil), s.wrap...), p.path), args...)
	s.command = exec.Command(all[0], append(all[1:], "--config", s.file)...)
	s.command.Env = s.env
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(s.t, err)
	defer log.Close() // the program has its own
	s.command.Stderr = log
	out, err := s.command.StdoutPipe()
	must(s.t, err)
	must(s.t, s.command.Start())
	return out
}

// start starts the server, and returns when it listens.
func (s *served) start() {
	s.t.Helper()
	out := bufio.NewReader(s.run("serve"))
	line, err := out.ReadString('\n')
	m := regexp.MustCompile(`; admin on ([^;\s]+)`).FindStringSubmatch(line)
	if m == nil {
		said, _ := os.ReadFile(s.log)
		s.t.Fatalf("belleville did not start: %q, %v\n%s", line, err, said)
	}
	s.admin = m[1]
	command, ended := s.command, make(chan struct{})
	s.ended = ended
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, out)
		_ = command.Wait() // it was killed
	}()
}

// kill ends the server without asking it.
func (s *served) kill() {
	if s.ended == nil {
		return
	}
	_ = s.command.Process.Signal(syscall.SIGKILL) // it may have ended
	<-s.ended
	s.ended = nil
}

// scrape returns the server's metrics.
func (s *served) scrape() string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/metrics", nil)
	must(s.t, err)
	answer, err := http.DefaultClient.Do(r)
	must(s.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(s.t, err)
	return string(text)
}

// metric returns the sum of the series of a metric whose labels contain a text.
func (s *served) metric(name, label string) float64 {
	s.t.Helper()
	sum := 0.0
	for line := range strings.Lines(s.scrape()) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		got, labels, _ := strings.Cut(series, "{")
		if got == "belleville_"+name && strings.Contains(labels, label) {
			v, err := strconv.ParseFloat(value, 64)
			must(s.t, err)
			sum += v
		}
	}
	return sum
}

// queries returns how many queries for sessions and users the server has sent.
func (s *served) queries() int { return int(s.metric("sessions_batch_keys_count", "")) }

// memory returns the server's resident memory in MiB.
func (s *served) memory() int { return int(s.metric("process_resident_memory_bytes", "")) >> 20 }
