package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/config"
	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/migrations"
)

// liveTriggers makes the triggers of live_sessions, as belleville migrate does.
func liveTriggers(t *testing.T, url string) {
	t.Helper()
	cfg := config.Default()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	sets, err := migrations.LiveSets(t.Context(), conn, cfg.LiveTables())
	if err == nil {
		err = migrations.Up(t.Context(), conn, sets[0])
	}
	if err != nil {
		t.Fatal(err)
	}
}

// stay opens a chat of a visitor.
func (b *belleville) stay(t *testing.T, cookie string) *websocket.Conn {
	t.Helper()
	ws, r := b.dial(t, "/ws/chat/lobby/", cookie)
	if r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status = %d, want 101", r.StatusCode)
	}
	return ws
}

// closed waits until a WebSocket is closed, and returns how.
func closed(t *testing.T, ws *websocket.Conn) websocket.CloseError {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		if _, _, err := ws.Read(ctx); err != nil {
			e, _ := errors.AsType[websocket.CloseError](err)
			return e
		}
	}
}

// endings are what ends a login, as code for Django's shell with the name of the user and the session key.
var endings = []struct{ name, code string }{
	{"a user who is made inactive", "from django.contrib.auth.models import User\nu = User.objects.get(username='bob')\nu.is_active = False\nu.save()"},
	{"a changed password", "from django.contrib.auth.models import User\nu = User.objects.get(username='bob')\nu.set_password('another')\nu.save()"},
	{"a session that is deleted", "from django.contrib.sessions.models import Session\nSession.objects.get(session_key='%s').delete()"},
	{"a user who is deleted", "from django.contrib.auth.models import User\nUser.objects.filter(username='bob').delete()"},
}

// again makes bob what he was.
const again = "from django.contrib.auth.models import User\nu, _ = User.objects.get_or_create(username='bob')\nu.is_active = True\nu.set_password('wonderland')\nu.save()"

// withKey puts the session key into code that has a place for it.
func withKey(code, key string) string {
	if strings.Contains(code, "%s") {
		return fmt.Sprintf(code, key)
	}
	return code
}

func TestASocketEndsWithItsLogin(t *testing.T) {
	tests := []struct {
		name  string
		url   func(*testing.T) string
		ready func(*testing.T, string)
		env   []string
	}{
		{
			"by triggers in Postgres",
			func(t *testing.T) string { return pgtest.Open(t).URL() }, liveTriggers,
			[]string{"BELLEVILLE_LIVE_TRIGGERS=required", "BELLEVILLE_LIVE_RECHECK_INTERVAL=1h"},
		},
		{
			"by asking Postgres again",
			func(t *testing.T) string { return pgtest.Open(t).URL() }, func(*testing.T, string) {},
			[]string{"BELLEVILLE_LIVE_RECHECK_INTERVAL=1s"},
		},
		{
			"by watching the file of SQLite",
			func(t *testing.T) string { return "sqlite:///" + filepath.Join(t.TempDir(), "db.sqlite3") }, func(*testing.T, string) {},
			[]string{"BELLEVILLE_LIVE_RECHECK_INTERVAL=1h"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := tt.url(t)
			site := djangotest.Start(t, url, djangotest.Config{SecretKey: siteKey})
			tt.ready(t, url)
			b := startBelleville(t, url, tt.env...)
			alice := b.stay(t, site.Login(t, djangotest.Alice, djangotest.Password))
			t.Run("a logout in the browser", func(t *testing.T) {
				key := site.Login(t, djangotest.Bob, djangotest.Password)
				one, two := b.stay(t, key), b.stay(t, key)
				site.Logout(t, key)
				for _, ws := range []*websocket.Conn{one, two} {
					if e := closed(t, ws); e.Code != 4401 || e.Reason != "session ended" {
						t.Errorf("closed with %d %q, want 4401 session ended", e.Code, e.Reason)
					}
				}
			})
			for _, ending := range endings {
				t.Run(ending.name, func(t *testing.T) {
					site.Shell(t, again)
					key := site.Login(t, djangotest.Bob, djangotest.Password)
					ws := b.stay(t, key)
					site.Shell(t, withKey(ending.code, key))
					if e := closed(t, ws); e.Code != 4401 || e.Reason != "session ended" {
						t.Errorf("closed with %d %q, want 4401 session ended", e.Code, e.Reason)
					}
				})
			}
			say(t, alice, `{"message": "still here"}`)
			if got := hear(t, alice); !strings.Contains(got, "still here") {
				t.Errorf("alice heard %q", got)
			}
		})
	}
}

