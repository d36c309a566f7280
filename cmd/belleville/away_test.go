package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/pgtest"
)

// ready asks /readyz.
func (b *belleville) ready(t *testing.T) (status int, text string) {
	t.Helper()
	r, err := http.Get("http://" + b.admin + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// eventually tries until f is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for !f() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("in vain: %s", what)
		}
	}
}

func TestTheDatabaseMayGoAwayAndComeBack(t *testing.T) {
	cluster := pgtest.OpenCluster(t)
	url := cluster.Open(t).URL()
	site := djangotest.Start(t, url, djangotest.Config{SecretKey: siteKey})
	alice := site.Login(t, djangotest.Alice, djangotest.Password)
	url = pgtest.Restricted(t, url)
	b := startBelleville(t, url)
	eventually(t, "ready", func() bool { status, _ := b.ready(t); return status == 200 })
	open, _ := b.dial(t, "/ws/chat/lobby/", "")

	if err := cluster.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a 503 for who must be looked up", func() bool { return b.status(t, "/ws/whoami/", alice) == 503 })
	ws, r := b.dial(t, "/ws/members/", alice)
	if ws != nil || r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("handshake: status = %d, Retry-After = %q, want 503 with one", r.StatusCode, r.Header.Get("Retry-After"))
	}
	if status, text := b.ready(t); status != 503 || !strings.Contains(text, "failed database") {
		t.Errorf("readyz = %d %q, want 503 with the database in it", status, text)
	}
	const said = `{"message":"still here"}`
	if err := open.Write(t.Context(), websocket.MessageText, []byte(said)); err != nil {
		t.Fatal(err)
	}
	if _, got, err := open.Read(t.Context()); err != nil || string(got) != said {
		t.Errorf("the open socket read %q, %v", got, err)
	}
	if got := b.whoami(t, ""); got != "" {
		t.Errorf("without a cookie whoami = %q, want nobody", got)
	}

	late := startBelleville(t, url) // while the database is away
	if status, _ := late.ready(t); status != 503 {
		t.Errorf("readyz of one that starts without a database = %d, want 503", status)
	}
	if err := cluster.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, each := range []*belleville{b, late} {
		eventually(t, "all heals by itself", func() bool {
			status, _ := each.ready(t)
			return status == 200 && each.status(t, "/ws/members/", alice) == 101
		})
		if got := each.whoami(t, alice); got != "alice" {
			t.Errorf("afterwards whoami = %q, want alice", got)
		}
	}
	if log := b.log.String() + late.log.String(); strings.Contains(log, "postgres://") || strings.Contains(log, alice) {
		t.Errorf("the log tells too much:\n%s", log)
	}
}

func TestALoginIsKnownThroughAPooler(t *testing.T) {
	db := pgtest.Open(t)
	site := djangotest.Start(t, db.URL(), djangotest.Config{SecretKey: siteKey})
	alice := site.Login(t, djangotest.Alice, djangotest.Password)
	b := startBelleville(t, pgtest.Bouncer(t, db, pgtest.TransactionPooling))
	for range 50 {
		if got := b.whoami(t, alice); got != "alice" {
			t.Fatalf("whoami = %q, want alice", got)
		}
	}
}
