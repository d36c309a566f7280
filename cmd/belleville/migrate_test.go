package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/pgtest"
)

// inPostgres is the environment of a program whose layer is in a database, whose users are in it too.
func inPostgres(databaseURL string) []string {
	return []string{
		"BELLEVILLE_DJANGO_SECRET_KEY=" + siteKey, "BELLEVILLE_DJANGO_ALLOWED_HOSTS=h",
		"BELLEVILLE_DJANGO_DATABASE_URL=" + databaseURL,
		"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=channels_postgres.core.PostgresChannelLayer",
	}
}

func TestMigrate(t *testing.T) {
	d := pgtest.Open(t)
	env := inPostgres(d.URL())
	steps := []struct {
		args string
		code int
		says string
	}{
		{"status", 0, "channels_postgres: absent\nchannels_postgres_index: absent\n"},
		{"up channels_postgres_index", 1, "belleville migrate up channels_postgres"},
		{"up channels_postgres", 0, "channels_postgres: present\n"},
		{"up channels_postgres_index", 0, "channels_postgres_index: present\n"},
		{"status", 0, "channels_postgres: present\nchannels_postgres_index: present\n"},
		{"down channels_postgres_index", 0, "channels_postgres_index: absent\n"},
		{"down channels_postgres", 0, "channels_postgres: absent\n"},
		{"down channels_postgres", 0, "channels_postgres: absent\n"},
		{"up something", 2, "channels_postgres_index"},
		{"sql channels_postgres", 0, "CREATE TABLE"},
		{"sql", 0, "CREATE INDEX"},
		{"sql something", 2, "channels_postgres_index"},
	}
	for _, step := range steps {
		got := runWith(t, env, "", append([]string{"migrate"}, strings.Fields(step.args)...)...)
		if got.code != step.code || !strings.Contains(got.out+got.err, step.says) {
			t.Errorf("migrate %s: code %d, %q, %q, want %d and %q", step.args, got.code, got.out, got.err, step.code, step.says)
		}
	}
	d.Exec(t, "CREATE TABLE django_migrations (app text); INSERT INTO django_migrations VALUES ('channels_postgres')")
	got := runWith(t, env, "", "migrate", "up", "channels_postgres")
	if got.code != 1 || !strings.Contains(got.err, "manage.py migrate channels_postgres") {
		t.Errorf("where Django has the app: code %d, %q, want 1 and what to do", got.code, got.err)
	}
	if got := runWith(t, env, "", "migrate", "status"); !strings.Contains(got.out, "channels_postgres: django") {
		t.Errorf("status where Django has the app: %q", got.out)
	}
}

func TestMigrateLiveSessions(t *testing.T) {
	site, layer := pgtest.Open(t), pgtest.Open(t)
	env := append(inPostgres(site.URL()), "BELLEVILLE_CHANNEL_LAYERS_DEFAULT_URL="+layer.URL())
	migrate := func(args string) typed {
		return runWith(t, env, "", append([]string{"migrate"}, strings.Fields(args)...)...)
	}
	if got := migrate("up live_sessions"); got.code != 1 || !strings.Contains(got.err, "manage.py migrate") {
		t.Errorf("without Django's tables: code %d, %q, want 1 and what to do", got.code, got.err)
	}
	pgtest.Schema(t, site, pgtest.Django52)
	const triggers = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'belleville%'"
	steps := []struct {
		args     string
		code     int
		says     string
		triggers int64 // in the site's database
	}{
		{"status", 0, "channels_postgres_index: absent\nlive_sessions: absent\nlive_sessions_updates: absent\n", 0},
		{"up", 2, "name a set", 0},
		{"up live_sessions_updates --live-sessions", 2, "name one set", 0},
		{"up --live-sessions", 0, "live_sessions: present\n", 6},
		{"up live_sessions", 0, "live_sessions: present\n", 6},
		{"up live_sessions_updates", 0, "live_sessions_updates: present\n", 7},
		{"status", 0, "live_sessions: present\nlive_sessions_updates: present\n", 7},
		{"sql live_sessions", 0, "OLD.\"is_active\" IS DISTINCT FROM NEW.\"is_active\"", 7},
		{"down live_sessions_updates", 0, "live_sessions_updates: absent\n", 6},
		{"down --live-sessions", 0, "live_sessions: absent\n", 0},
		{"up something", 2, "live_sessions_updates", 0},
	}
	for _, step := range steps {
		got := migrate(step.args)
		if n := site.Value(t, triggers); got.code != step.code || !strings.Contains(got.out+got.err, step.says) || n != step.triggers {
			t.Errorf("migrate %s: code %d, %q, %q and %v triggers, want %d, %q and %d", step.args, got.code, got.out, got.err, n, step.code, step.says, step.triggers)
		}
	}
	if n := layer.Value(t, triggers); n != int64(0) {
		t.Errorf("%v triggers are in the layer's database", n)
	}
}

