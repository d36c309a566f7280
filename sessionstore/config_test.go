package sessionstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// canary is a password that must not come out anywhere.
const canary = "hunter2canary"

func TestOpenRefusesWhatCannotBeRight(t *testing.T) {
	valid := func(change func(*sessionstore.Config)) sessionstore.Config {
		cfg := sessionstore.Config{DatabaseURL: djangocompat.NewSecret("sqlite:///db.sqlite3"), Keys: djangocompat.NewKeys("k")}
		change(&cfg)
		return cfg
	}
	at := func(url string) sessionstore.Config {
		return valid(func(c *sessionstore.Config) { c.DatabaseURL = djangocompat.NewSecret(url) })
	}
	tests := []struct {
		name string
		cfg  sessionstore.Config
		want string // a part of the error
	}{
		{"no database", at(""), "database_url is missing"},
		{"no key", valid(func(c *sessionstore.Config) { c.Keys = djangocompat.Keys{} }), "secret_key is missing"},
		{"no URL", at("host=db password=" + canary), "is no URL"},
		{"an unknown scheme", at("mysql://root:" + canary + "@db/site"), "unknown scheme"},
		{"a scheme that is no text", at(canary + "\x00://x"), "is no URL"},
		{"a port that is none", at("postgres://u:" + canary + "@db:port/site"), "port"},
		{"a port that is too large", at("postgres://u:" + canary + "@db:70000/site"), "port"},
		{"a bad escape in the password", at("postgres://u:" + canary + "%zz@db/site"), "%25"},
		{"a bad escape in the host", at("postgres://u:" + canary + "@d%b/site"), "%25"},
		{"a NUL in the password", at("postgres://u:" + canary + "%00@db/site"), "NUL"},
		{"bad options", at("postgres://u:" + canary + "@db/site?%zz"), "options"},
		{"an option that pgx refuses", at("postgres://u:" + canary + "@db/site?sslmode=sometimes"), "sslmode"},
		{"a certificate that is not there", at("postgres://u:" + canary + "@db/site?sslmode=verify-full&sslrootcert=/no/such"), "sslrootcert"},
		{"SQLite in memory", at("sqlite://:memory:"), "names no file"},
		{"SQLite without a file", at("sqlite://"), "names no file"},
		{"SQLite with a host", at("sqlite://u:" + canary + "@host/db"), "names no file"},
		{"a session engine of a site's own", valid(func(c *sessionstore.Config) { c.SessionEngine = "mysite.sessions" }), "session_engine"},
		{"another exec mode", valid(func(c *sessionstore.Config) { c.QueryExecMode = "simple" }), "query_exec_mode"},
		{"a negative pool", valid(func(c *sessionstore.Config) { c.PoolSize = -1 }), "pool_size"},
		{"a NUL in a table", valid(func(c *sessionstore.Config) { c.Users.Table = "auth\x00user" }), "user table"},
		{"a long column", valid(func(c *sessionstore.Config) { c.Users.PK = strings.Repeat("x", 64) }), "user pk"},
		{"bytes that are no UTF-8", valid(func(c *sessionstore.Config) { c.SessionTable = "\xff" }), "session_table"},
		{"an extra column without a name", valid(func(c *sessionstore.Config) { c.Users.Extra = []string{""} }), "extra column"},
		{"a hidden row by a slice", valid(func(c *sessionstore.Config) { c.Users.Where = map[string]any{"a": []int{1}} }), "where"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := sessionstore.Open(t.Context(), tt.cfg)
			if err == nil {
				s.Close()
				t.Fatal("Open = nil, want an error")
			}
			if text := err.Error(); !strings.Contains(text, tt.want) || strings.Contains(text, "\n") || strings.Contains(text, canary) {
				t.Errorf("Open = %q, want one line about %q without the password", text, tt.want)
			}
			if errors.Is(err, sessionstore.ErrUnavailable) {
				t.Error("Open = ErrUnavailable, want an error that does not go away by itself")
			}
		})
	}
}

// TestNothingIsRevealed points Stores at databases that are not there, or do not let them in.
func TestNothingIsRevealed(t *testing.T) {
	real := postgresBed(t).url.Reveal()
	u, err := url.Parse(real)
	if err != nil {
		t.Fatal(err)
	}
	host := u.Host
	password, _ := u.User.Password()
	us := "postgres://" + u.User.Username() + ":"
	for _, address := range []string{
		us + canary + "@" + host + "/postgres?sslmode=disable",
		"postgres://" + canary + ":" + canary + "@" + host + "/" + canary + "?sslmode=disable",
		us + password + "@" + host + "/" + canary + "?sslmode=disable",
		us + canary + "@" + host + "/x?sslmode=require",
		us + canary + "@127.0.0.1:1/x",
		us + canary + "@" + canary + ".invalid/x?sslmode=disable",
		us + canary + "@%2Fno%2F" + canary + "/x",
		us + password + "@" + host + "/postgres?sslmode=disable&options=-c%20" + canary + "%3D1",
		"sqlite:////no/such/" + canary + "/db.sqlite3",
	} {
		t.Run("", func(t *testing.T) {
			var log bytes.Buffer
			cfg := sessionstore.Config{
				DatabaseURL: djangocompat.NewSecret(address), Keys: djangocompat.NewKeys(canary),
				ConnectTimeout: 2 * time.Second,
				Logger:         slog.New(slog.NewTextHandler(&log, nil)),
			}
			s, err := sessionstore.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			_, loadErr := s.Load(t.Context(), "asessionkeyofnobody")
			_, authErr := s.Authenticate(t.Context(), "alice", canary)
			said := []any{s.Ready(t.Context()), loadErr, authErr, saveOf(s, "asessionkeyofnobody", t.Context()), cfg}
			s.Close()
			for i, err := range []error{loadErr, authErr, said[0].(error)} {
				if !errors.Is(err, sessionstore.ErrUnavailable) {
					t.Errorf("error %d = %v, want ErrUnavailable", i, err)
				}
			}
			text := fmt.Sprintf("%v %+v %#v", said, said, said) + log.String()
			for _, secret := range []string{canary, password, host} {
				if strings.Contains(text, secret) {
					t.Errorf("%q is in %s", secret, text)
				}
			}
			t.Log(said[0])
		})
	}
}

