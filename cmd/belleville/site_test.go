package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/sessionstore"
)

// siteKey is SECRET_KEY on both sides.
const siteKey = "the-secret-key-of-both-sides-in-these-tests"

// siteConfig is the configuration beside the example site.
const siteConfig = `
listen = "127.0.0.1:0"
admin_listen = "localhost:0"

[django]
allowed_hosts = ["localhost", "127.0.0.1"]

[[routes]]
path = "ws/whoami/"
consumer = "whoami"
allow = "anyone"

[[routes]]
path = "ws/members/"
consumer = "whoami"
allow = "authenticated"

[[routes]]
path = "ws/chat/<slug:room>/"
consumer = "relay"
allow = "anyone"
groups = ["chat_{room}"]
publish = "chat.message"

[[routes]]
path = "ws/own/<int:id>/"
consumer = "whoami"
allow_sql = "SELECT 1 FROM auth_user WHERE id = {user.pk} AND id = {id}"
`

// belleville is "belleville serve" in this process.
type belleville struct {
	addr  string // of the listener
	admin string // of the admin listener
	log   *syncBuffer
	stop  func() int // what SIGTERM does; returns the exit code
}

// syncBuffer is what a command printed, while it still prints.
type syncBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns what was written.
func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// banner is the line that says where belleville listens.
var banner = regexp.MustCompile(`^belleville listens on (\S+); admin on (\S+)`)