func TestMigrateLiveSessionsOfSQLite(t *testing.T) {
	env := inPostgres("sqlite:///db.sqlite3")[:3] // without the layer
	if got := runWith(t, env, "", "migrate", "status"); got.code != 0 || got.out != "live_sessions: not needed: the site's database is not in PostgreSQL\n" {
		t.Errorf("status: code %d, %q, %q", got.code, got.out, got.err)
	}
	if got := runWith(t, env, "", "migrate", "up", "live_sessions"); got.code != 1 || !strings.Contains(got.err, "of one in SQLite the file is watched") {
		t.Errorf("up: code %d, %q", got.code, got.err)
	}
}

func TestLayerWithoutItsTables(t *testing.T) {
	d := pgtest.Open(t)
	pgtest.Schema(t, d, pgtest.Django52)
	got := runWith(t, inPostgres(pgtest.Restricted(t, d.URL())), "", "serve")
	if got.code != 1 || !strings.Contains(got.err, "manage.py migrate channels_postgres") || !strings.Contains(got.err, "belleville migrate up channels_postgres") {
		t.Errorf("serve: code %d, %q, want 1 and both remedies", got.code, got.err)
	}
}

// TestPythonsGroupSendReachesTheSocketsThroughPostgres has a process of Python do what channels_postgres does.
func TestPythonsGroupSendReachesTheSocketsThroughPostgres(t *testing.T) {
	d := pgtest.Open(t)
	pgtest.Schema(t, d, pgtest.Django52)
	env := inPostgres(d.URL())
	if got := runWith(t, env, "", "migrate", "up", "channels_postgres"); got.code != 0 {
		t.Fatal(got.err)
	}
	python := pythonSite(t, d.URL())
	b := startBelleville(t, d.URL(), env[3])
	eventually(t, "ready", func() bool { status, _ := b.ready(t); return status == 200 })
	one, _ := b.dial(t, "/ws/chat/lobby/", "")
	two, _ := b.dial(t, "/ws/chat/lobby/", "")
	if err := one.Write(t.Context(), websocket.MessageText, []byte(`{"message":"I am here"}`)); err != nil {
		t.Fatal(err)
	}
	for _, ws := range []*websocket.Conn{one, two} {
		if got := hear(t, ws); got != `{"message":"I am here"}` {
			t.Errorf("heard %s", got)
		}
	}
	var members []string
	python("", &members, "members", "chat_lobby")
	if len(members) != 1 {
		t.Errorf("the group has the members %q, want one for the process", members)
	}
	python(`{'type': 'chat.message', 'message': 'grüße', 'n': [1, 2.0, None, True]}`, nil, "group_send", "chat_lobby")
	for _, ws := range []*websocket.Conn{one, two} {
		if got := hear(t, ws); got != `{"message":"grüße","n":[1,2.0,null,true]}` {
			t.Errorf("heard %s", got)
		}
	}
	var theirs string
	python("", &theirs, "new_channel")
	python("", nil, "group_add", "chat_lobby", theirs)
	if err := two.Write(t.Context(), websocket.MessageText, []byte(`{"message":"to Python"}`)); err != nil {
		t.Fatal(err)
	}
	if got := hear(t, one); got != `{"message":"to Python"}` {
		t.Errorf("heard %s", got)
	}
	var answer struct {
		Equal bool
		Got   string
	}
	python(`{'type': 'chat.message', 'message': 'to Python'}`, &answer, "receive", theirs, 20)
	if !answer.Equal {
		t.Errorf("Python received %s", answer.Got)
	}
}

// pythonSite starts the Python end of the tests of pglayer, and returns what gives it an order: a message, if there is
// one, where the answer goes, the name of a method and its arguments.
func pythonSite(t *testing.T, databaseURL string) func(message string, answer any, call string, args ...any) {
	t.Helper()
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import psycopg2, msgpack").Run(); err != nil {
		parts.Need(t, "psycopg2", parts.ErrMissing)
	}
	cmd := exec.Command(python, "../../channellayer/pglayer/testdata/peer.py", databaseURL, "[]")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	process, err := parts.Start(parts.Account{}, cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Kill() })
	orders, answers := json.NewEncoder(stdin), bufio.NewScanner(stdout)
	return func(message string, answer any, call string, args ...any) {
		t.Helper()
		if args == nil {
			args = []any{}
		}
		if err := orders.Encode(map[string]any{"call": call, "args": args, "message": message}); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() {
			t.Fatalf("the Python process ended at %s: %v", call, answers.Err())
		}
		if answer != nil {
			if err := json.Unmarshal(answers.Bytes(), answer); err != nil {
				t.Fatal(err)
			}
		}
	}
}
