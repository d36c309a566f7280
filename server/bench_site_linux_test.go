package server_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	_ "modernc.org/sqlite" // the driver

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/sessionstore"
)

// benchKey is the SECRET_KEY of the benchmarks' site.
const benchKey = "benchmarks only"

// authenticated lets in whoever is logged in with a session of a database, and follows the sessions until ctx is
// done, as the program does. It counts in reg, which may be nil.
func authenticated(
	ctx context.Context, app consumers.Application, database, key string, reg prometheus.Registerer,
) (consumers.Application, error) {
	store, err := sessionstore.Open(ctx, sessionstore.Config{
		DatabaseURL: djangocompat.NewSecret(database), Keys: djangocompat.NewKeys(key), Registerer: reg,
	})
	if err != nil {
		return nil, err
	}
	following := live.New(store, live.Config{})
	go func() { _ = following.Run(ctx) }() // it returns nil when ctx is done
	return authmw.Stack(following.Watch(authmw.Require(app, authmw.Authenticated)), store, authmw.Config{}), nil
}

// resident is a member of two groups, of which one is all, that tells what it hears.
type resident struct{ room string }

// Connect joins the groups.
func (r *resident) Connect(ctx context.Context, c *consumers.Conn) error {
	if pk, ok := c.Scope().User.PK.Int64(); ok {
		r.room = fmt.Sprintf("room.%d", pk%residentRooms)
	}
	for _, group := range []string{"all", r.room} {
		if err := c.GroupAdd(ctx, group); err != nil {
			return err
		}
	}
	return c.Accept()
}

// Receive tells the room.
func (r *resident) Receive(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
	return c.GroupSend(ctx, r.room, said{m.Text()})
}

// Disconnect has nothing to do.
func (*resident) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// residentRooms is how many rooms the residents have together.
const residentRooms = 200

// residents is their Application.
func residents() consumers.Application {
	return consumers.New(func() *resident { return new(resident) }, consumers.OnGroup(shown))
}

// sessionKey is the session key of a visitor.
func sessionKey(visitor int) string { return fmt.Sprintf("v%031d", visitor) }

// rows are the sessions and names of visitors, who are users 1, 2, … of one password.
type rows struct {
	keys, data, names []string
	ids               []int64
	expires           time.Time
}

// encodedPassword is a password as Django stores it.
const encodedPassword = "pbkdf2_sha256$1000000$aaaaaaaaaaaaaaaaaaaaaa$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// newRows makes the sessions that Django would make at login.
func newRows(tb testing.TB, visitors int) rows {
	tb.Helper()
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys(benchKey)}
	r := rows{expires: time.Now().Add(24 * time.Hour)}
	for i := range visitors {
		data, err := json.Marshal(map[string]string{
			"_auth_user_id":      fmt.Sprint(i + 1),
			"_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
			"_auth_user_hash":    djangocompat.SessionAuthHash(codec.Keys, encodedPassword),
		})
		if err != nil {
			tb.Fatal(err)
		}
		text, err := codec.EncodeBytes(data)
		if err != nil {
			tb.Fatal(err)
		}
		r.keys, r.data = append(r.keys, sessionKey(i)), append(r.data, text)
		r.ids, r.names = append(r.ids, int64(i+1)), append(r.names, fmt.Sprintf("visitor%d", i))
	}
	return r
}

// postgresSite is a database of Django on PostgreSQL.
func postgresSite(tb testing.TB, visitors int) *pgtest.Database {
	tb.Helper()
	db, r := pgtest.Open(tb), newRows(tb, visitors)
	pgtest.Schema(tb, db, pgtest.Django52)
	db.Exec(tb, `INSERT INTO django_session (session_key, session_data, expire_date)
		SELECT k, d, $3 FROM unnest($1::text[], $2::text[]) AS rows (k, d)`, r.keys, r.data, r.expires)
	db.Exec(tb, `INSERT INTO auth_user (id, username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)
		SELECT i, n, $3, false, '', '', '', false, true, now() FROM unnest($1::bigint[], $2::text[]) AS rows (i, n)`,
		r.ids, r.names, encodedPassword)
	db.Exec(tb, `ANALYZE`)
	return db
}

// sqliteSite is a database of Django on SQLite. It returns its URL.
func sqliteSite(tb testing.TB, visitors int) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "db.sqlite3")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	r := newRows(tb, visitors)
	tx, err := db.Begin()
	if err != nil {
		tb.Fatal(err)
	}
	exec := func(statement string, args ...any) {
		if _, err := tx.Exec(statement, args...); err != nil {
			tb.Fatal(err)
		}
	}
	exec(`CREATE TABLE django_session (session_key varchar(40) NOT NULL PRIMARY KEY, session_data text NOT NULL, expire_date datetime NOT NULL)`)
	exec(`CREATE TABLE auth_user (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, password varchar(128) NOT NULL, last_login datetime NULL,
		is_superuser bool NOT NULL, username varchar(150) NOT NULL UNIQUE, last_name varchar(150) NOT NULL, email varchar(254) NOT NULL,
		is_staff bool NOT NULL, is_active bool NOT NULL, date_joined datetime NOT NULL, first_name varchar(150) NOT NULL)`)
	for i := range visitors {
		exec(`INSERT INTO django_session VALUES (?, ?, ?)`, r.keys[i], r.data[i], r.expires.UTC().Format("2006-01-02 15:04:05.000000"))
		exec(`INSERT INTO auth_user VALUES (?, ?, NULL, 0, ?, '', '', 0, 1, '2026-01-01 00:00:00', '')`, r.ids[i], encodedPassword, r.names[i])
	}
	if err := tx.Commit(); err != nil {
		tb.Fatal(err)
	}
	return "sqlite:///" + path
}
