package djangotest

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "embed"

	"github.com/belleville/belleville/internal/parts"
)

// Every site has the users alice and bob, who are nothing special, with this password.
const (
	Alice    = "alice"
	Bob      = "bob"
	Password = "wonderland"
)

// SessionCookie is the name of the site's session cookie, SESSION_COOKIE_NAME.
const SessionCookie = "sessionid"

// patience is how long Django may take to start or to answer.
const patience = time.Minute

//go:embed serve.py
var serveScript string

// A Site is the example site, served by Django until the test ends.
type Site struct {
	// URL is where it answers, as in http://127.0.0.1:8000.
	URL string

	project *Project
}

// Start migrates the database, makes the users unless they are there, and serves the site on a free port. Without
// Python or Django it skips the test, or fails it in CI. What Python printed is logged if the test fails.
func Start(t testing.TB, databaseURL string, config Config) *Site {
	t.Helper()
	project, err := NewProject(t.Context(), databaseURL, config)
	parts.Need(t, "Django", err)
	log := createLog(t, "the Django site")
	port, stdout := pipe(t)
	cmd := project.Command(context.Background(), "-c", serveScript, Password, Alice, Bob)
	cmd.Stdout, cmd.Stderr = stdout, log
	process, err := parts.Start(parts.Account{}, cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := process.Stop(); err != nil {
			t.Error(err)
		}
	})
	stdout.Close() // it is Python's now, so that its end is seen
	line, err := bufio.NewReader(port).ReadString('\n')
	if err != nil {
		t.Fatalf("start Django: %v", err)
	}
	return &Site{URL: "http://" + net.JoinHostPort("127.0.0.1", strings.TrimSpace(line)), project: project}
}

// createLog is a file for what Python prints, which goes to the test's log if the test fails.
func createLog(t testing.TB, whose string) *os.File {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		log.Close()
		if !t.Failed() {
			return
		}
		said, err := os.ReadFile(log.Name())
		t.Logf("what %s printed (%v):\n%s", whose, err, said)
	})
	return log
}

// pipe is a pipe whose reading end does not wait for ever.
func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	if err := r.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return r, w
}

// Manage runs manage.py with args, beside the running server, and returns what it printed.
func (s *Site) Manage(t testing.TB, args ...string) string {
	t.Helper()
	out, err := s.project.Manage(t.Context(), args...)
	if err != nil {
		t.Fatalf("manage.py: %v", err)
	}
	return out
}

// Shell runs Python code in the site, beside the running server, and returns what it printed.
func (s *Site) Shell(t testing.TB, code string) string {
	t.Helper()
	out, err := s.project.Shell(t.Context(), code)
	if err != nil {
		t.Fatalf("Django shell: %v", err)
	}
	return out
}

// An Identity is what Django's request.user and request.session are in a view.
type Identity struct {
	PK              int64    `json:"pk"` // 0 if anonymous
	Username        string   `json:"username"`
	IsAuthenticated bool     `json:"is_authenticated"`
	SessionKeys     []string `json:"session_keys"` // sorted
}

// WhoAmI asks a Django view whom the session cookie belongs to. An empty cookie is none.
func (s *Site) WhoAmI(t testing.TB, cookie string) Identity {
	t.Helper()
	v := s.newVisitor(t, cookie)
	status, body := v.get(t, "/whoami/")
	if status != http.StatusOK {
		t.Fatalf("Django's whoami answered %d: %s", status, body)
	}
	var who Identity
	if err := json.Unmarshal([]byte(body), &who); err != nil {
		t.Fatalf("Django's whoami: %v", err)
	}
	return who
}

// Get asks for a page with the session cookie, and follows no redirect. An empty cookie is none.
func (s *Site) Get(t testing.TB, path, cookie string) (status int, body string) {
	t.Helper()
	return s.newVisitor(t, cookie).get(t, path)
}
