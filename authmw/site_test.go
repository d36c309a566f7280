package authmw_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// schema are the tables of Django that matter here.
const schema = `
CREATE TABLE django_session (session_key varchar(40) PRIMARY KEY, session_data text NOT NULL, expire_date datetime NOT NULL);
CREATE TABLE auth_user (id integer PRIMARY KEY, password varchar(128), last_login datetime, is_superuser bool, username varchar(150),
	last_name varchar(150), email varchar(254), is_staff bool, is_active bool, date_joined datetime, first_name varchar(150));
CREATE TABLE django_content_type (id integer PRIMARY KEY, app_label varchar(100), model varchar(100));
CREATE TABLE auth_permission (id integer PRIMARY KEY, content_type_id integer, codename varchar(100), name varchar(255));
CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150));
CREATE TABLE auth_group_permissions (id integer PRIMARY KEY, group_id integer, permission_id integer);
CREATE TABLE auth_user_groups (id integer PRIMARY KEY, user_id integer, group_id integer);
CREATE TABLE auth_user_user_permissions (id integer PRIMARY KEY, user_id integer, permission_id integer);
INSERT INTO django_content_type VALUES (1, 'chat', 'room'), (2, 'polls', 'choice');
INSERT INTO auth_permission VALUES (1, 1, 'view_room', ''), (2, 1, 'add_room', ''), (3, 2, 'add_choice', '');
INSERT INTO auth_group VALUES (1, 'editors'), (2, 'empty');
INSERT INTO auth_group_permissions VALUES (1, 1, 1);
`

// secretKey is the SECRET_KEY of the tests' site.
const secretKey = "the tests' secret key, which is no site's"

// site is a database with the users alice (1), bob (2), carol (3, inactive) and root (4, a superuser), and a
// Store on it.
type site struct {
	*sessionstore.Store
	db  *sql.DB
	cfg sessionstore.Config
}

// password is everybody's.
const password = "wonderland"

// newSite makes a site in a folder, with these settings but for the database.
func newSite(ctx context.Context, dir string, cfg sessionstore.Config) (*site, error) {
	path := filepath.Join(dir, "db.sqlite3")
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)&_pragma=synchronous(0)")
	if err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, err
	}
	encoded := djangocompat.HashPassword(password, djangocompat.PasswordConfig{Iterations: 2})
	for i, name := range []string{"alice", "bob", "carol", "root"} {
		if _, err := db.ExecContext(ctx, "INSERT INTO auth_user VALUES ($1, $2, NULL, $3, $4, '', '', false, $5, '2024-01-02 03:04:05', '')",
			i+1, encoded, name == "root", name, name != "carol"); err != nil {
			return nil, err
		}
	}
	cfg.DatabaseURL = djangocompat.NewSecret("sqlite:///" + path)
	if cfg.Keys.IsZero() {
		cfg.Keys = djangocompat.NewKeys(secretKey)
	}
	store, err := sessionstore.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &site{store, db, cfg}, nil
}

// close ends the site.
func (s *site) close() {
	s.Close()
	_ = s.db.Close()
}

// openSite makes a site that ends with the test.
func openSite(t testing.TB, cfg sessionstore.Config) *site {
	t.Helper()
	s, err := newSite(t.Context(), t.TempDir(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// exampleSite makes a site for an example, and says how to end it.
func exampleSite() (*site, func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	s, err := newSite(context.Background(), dir, sessionstore.Config{Passwords: djangocompat.HasherConfig{Iterations: 2}})
	if err != nil {
		panic(err)
	}
	return s, func() {
		s.close()
		_ = os.RemoveAll(dir)
	}
}

// exec changes the database, as Django does.
func (s *site) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := s.db.ExecContext(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// count returns how many rows there are.
func (s *site) count(t testing.TB, where string) int {
	t.Helper()
	var n int
	if err := s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// user returns the user of a number.
func (s *site) user(pk int64) *djangocompat.User {
	return &djangocompat.User{PK: djangocompat.IntPK(pk)}
}

// loggedIn returns the key of a session in which a user is logged in, and there is a cart.
func (s *site) loggedIn(t testing.TB, pk int64) string {
	t.Helper()
	session, err := s.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	session.Set("cart", "a book about gypsy jazz")
	if err := s.Login(t.Context(), session, s.user(pk)); err != nil {
		t.Fatal(err)
	}
	return session.Key()
}

// enter opens a wrapped Application with a Cookie header, and returns the Scope that is inside.
func enter(t testing.TB, wrap func(consumers.Application) consumers.Application, s *consumers.Scope) *consumers.Scope {
	t.Helper()
	var inner *consumers.Scope
	if _, err := wrap(seen(&inner)).Open(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return inner
}

// sessionCookie writes a Cookie header.
func sessionCookie(key string) string { return fmt.Sprintf("theme=dark; sessionid=%s", key) }