func TestTablesAreFoundOrRefused(t *testing.T) {
	hostile := []string{
		`auth_user"; DROP TABLE django_session; --`, `auth_user; DROP TABLE django_session`, `"auth_user"`, `auth_user--`,
		`public.auth_user`, `public"."auth_user`, `AUTH_USER `, `auth_user WHERE 1=1`, `(SELECT 1)`, `'auth_user'`, "auth_user\n", `pg_catalog`,
		"`auth_user`", `[auth_user]`, `auth_user)`, `$1`, `?1`, `%s`, "аuth_user",
	}
	onBoth(t, func(t *testing.T, b *bed) {
		for _, name := range hostile {
			for setting, cfg := range map[string]sessionstore.UserTable{
				"table": {Table: name}, "pk": {PK: name}, "extra": {Extra: []string{name}}, "where": {Where: map[string]any{name: true}},
				"is_active": {IsActive: name},
			} {
				c := b.config()
				c.Users, c.PoolSize = cfg, 1
				s, err := sessionstore.Open(t.Context(), c)
				if d, ok := errors.AsType[*sessionstore.DatabaseError](err); !ok || d.Fault != sessionstore.FaultSchema {
					t.Errorf("%s %q: Open = %v, want FaultSchema", setting, name, err)
				}
				if err == nil {
					s.Close()
				}
			}
		}
		if b.count(t) != 0 {
			t.Error("the tables are not what they were")
		}
		t.Run("a column of the default name may be missing", func(t *testing.T) {
			b.exec(t, "CREATE TABLE lean (id integer PRIMARY KEY, username varchar(10), password varchar(100))")
			b.exec(t, "INSERT INTO lean VALUES (1, 'alice', '"+cheap("wonderland")+"')")
			b.grant(t, "SELECT ON lean")
			cfg := b.config()
			cfg.Passwords.Iterations = 2
			cfg.Users = sessionstore.UserTable{Table: "lean"}
			s := open(t, cfg)
			u, err := s.Authenticate(t.Context(), "alice", "wonderland")
			if err != nil || !u.IsActive || u.IsStaff || u.IsSuperuser || u.Email != "" || !u.LastLogin.IsZero() {
				t.Errorf("Authenticate = %+v, %v, want an active user and nothing more", u, err)
			}
			session := load(t, s, "")
			if err := s.Login(t.Context(), session, u); err != nil {
				t.Errorf("Login without last_login = %v", err)
			}
		})
		t.Run("a pk that is no key is refused", func(t *testing.T) {
			cfg := b.config()
			cfg.Users = sessionstore.UserTable{PK: "date_joined"}
			if _, err := sessionstore.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "date_joined") {
				t.Errorf("Open = %v, want an error that names date_joined", err)
			}
		})
		t.Run("further columns are in Extra", func(t *testing.T) {
			b.exec(t, "CREATE TABLE extra (id integer PRIMARY KEY, username varchar(10), password varchar(100), theme text, age integer, vip bool, none text)")
			b.exec(t, "INSERT INTO extra VALUES (1, 'alice', '"+cheap("wonderland")+"', 'dark', 7, true, NULL)")
			b.grant(t, "SELECT ON extra")
			cfg := b.config()
			cfg.Passwords.Iterations = 2
			cfg.Users = sessionstore.UserTable{Table: "extra", Extra: []string{"theme", "age", "none"}, Where: map[string]any{"vip": true}}
			u, err := open(t, cfg).Authenticate(t.Context(), "alice", "wonderland")
			if err != nil || u.Extra["theme"] != "dark" || u.Extra["age"] != int64(7) || u.Extra["none"] != nil || len(u.Extra) != 3 {
				t.Errorf("Authenticate = %v, %v, want dark, 7, nil", u, err)
			}
			cfg.Users.Where = map[string]any{"none": nil, "age": 8}
			if u, err := open(t, cfg).Authenticate(t.Context(), "alice", "wonderland"); !errors.Is(err, sessionstore.ErrBadLogin) {
				t.Errorf("Authenticate of a hidden row = %v, %v, want ErrBadLogin", u, err)
			}
		})
	})
}

func TestSQLiteFileComesLater(t *testing.T) {
	b := sqliteBed(t)
	path := strings.TrimPrefix(b.url.Reveal(), "sqlite:///")
	cfg := b.config()
	later := filepath.Join(t.TempDir(), "a b%2F?#;c.sqlite3")
	cfg.DatabaseURL = djangocompat.NewSecret("sqlite:///" + strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23").Replace(later))
	s := open(t, cfg)
	if err := s.Ready(t.Context()); !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Errorf("Ready without a file = %v, want ErrUnavailable", err)
	}
	b.exec(t, "VACUUM INTO '"+later+"'")
	eventually(t, "the Store is ready", func() bool { _, err := s.Load(t.Context(), "asessionkeyofnobody"); return err == nil })
	if found, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(found) != 1 {
		t.Errorf("files %v, %v, want the database alone", found, err)
	}
}
