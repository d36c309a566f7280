package chaos_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/pgtest"
)

// login is a session of a user who is logged in.
type login struct {
	Key string `json:"key"`
	PK  int64  `json:"pk"`

	ended time.Time // when that began which ended it, or when it expires
	cause string
}

// site is a real Django and its database.
type site struct {
	*djangotest.Site
	t  *testing.T
	db *pgtest.Database
}

// openSite migrates and serves a Django site in a database.
func openSite(t *testing.T, db *pgtest.Database) *site {
	t.Helper()
	return &site{djangotest.Start(t, db.URL(), djangotest.Config{SecretKey: secretKey}), t, db}
}

// migrate runs "belleville migrate" on the site's database, as its owner.
func (s *site) migrate(args ...string) {
	s.t.Helper()
	p := prepare(s.t, s.db.URL())
	p.run(append([]string{"migrate"}, args...)...)
	must(s.t, p.command.Wait())
}

// preamble is in front of the code that Django runs.
const preamble = `
import datetime, json, time
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, logout
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import VALID_KEY_CHARS
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import get_random_string
`

// ask has Django run code that prints JSON, with todo as a value of that name.
func (s *site) ask(code string, todo, answer any) {
	s.t.Helper()
	text, err := json.Marshal(todo)
	must(s.t, err)
	out := s.Shell(s.t, preamble+"todo = json.loads("+fmt.Sprintf("%q", text)+")\n"+code)
	if answer != nil {
		must(s.t, json.Unmarshal([]byte(strings.TrimSpace(out)), answer))
	}
}

// makeLogins are users with a cheap password, and sessions of theirs as Django's login makes them.
const makeLogins = `
password = PBKDF2PasswordHasher().encode("wonderland", "salt", 1000)
users = User.objects.bulk_create([User(username=todo["prefix"] + str(i), password=password) for i in range(todo["users"])])
rows, logins = [], []
expires = timezone.now() + datetime.timedelta(seconds=todo["life"])
for u in users:
    data = SessionStore().encode({SESSION_KEY: str(u.pk), BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend", HASH_SESSION_KEY: u.get_session_auth_hash()})
    for _ in range(todo["each"]):
        rows.append(Session(session_key=get_random_string(32, VALID_KEY_CHARS), session_data=data, expire_date=expires))
        logins.append({"key": rows[-1].session_key, "pk": u.pk})
Session.objects.bulk_create(rows)
print(json.dumps({"expires": expires.timestamp(), "logins": logins}))
`

// logins makes users with sessions that live for a time.
func (s *site) logins(prefix string, users, each int, life time.Duration) []*login {
	s.t.Helper()
	var made struct {
		Expires float64
		Logins  []*login
	}
	s.ask(makeLogins, map[string]any{"prefix": prefix, "users": users, "each": each, "life": life.Seconds()}, &made)
	for _, l := range made.Logins {
		l.ended = unixTime(made.Expires)
	}
	return made.Logins
}

func unixTime(seconds float64) time.Time { return time.UnixMicro(int64(seconds * 1e6)) }

// endings are what ends logins, one after another: each prints when it began with a session.
var endings = []struct{ name, code string }{
	{"logout", `
    r = HttpRequest()
    r.session = SessionStore(key)
    r.session.load()
    began[key] = time.time()
    logout(r)`},
	{"password change", `
    u = User.objects.get(pk=pk)
    u.password = PBKDF2PasswordHasher().encode("another", "salt", 1000)
    began[key] = time.time()
    u.save()`},
	{"is_active = False", `
    u = User.objects.get(pk=pk)
    u.is_active = False
    began[key] = time.time()
    u.save()`},
	{"row deleted", `
    began[key] = time.time()
    Session.objects.filter(session_key=key).delete()`},
}

// finish ends logins, one after another.
func (s *site) finish(cause, code string, logins []*login) {
	s.t.Helper()
	var began map[string]float64
	s.ask("began = {}\nfor item in todo:\n    key, pk = item['key'], item['pk']"+code+"\nprint(json.dumps(began))\n", logins, &began)
	for _, l := range logins {
		l.cause, l.ended = cause, unixTime(began[l.Key])
	}
}

// connections returns how many connections belleville has to the database.
func (s *site) connections() int {
	s.t.Helper()
	n, _ := s.db.Value(s.t, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'belleville' AND datname = current_database()").(int64)
	return int(n)
}

// watchConnections looks again and again how many connections belleville has, until stop, which returns the most.
func (s *site) watchConnections() (stop func() int) {
	most, done, ended := 0, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		looks := time.NewTicker(50 * time.Millisecond)
		defer looks.Stop()
		for {
			most = max(most, s.connections())
			select {
			case <-looks.C:
			case <-done:
				return
			}
		}
	}()
	return func() int { close(done); <-ended; return most }
}
