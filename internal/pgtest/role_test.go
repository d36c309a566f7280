package pgtest

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/internal/parts"
)

// furtherTables are those that docs/operations.md names and that Schema does not make.
const furtherTables = `CREATE TABLE token_blacklist_outstandingtoken (id int); CREATE TABLE token_blacklist_blacklistedtoken (id int);
CREATE TABLE django_cache (cache_key text); CREATE TABLE channels_postgres_message (id serial); CREATE TABLE channels_postgres_groupchannel (id serial)`

// connectTo opens a connection until the test ends.
func connectTo(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // nothing is lost with it
	return conn
}

func TestEveryStatementOfThePageRuns(t *testing.T) {
	statements, err := roleSQL()
	if err != nil {
		t.Fatal(err)
	}
	d := Open(t)
	owner := connectTo(t, d.URL())
	skips := func(want int) {
		t.Helper()
		skipped, err := restrict(t.Context(), owner)
		if err != nil || len(skipped) != want {
			t.Errorf("skipped %d of %d statements, want %d: %q, %v", len(skipped), len(statements), want, skipped, err)
		}
	}
	skips(len(statements) - 3) // the role itself, the database and the schema
	Schema(t, d, Django52)
	d.Exec(t, furtherTables)
	skips(0)
	skips(0) // again
}

func TestRestricted(t *testing.T) {
	d := Open(t)
	Schema(t, d, Django52)
	d.Exec(t, "CREATE TABLE chat_member (id int)")
	url := Restricted(t, d.URL())
	if again := Restricted(t, url); again != url {
		t.Error("the URL of the role does not come back as it is")
	}
	if file := "sqlite:///db.sqlite3"; Restricted(t, file) != file {
		t.Error("the URL of a file does not come back as it is")
	}
	if second := Restricted(t, d.SocketURL()); connectTo(t, second).Config().User != roleOf(d.Name) {
		t.Error("over the unix socket it is somebody else")
	}
	conn := connectTo(t, url)
	tests := []struct {
		name, sql string
		allowed   bool
	}{
		{"it reads sessions", "SELECT count(*) FROM django_session", true},
		{"it saves when somebody has logged in", "UPDATE auth_user SET last_login = now()", true},
		{"it makes nobody a superuser", "UPDATE auth_user SET is_superuser = true", false},
		{"it deletes no user", "DELETE FROM auth_user", false},
		{"it does not empty a table", "TRUNCATE django_session", false},
		{"it does not read what it need not", "SELECT count(*) FROM django_admin_log", false},
		{"it does not read a site's own tables", "SELECT count(*) FROM chat_member", false},
		{"it makes no role", "CREATE ROLE another", false},
		{"it makes no trigger", "CREATE TRIGGER x BEFORE DELETE ON django_session EXECUTE FUNCTION suppress_redundant_updates_trigger()", false},
		{"it listens", "LISTEN x", true},
		{"it notifies", "NOTIFY x", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := conn.Exec(t.Context(), tt.sql)
			if allowed := err == nil; allowed != tt.allowed {
				t.Errorf("allowed = %v, want %v: %v", allowed, tt.allowed, err)
			}
		})
	}
	Grant(t, d.URL(), "SELECT ON chat_member")
	if _, err := conn.Exec(t.Context(), "SELECT count(*) FROM chat_member"); err != nil {
		t.Errorf("after Grant: %v", err)
	}
}

func TestTheRoleEndsWithItsDatabase(t *testing.T) {
	var role string
	t.Run("a test", func(t *testing.T) {
		d := Open(t)
		Restricted(t, d.URL())
		role = roleOf(d.Name)
	})
	if n := Open(t).Value(t, "SELECT count(*) FROM pg_roles WHERE rolname = $1", role); n != int64(0) {
		t.Errorf("%v roles are left, want none", n)
	}
}

func TestTheOwnersConnectionsAreSeen(t *testing.T) {
	c, err := NewCluster(t.Context()) // which no test but this looks after
	parts.Need(t, "PostgreSQL", err)
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	one, other := c.Open(t), c.Open(t)
	one.Exec(t, "CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'x'")
	as := func(url, name string) string { return url + "&application_name=" + name }
	tests := []struct {
		name, url string
		here, any int
	}{
		{"a program without a name", one.URL(), 0, 0},
		{"another program", as(one.URL(), "psql"), 0, 0},
		{"belleville migrate", as(one.URL(), "belleville-migrate"), 0, 0},
		{"the role of the page", as(Restricted(t, one.URL()), program), 0, 0},
		{"a superuser that a test made", as(strings.Replace(one.URL(), superuser+":"+c.password, "boss:x", 1), program), 0, 0},
		{"the owner of another database", as(other.URL(), program), 0, 1},
		{"the owner", as(one.URL(), program), 1, 2},
		{"the owner over the unix socket", as(one.SocketURL(), program), 2, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			connectTo(t, tt.url)
			here, err := c.ownerConnections(one.Name)
			if err != nil {
				t.Fatal(err)
			}
			if all, err := c.ownerConnections(""); here != tt.here || all != tt.any || err != nil {
				t.Errorf("%d connections, %d to any database, %v, want %d and %d", here, all, err, tt.here, tt.any)
			}
		})
	}
}