// startBelleville serves siteConfig beside a database, where it has the role of docs/operations.md.
func startBelleville(t *testing.T, databaseURL string, env ...string) *belleville {
	t.Helper()
	databaseURL = pgtest.Restricted(t, databaseURL)
	path := filepath.Join(t.TempDir(), "belleville.toml")
	if err := os.WriteFile(path, []byte(siteConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	return serveFile(t, path, append([]string{"BELLEVILLE_DJANGO_DATABASE_URL=" + databaseURL, "BELLEVILLE_DJANGO_SECRET_KEY=" + siteKey}, env...))
}

// serveFile serves what a file and an environment say.
func serveFile(t *testing.T, path string, environ []string) *belleville {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, w := io.Pipe()
	b := &belleville{log: new(syncBuffer)}
	p := program{
		in: strings.NewReader(""), out: w, err: b.log,
		environ:  environ,
		lifetime: func() context.Context { return ctx },
	}
	exited := make(chan int, 1)
	go func() {
		code := p.run([]string{"serve", "--config", path})
		_ = w.Close()
		exited <- code
	}()
	b.stop = sync.OnceValue(func() int { cancel(); return <-exited })
	t.Cleanup(func() {
		if code := b.stop(); code != 0 || t.Failed() {
			t.Logf("belleville exited with %d and said:\n%s", code, b.log)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	m := banner.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("belleville did not start: %q, %v\n%s", line, err, b.log)
	}
	b.addr, b.admin = m[1], m[2]
	return b
}

// dial opens a WebSocket as a browser would, and returns the status.
func (b *belleville) dial(t *testing.T, path, cookie string) (*websocket.Conn, *http.Response) {
	t.Helper()
	header := http.Header{"Origin": {"http://127.0.0.1:8000"}}
	if cookie != "" {
		header.Set("Cookie", djangotest.SessionCookie+"="+cookie)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ws, r, err := websocket.Dial(ctx, "ws://"+b.addr+path, &websocket.DialOptions{HTTPHeader: header})
	if r == nil {
		t.Fatalf("dial %s: %v", path, err)
	}
	if ws != nil {
		t.Cleanup(func() { _ = ws.CloseNow() })
	}
	return ws, r
}

// whoami asks Belleville whom a cookie belongs to; "" is nobody.
func (b *belleville) whoami(t *testing.T, cookie string) string {
	t.Helper()
	ws, r := b.dial(t, "/ws/whoami/", cookie)
	if ws == nil {
		t.Fatalf("whoami: status %d", r.StatusCode)
	}
	var who struct {
		Username        string `json:"username"`
		IsAuthenticated bool   `json:"is_authenticated"`
	}
	_, text, err := ws.Read(t.Context())
	if err != nil {
		t.Fatalf("whoami: %v", err)
	}
	if err := json.Unmarshal(text, &who); err != nil || who.IsAuthenticated != (who.Username != "") {
		t.Fatalf("whoami said %s: %v", text, err)
	}
	return who.Username
}

// status opens a WebSocket and says how that was answered.
func (b *belleville) status(t *testing.T, path, cookie string) int {
	t.Helper()
	ws, r := b.dial(t, path, cookie)
	if ws != nil {
		_ = ws.CloseNow()
	}
	return r.StatusCode
}

// onDjangosDatabases runs a test beside a real Django on each database that it may have.
func onDjangosDatabases(t *testing.T, test func(*testing.T, *djangotest.Site, *belleville, string)) {
	t.Helper()
	databases := []struct {
		name string
		url  func(*testing.T) string
	}{
		{"Postgres", func(t *testing.T) string { return pgtest.Open(t).URL() }},
		{"SQLite", func(t *testing.T) string { return "sqlite:///" + filepath.Join(t.TempDir(), "db.sqlite3") }},
	}
	for _, db := range databases {
		t.Run(db.name, func(t *testing.T) {
			url := db.url(t)
			site := djangotest.Start(t, url, djangotest.Config{SecretKey: siteKey})
			test(t, site, startBelleville(t, url), url)
		})
	}
}

func TestALoginOfDjangoIsOneOfBelleville(t *testing.T) {
	onDjangosDatabases(t, func(t *testing.T, site *djangotest.Site, b *belleville, _ string) {
		alice := site.Login(t, djangotest.Alice, djangotest.Password)
		if got := b.whoami(t, alice); got != "alice" {
			t.Errorf("logged in: whoami = %q, want alice", got)
		}
		if got := b.status(t, "/ws/members/", alice); got != 101 {
			t.Errorf("logged in: status = %d, want 101", got)
		}
		site.Logout(t, alice)
		if got := b.whoami(t, alice); got != "" {
			t.Errorf("logged out: whoami = %q, want nobody", got)
		}

		// Each takes a login away in its own way.
		for _, tt := range []struct{ name, code string }{
			{"an inactive user", "from django.contrib.auth.models import User\nUser.objects.filter(username='bob').update(is_active=False)"},
			{"an active one again", "from django.contrib.auth.models import User\nUser.objects.filter(username='bob').update(is_active=True)"},
			{"an expired session", "from django.contrib.sessions.models import Session\nfrom django.utils import timezone\nSession.objects.update(expire_date=timezone.now())"},
			{"a session signed with another key", "from django.core import signing\nfrom django.contrib.sessions.models import Session\n" +
				"s = Session.objects.get(session_key='%s')\n" +
				"s.session_data = signing.dumps(s.get_decoded(), key='another key', salt='django.contrib.sessions.SessionStore', compress=True)\ns.save()"},
			{"a changed password", "from django.contrib.auth.models import User\nu = User.objects.get(username='bob')\nu.set_password('wonderland')\nu.save()"},
			{"a deleted user", "from django.contrib.auth.models import User\nUser.objects.filter(username='bob').delete()"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				bob := site.Login(t, djangotest.Bob, djangotest.Password)
				if got := b.whoami(t, bob); got != "bob" {
					t.Fatalf("before: whoami = %q, want bob", got)
				}
				code := tt.code
				if strings.Contains(code, "%s") {
					code = fmt.Sprintf(code, bob)
				}
				site.Shell(t, code)
				want, status := "", 403
				if strings.HasPrefix(tt.name, "an active one") {
					want, status = "bob", 101
				}
				if strings.HasPrefix(tt.name, "an inactive") {
					defer site.Shell(t, strings.Replace(code, "False", "True", 1))
				}
				if got := b.whoami(t, bob); got != want {
					t.Errorf("whoami = %q, want %q", got, want)
				}
				if got := b.status(t, "/ws/members/", bob); got != status {
					t.Errorf("status = %d, want %d", got, status)
				}
			})
		}
	})
}

func TestCookiesThatAreNoLogin(t *testing.T) {
	onDjangosDatabases(t, func(t *testing.T, site *djangotest.Site, b *belleville, _ string) {
		alice := site.Login(t, djangotest.Alice, djangotest.Password)
		other := "a"
		if alice[len(alice)-1:] == other {
			other = "b"
		}
		for _, cookie := range []string{"", "x", alice[:31], alice + "x", alice[:31] + other, strings.ToUpper(alice), repeatText("k", 5000)} {
			if got := b.whoami(t, cookie); got != "" {
				t.Errorf("a cookie of %d characters: whoami = %q, want nobody", len(cookie), got)
			}
			if got := b.status(t, "/ws/members/", cookie); got != 403 {
				t.Errorf("a cookie of %d characters: status = %d, want 403", len(cookie), got)
			}
		}
		site.Shell(t, "from django.contrib.sessions.models import Session\ns = Session.objects.get(session_key='"+alice+"')\n"+
			"s.session_data = s.session_data[:-1] + ('A' if s.session_data[-1] != 'A' else 'B')\ns.save()")
		if got := b.whoami(t, alice); got != "" {
			t.Errorf("tampered data: whoami = %q, want nobody", got)
		}
		if strings.Contains(b.log.String(), alice) {
			t.Error("a session key is in the log")
		}
	})
}

// repeatText is strings.Repeat.
func repeatText(s string, n int) string { return strings.Repeat(s, n) }

func TestDjangoAcceptsASessionThatGoMade(t *testing.T) {
	onDjangosDatabases(t, func(t *testing.T, site *djangotest.Site, b *belleville, url string) {
		store, err := sessionstore.Open(t.Context(), sessionstore.Config{
			DatabaseURL: djangocompat.NewSecret(pgtest.Restricted(t, url)), Keys: djangocompat.NewKeys(siteKey),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		user, err := store.Authenticate(t.Context(), djangotest.Alice, djangotest.Password)
		if err != nil || user == nil || user.Username != "alice" {
			t.Fatalf("Authenticate = %v, %v, want alice", user, err)
		}
		session, err := store.Load(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Login(t.Context(), session, user); err != nil {
			t.Fatal(err)
		}
		session.Set("cart", []any{"ü", 12345678901234567, 1.0})
		if err := session.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		who := site.WhoAmI(t, session.Key())
		if who.Username != "alice" || len(who.SessionKeys) != 4 {
			t.Errorf("request.user = %q with keys %v, want alice with four", who.Username, who.SessionKeys)
		}
		if got := b.whoami(t, session.Key()); got != "alice" {
			t.Errorf("whoami = %q, want alice", got)
		}
		site.Logout(t, session.Key())
		if got := b.whoami(t, session.Key()); got != "" {
			t.Errorf("after Django's logout: whoami = %q, want nobody", got)
		}
	})
}

func TestRoutesSayWhoMayConnect(t *testing.T) {
	onDjangosDatabases(t, func(t *testing.T, site *djangotest.Site, b *belleville, _ string) {
		alice := site.Login(t, djangotest.Alice, djangotest.Password)
		pk := site.WhoAmI(t, alice).PK
		for _, tt := range []struct {
			name, path, cookie string
			want               int
		}{
			{"a path without a route", "/ws/nowhere/", alice, 404},
			{"a query that finds a row", fmt.Sprintf("/ws/own/%d/", pk), alice, 101},
			{"a query that finds none", fmt.Sprintf("/ws/own/%d/", pk+1), alice, 403},
			{"a query about a visitor who is nobody", fmt.Sprintf("/ws/own/%d/", pk), "", 403},
			{"a kwarg that is no int", "/ws/own/x/", alice, 404},
		} {
			t.Run(tt.name, func(t *testing.T) {
				if got := b.status(t, tt.path, tt.cookie); got != tt.want {
					t.Errorf("status = %d, want %d", got, tt.want)
				}
			})
		}
	})
}

func TestPythonsClientChatsWithGos(t *testing.T) {
	url := pgtest.Open(t).URL()
	djangotest.Start(t, url, djangotest.Config{SecretKey: siteKey})
	b := startBelleville(t, url)
	python := djangotest.Connect(t, "ws://"+b.addr+"/ws/chat/lobby/", http.Header{"Origin": {"http://localhost"}})
	ws, _ := b.dial(t, "/ws/chat/lobby/", "")
	python.Send(t, `{"message": "grüße"}`)
	if _, got, err := ws.Read(t.Context()); err != nil || string(got) != `{"message":"grüße"}` {
		t.Errorf("Go read %s, %v", got, err)
	}
	if got := python.Receive(t); got != `{"message":"grüße"}` {
		t.Errorf("Python read its own message as %s", got)
	}
	foreign := djangotest.Connect(t, "ws://"+b.addr+"/ws/chat/lobby/", http.Header{"Origin": {"http://evil.example"}})
	if foreign.Status != 403 {
		t.Errorf("another site's page got %d, want 403", foreign.Status)
	}
	b.stop()
	if code, _ := python.ReceiveClose(t); code != 1012 {
		t.Errorf("at the end Python was closed with %d, want 1012", code)
	}
}