func TestServeRefusesToBeDeaf(t *testing.T) {
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	start := func(url string, env ...string) (code int, said string) {
		log := new(syncBuffer)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // it would serve otherwise
		defer cancel()
		p := program{
			in: strings.NewReader(""), out: log, err: log, lifetime: func() context.Context { return ctx },
			environ: append(env, "BELLEVILLE_DJANGO_DATABASE_URL="+url, "BELLEVILLE_DJANGO_SECRET_KEY="+siteKey,
				"BELLEVILLE_LISTEN=127.0.0.1:0", "BELLEVILLE_ADMIN_LISTEN=", "BELLEVILLE_DJANGO_ALLOWED_HOSTS=localhost"),
		}
		code = p.run([]string{"serve"})
		return code, log.String()
	}
	const missing = "live.triggers: they are not in the database: run belleville migrate up live_sessions"
	if code, said := start(pgtest.Restricted(t, db.URL()), "BELLEVILLE_LIVE_TRIGGERS=required"); code != 1 || !strings.Contains(said, missing) {
		t.Errorf("without triggers: exit %d, %s", code, said)
	}
	liveTriggers(t, db.URL())
	bouncer := pgtest.Bouncer(t, db, pgtest.TransactionPooling)
	const deaf = "live.triggers: LISTEN was taken, but nothing is heard: a pooler stands in between"
	if code, said := start(bouncer); code != 1 || !strings.Contains(said, deaf) {
		t.Errorf("through a pooler: exit %d, %s", code, said)
	}
	startBelleville(t, bouncer, "BELLEVILLE_DATABASE_LISTEN_URL="+pgtest.Restricted(t, db.URL()), "BELLEVILLE_LIVE_TRIGGERS=required")
}

func TestKick(t *testing.T) {
	url := "sqlite:///" + filepath.Join(t.TempDir(), "db.sqlite3")
	site := djangotest.Start(t, url, djangotest.Config{SecretKey: siteKey})
	socket := filepath.Join(t.TempDir(), "control.sock")
	env := []string{"BELLEVILLE_CONTROL_SOCKET=" + socket}
	b := startBelleville(t, url, env...)
	key := site.Login(t, djangotest.Bob, djangotest.Password)
	environ := append(env, "BELLEVILLE_DJANGO_DATABASE_URL="+url, "BELLEVILLE_DJANGO_SECRET_KEY="+siteKey, "BELLEVILLE_DJANGO_ALLOWED_HOSTS=localhost")
	pk := strings.TrimSpace(site.Shell(t, "from django.contrib.auth.models import User\nprint(User.objects.get(username='bob').pk)"))
	tests := []struct {
		name, input string
		args        []string
		want        websocket.CloseError
	}{
		{"a user", "", []string{"--user", pk}, websocket.CloseError{Code: 4403, Reason: "kicked"}},
		{"a session", key + "\n", []string{"--session"}, websocket.CloseError{Code: 4403, Reason: "kicked"}},
		{"everybody", "", []string{"--all", "--code", "4000", "--reason", "maintenance"}, websocket.CloseError{Code: 4000, Reason: "maintenance"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ws := b.stay(t, key)
			said := runWith(t, environ, tt.input, append([]string{"kick"}, tt.args...)...)
			if said.code != 0 || said.out != "1 connections were closed\n" {
				t.Fatalf("kick: exit %d, %q, %q", said.code, said.out, said.err)
			}
			if e := closed(t, ws); e != tt.want {
				t.Errorf("closed with %d %q, want %d %q", e.Code, e.Reason, tt.want.Code, tt.want.Reason)
			}
		})
	}
	if said := runWith(t, environ, "", "kick", "--user", pk, "--code", "1006"); said.code != 1 || !strings.Contains(said.err, "code") {
		t.Errorf("a code that no frame may carry: exit %d, %q", said.code, said.err)
	}
	b.stop()
	if said := runWith(t, environ, "", "kick", "--all"); said.code != 1 || !strings.Contains(said.err, "no server answers on control_socket") {
		t.Errorf("without a server: exit %d, %q", said.code, said.err)
	}
}

func TestARouteMayAskAgain(t *testing.T) {
	url := pgtest.Open(t).URL()
	site := djangotest.Start(t, url, djangotest.Config{SecretKey: siteKey})
	b := startBelleville(t, url, "BELLEVILLE_LIVE_RECHECK_INTERVAL=1s",
		"BELLEVILLE_ROUTES_4_PATH=ws/team/", "BELLEVILLE_ROUTES_4_CONSUMER=echo", "BELLEVILLE_ROUTES_4_ALLOW=staff", "BELLEVILLE_ROUTES_4_RECHECK=true",
		"BELLEVILLE_ROUTES_5_PATH=ws/band/", "BELLEVILLE_ROUTES_5_CONSUMER=echo", "BELLEVILLE_ROUTES_5_RECHECK=true",
		"BELLEVILLE_ROUTES_5_ALLOW_SQL=SELECT 1 FROM auth_user WHERE id = {user.pk} AND first_name = 'Django'")
	const change = "from django.contrib.auth.models import User\nUser.objects.filter(username='bob').update(%s)"
	site.Shell(t, fmt.Sprintf(change, "is_staff=True, first_name='Django'"))
	key := site.Login(t, djangotest.Bob, djangotest.Password)
	tests := []struct{ path, change string }{
		{"/ws/team/", "is_staff=False"},
		{"/ws/band/", "first_name='Jean'"},
	}
	for _, tt := range tests {
		ws, r := b.dial(t, tt.path, key)
		if r.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%s: status = %d, want 101", tt.path, r.StatusCode)
		}
		say(t, ws, "hi")
		if got := hear(t, ws); got != "hi" {
			t.Errorf("%s: heard %q", tt.path, got)
		}
		site.Shell(t, fmt.Sprintf(change, tt.change))
		if e := closed(t, ws); e.Code != 4403 || e.Reason != "not allowed any more" {
			t.Errorf("%s: closed with %d %q, want 4403 not allowed any more", tt.path, e.Code, e.Reason)
		}
	}
}
