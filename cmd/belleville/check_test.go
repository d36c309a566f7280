package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/belleville/belleville/config"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/internal/redistest"
)

// checkBed is a configuration that is right, beside a database with sessions.
type checkBed struct {
	db   *pgtest.Database
	path string
	env  []string
}

// newCheckBed makes one. Its one route has an allow_sql that is right.
func newCheckBed(t *testing.T) checkBed {
	t.Helper()
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52Data)
	path := filepath.Join(t.TempDir(), "belleville.toml")
	const text = `
listen = "127.0.0.1:0"
admin_listen = ""
[django]
allowed_hosts = ["localhost"]
[live]
triggers = "off"
[[routes]]
path = "ws/chat/<slug:room>/"
consumer = "relay"
groups = ["chat_{room}"]
allow_sql = "SELECT 1 FROM auth_user WHERE id = {user.pk}"
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return checkBed{db, path, []string{"BELLEVILLE_DJANGO_SECRET_KEY=" + canary, "BELLEVILLE_DJANGO_DATABASE_URL=" + pgtest.Restricted(t, db.URL())}}
}

// with returns the environment with what is other in it.
func (b checkBed) with(env ...string) []string {
	all := slices.Clone(env)
	for _, e := range b.env {
		name, _, _ := strings.Cut(e, "=")
		if !slices.ContainsFunc(env, func(o string) bool { return strings.HasPrefix(o, name+"=") }) {
			all = append(all, e)
		}
	}
	return all
}

// check runs belleville check, which must say nothing of a secret, and returns its lines.
func (b checkBed) check(t *testing.T, env ...string) (code int, lines []string) {
	t.Helper()
	got := runWith(t, b.with(env...), "", "check", "--config", b.path)
	if strings.Contains(got.out+got.err, canary) {
		t.Errorf("a secret was printed: %+v", got)
	}
	return got.code, strings.Split(strings.TrimSpace(got.out), "\n")
}

// Fault row F39: each mistake in the settings is named in a line, with no secret in it.
func TestF39EachMistakeIsNamedInALine(t *testing.T) {
	const expired = "UPDATE django_session SET expire_date = now() - interval '1 day'"
	tests := []struct {
		name string
		sql  string
		env  []string
		code int
		want string
	}{
		{"a key that is not right", "", nil, 1, "failed sessions: none of the "},
		{"sessions that all have ended", expired, nil, 0, "ok sessions: there is none that could be read"},
		{"a mistake in the configuration", "", []string{"BELLEVILLE_DJANGO_SESSION_ENGINE=canry"}, 1, "failed django.session_engine (BELLEVILLE_DJANGO_SESSION_ENGINE): "},
		{"a key that there is not", "", []string{"BELLEVILLE_DJANGO_SEKRET_KEY=" + canary}, 1, "failed BELLEVILLE_DJANGO_SEKRET_KEY: "},
		{"a wrong password", "", []string{"BELLEVILLE_DJANGO_DATABASE_URL=postgres://nobody:" + canary + "@HOST/x"}, 1, "failed database: not authorized"},
		{"a database that is away", "", []string{"BELLEVILLE_DJANGO_DATABASE_URL=postgres://a:" + canary + "@127.0.0.1:1/x"}, 1, "failed database: no connection: refused"},
		{"a URL that is none", "", []string{"BELLEVILLE_DJANGO_DATABASE_URL=postgres://a:" + canary + "%zz@127.0.0.1/x"}, 1, "failed database: "},
		{"a session table of another name", "", []string{"BELLEVILLE_DJANGO_SESSION_TABLE=sessions"}, 1, `failed tables: session_table: there is no table "sessions"`},
		{"a user table of another name", "", []string{"BELLEVILLE_DJANGO_USER_TABLE=people"}, 1, `failed tables: user table: there is no table "people"`},
		{"a column of another name", "", []string{"BELLEVILLE_DJANGO_USER_USERNAME=login"}, 1, `failed tables: user table: "auth_user" has no column "login"`},
		{"a backend that is not listed", "", []string{"BELLEVILLE_DJANGO_AUTHENTICATION_BACKENDS=a.B"}, 1, "failed sessions: "},
		{"a query of a table that is not there", "", []string{"BELLEVILLE_ROUTES_0_ALLOW_SQL=SELECT 1 FROM chat_membr"}, 1, "failed routes[0].allow_sql: there is no table chat_membr (42P01)"},
		{"a query that is right", expired, nil, 0, "ok routes[0].allow_sql: "},
		{"permissions that cannot be asked", "DROP TABLE auth_user_user_permissions", []string{"BELLEVILLE_ROUTES_0_ALLOW=perm:polls.vote"}, 1, "failed routes[0].allow: permission table"},
		{"permissions that can", expired, []string{"BELLEVILLE_ROUTES_0_ALLOW=group:editors"}, 0, "ok permissions: "},
		{"passwords without a hasher", expired, []string{"BELLEVILLE_DJANGO_PASSWORD_HASHERS=md5"}, 0, "warning django.password_hashers: "},
		{"two routes in a group", expired, []string{"BELLEVILLE_ROUTES_1_PATH=a/", "BELLEVILLE_ROUTES_1_CONSUMER=relay", "BELLEVILLE_ROUTES_1_GROUPS=chat_staff"}, 0, `warning routes[0].groups: "chat_{room}" can be the same group`},
		{"any origin", expired, []string{"BELLEVILLE_DJANGO_ALLOWED_ORIGINS=*"}, 0, "warning django.allowed_origins: "},
		{"triggers that are not there", expired, []string{"BELLEVILLE_LIVE_TRIGGERS=auto"}, 0, "warning live.triggers: they are not in the database"},
		{"triggers that must be there", expired, []string{"BELLEVILLE_LIVE_TRIGGERS=required"}, 1, "failed live.triggers: they are not in the database"},
		{"a cache that is away", expired, []string{"BELLEVILLE_DJANGO_SESSION_ENGINE=django.contrib.sessions.backends.cache", "BELLEVILLE_DJANGO_CACHES_DEFAULT_BACKEND=django_redis.cache.RedisCache", "BELLEVILLE_DJANGO_CACHES_DEFAULT_LOCATION=redis://:" + canary + "@127.0.0.1:1/0"}, 1, "failed session cache: "},
		{"a layer that is away", expired, []string{"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=" + coreForm, "BELLEVILLE_CHANNEL_LAYERS_DEFAULT_HOSTS=redis://:" + canary + "@127.0.0.1:1/0"}, 1, "failed channel_layers.default: "},
		{"a layer whose tables are not there", expired, []string{"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=channels_postgres.core.PostgresChannelLayer"}, 1, "failed channel_layers.default: the table channels_postgres_"},
		{"an address of somebody else's", expired, []string{"BELLEVILLE_LISTEN=192.0.2.1:80"}, 1, "failed listen: the address is none of this machine's"},
		{"a folder that is not there", expired, []string{"BELLEVILLE_LISTEN=unix:/no/folder/b.sock"}, 1, "failed listen: the folder of the socket does not exist"},
		{"a certificate that is not there", expired, []string{"BELLEVILLE_TLS_CERTIFICATE_FILE=/no/cert.pem", "BELLEVILLE_TLS_KEY_FILE=/no/key.pem"}, 1, "failed tls"},
		{"more connections than files", expired, []string{"BELLEVILLE_LIMITS_MAX_CONNECTIONS=2000000000"}, 1, "failed limits.max_connections: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newCheckBed(t)
			if tt.sql != "" {
				b.db.Exec(t, tt.sql)
			}
			host, _, _ := strings.Cut(b.db.URL()[strings.IndexByte(b.db.URL(), '@')+1:], "/")
			var env []string
			for _, e := range tt.env {
				env = append(env, strings.ReplaceAll(e, "@HOST/", "@"+host+"/"))
			}
			code, lines := b.check(t, env...)
			found := false
			for _, line := range lines {
				found = found || strings.HasPrefix(line, tt.want)
			}
			if code != tt.code || !found {
				t.Errorf("exit %d, want %d and %q in\n%s", code, tt.code, tt.want, strings.Join(lines, "\n"))
			}
		})
	}
}

func TestCheckHearsWhetherAPoolerSwallowsLISTEN(t *testing.T) {
	b := newCheckBed(t)
	b.db.Exec(t, "DELETE FROM django_session")
	url := pgtest.Bouncer(t, b.db, pgtest.TransactionPooling)
	up := runWith(t, b.with("BELLEVILLE_DJANGO_DATABASE_URL="+b.db.URL()), "", "migrate", "up", "live_sessions", "--config", b.path)
	if up.code != 0 {
		t.Fatalf("migrate: %+v", up)
	}
	has := func(lines []string, want string) bool {
		return strings.Contains("\n"+strings.Join(lines, "\n"), "\n"+want)
	}
	if _, lines := b.check(t, "BELLEVILLE_LIVE_TRIGGERS=auto"); !has(lines, "ok live.triggers: changes of sessions and users are heard of at once") {
		t.Errorf("directly: %q", lines)
	}
	code, lines := b.check(t, "BELLEVILLE_LIVE_TRIGGERS=auto", "BELLEVILLE_DJANGO_DATABASE_URL="+url)
	if code != 1 || !has(lines, "failed live.triggers: LISTEN was taken, but nothing is heard") {
		t.Errorf("through a pooler: exit %d, %q", code, lines)
	}
	if _, lines := b.check(t, "BELLEVILLE_LIVE_TRIGGERS=auto", "BELLEVILLE_DJANGO_DATABASE_URL="+url, "BELLEVILLE_DATABASE_LISTEN_URL="+pgtest.Restricted(t, b.db.URL())); !has(lines, "ok live.triggers: ") {
		t.Errorf("through a pooler, with listen_url: %q", lines)
	}
}

func TestCheckLooksIntoTheLayer(t *testing.T) {
	b := newCheckBed(t)
	b.db.Exec(t, "DELETE FROM django_session")
	redis := redistest.Open(t)
	env := []string{"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=" + coreForm, "BELLEVILLE_CHANNEL_LAYERS_DEFAULT_HOSTS=" + redis.URL()}
	const keys = "BELLEVILLE_CHANNEL_LAYERS_DEFAULT_SYMMETRIC_ENCRYPTION_KEYS="
	sent := runWith(t, b.with(append(slices.Clone(env), keys+"the-site's")...), "", "send", "--config", b.path, "worker", `{"type":"x"}`)
	if sent.code != 0 {
		t.Fatalf("send: %+v", sent)
	}
	code, lines := b.check(t, append(slices.Clone(env), keys+"the-site's")...)
	text := strings.Join(lines, "\n")
	for _, want := range []string{`ok channel_layers.default.hosts[0]: Redis "`, "ok channel_layers.default: what waits in it can be read", "ok channel_layers.default: a message to a group came through"} {
		if code != 0 || !strings.Contains(text, want) {
			t.Errorf("exit %d, want %q in\n%s", code, want, text)
		}
	}
	code, lines = b.check(t, append(slices.Clone(env), keys+canary)...)
	if text := strings.Join(lines, "\n"); code != 1 || !strings.Contains(text, "failed channel_layers.default.symmetric_encryption_keys: none of the messages") {
		t.Errorf("with another key: exit %d\n%s", code, text)
	}
}

func TestCheckKnowsWhoHasAnAddress(t *testing.T) {
	b := newCheckBed(t)
	b.db.Exec(t, "DELETE FROM django_session")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := "BELLEVILLE_LISTEN=" + l.Addr().String()
	if code, lines := b.check(t, taken); code != 1 || !strings.Contains(strings.Join(lines, "\n"), "failed listen: the address is in use by another program") {
		t.Errorf("of another program: exit %d, %q", code, lines)
	}
	running := startBelleville(t, b.db.URL())
	code, lines := b.check(t, "BELLEVILLE_LISTEN="+running.addr, "BELLEVILLE_ADMIN_LISTEN="+running.admin)
	if code != 0 || !strings.Contains(strings.Join(lines, "\n"), "ok listen: the address is in use, and a Belleville answers") {
		t.Errorf("of a Belleville: exit %d, %q", code, lines)
	}
}

func TestCheckAsJSONAndInTime(t *testing.T) {
	b := newCheckBed(t)
	const nowhere = "192.0.2.1" // reserved: nobody answers
	began := time.Now()
	got := runWith(t, b.with("BELLEVILLE_DJANGO_DATABASE_URL=postgres://a:"+canary+"@"+nowhere+"/x",
		"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND="+coreForm, "BELLEVILLE_CHANNEL_LAYERS_DEFAULT_HOSTS=redis://:"+canary+"@"+nowhere+":6379/0"),
		"", "check", "--json", "--config", b.path)
	var found []finding
	if err := json.Unmarshal([]byte(got.out), &found); err != nil || got.code != 1 || len(found) == 0 || strings.Contains(got.out, canary) {
		t.Errorf("got %+v: %v", got, err)
	}
	if took := time.Since(began); took > checkPatience+5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestLimitsOfTheMachine(t *testing.T) {
	tests := []struct {
		name  string
		check func(*findings)
		want  string
	}{
		{"files that are enough", func(fs *findings) { fs.openFiles(100_000, connections(90_000)) }, "ok limit on open files: 100000"},
		{"files that are few", func(fs *findings) { fs.openFiles(1024, connections(0)) }, "warning limit on open files: 1024 hold 768 connections; raise LimitNOFILE of the service, or ulimit -n"},
		{"fewer files than connections", func(fs *findings) { fs.openFiles(1024, connections(1000)) }, "failed limits.max_connections: 1000 are more than 1024 open files allow; raise LimitNOFILE of the service, or ulimit -n"},
		{"memory that is enough", func(fs *findings) { fs.memory(64<<20, config.Limits{MaxConnections: 10_000}) }, "ok memory: 64 MiB"},
		{"less memory than connections", func(fs *findings) { fs.memory(64<<20, config.Limits{MaxConnections: 100_000}) }, "warning limits.max_connections: 100000 idle connections take more than 247 MiB, and there are 64; lower it, or give the server more memory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var fs findings
			tt.check(&fs)
			if got := fmt.Sprint(fs[0]); len(fs) != 1 || got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	machine := fstest.MapFS{"proc/meminfo": {Data: []byte("MemTotal:       2048 kB\nMemFree: 1 kB\n")}}
	if got := machineMemory(machine); got != 2<<20 {
		t.Errorf("machineMemory = %d, want 2 MiB", got)
	}
	machine["sys/fs/cgroup/memory.max"] = &fstest.MapFile{Data: []byte("1048576\n")}
	if got := machineMemory(machine); got != 1<<20 {
		t.Errorf("machineMemory in a container = %d, want 1 MiB", got)
	}
}

func TestCheckOfABroker(t *testing.T) {
	b := newCheckBed(t)
	b.db.Exec(t, "DELETE FROM django_session")
	env := []string{"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=" + coreForm, "BELLEVILLE_CHANNEL_LAYERS_BROKER_LISTEN=127.0.0.1:" + freePort(t), "BELLEVILLE_CHANNEL_LAYERS_BROKER_PASSWORD=" + canary}
	if code, lines := b.check(t, env...); code != 0 || !strings.Contains(strings.Join(lines, "\n"), "ok channel_layers.broker.listen: the address is free") {
		t.Errorf("before it runs: exit %d, %q", code, lines)
	}
	startBelleville(t, b.db.URL(), env...)
	code, lines := b.check(t, env...)
	text := strings.Join(lines, "\n")
	for _, want := range []string{"hosts[0]: it answers: the broker of a Belleville that runs", "ok channel_layers.default: a message to a group came through"} {
		if code != 0 || !strings.Contains(text, want) {
			t.Errorf("while it runs: exit %d, want %q in\n%s", code, want, text)
		}
	}
}
