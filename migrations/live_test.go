package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/migrations"
)

// djangoTables are those of a new project.
var djangoTables = migrations.LiveTables{
	Sessions: "django_session", Users: "auth_user", PK: "id",
	Columns: []string{"username", "password", "is_active", "is_staff", "is_superuser", "no_such_column"},
}

func liveSets(t testing.TB, conn *pgx.Conn, tables migrations.LiveTables) []migrations.Set {
	t.Helper()
	sets, err := migrations.LiveSets(t.Context(), conn, tables)
	if err != nil {
		t.Fatal(err)
	}
	return sets
}

// notified returns the payloads of the notifications that a statement has caused, without their times.
func notified(t testing.TB, conn *pgx.Conn, d *pgtest.Database, sql string) []string {
	t.Helper()
	d.Exec(t, sql)
	d.Exec(t, "NOTIFY belleville_live, 'end'") // what was notified before comes before it
	var payloads []string
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		n, err := conn.WaitForNotification(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if n.Payload == "end" {
			return payloads
		}
		what, _, _ := strings.Cut(n.Payload, ":")
		payloads = append(payloads, what)
	}
}

func TestTriggersTellOfWhatEndsALogin(t *testing.T) {
	const session = `INSERT INTO django_session VALUES ('0123456789abcdefghijklmnopqrstuv', 'x', now() + '1 day')`
	const user = `INSERT INTO auth_user (id, username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)
VALUES (42, 'alice', 'secret', false, '', '', '', false, true, now())`
	sessionHash := fmt.Sprintf("s%x", live.HashSession("0123456789abcdefghijklmnopqrstuv"))
	userHash := fmt.Sprintf("u%x", live.HashUser(djangocompat.IntPK(42)))
	tests := []struct {
		name string
		sql  string
		want []string
	}{
		{"a session that is deleted", "DELETE FROM django_session", []string{sessionHash}},
		{"not one that had expired", "UPDATE django_session SET expire_date = now() - '1 second'::interval; DELETE FROM django_session", []string{sessionHash}}, // of the first statement
		{"not one that is saved", "UPDATE django_session SET session_data = 'y', expire_date = now() + '2 days'", nil},
		{"a session that is to expire sooner", "UPDATE django_session SET expire_date = now() + '1 hour'::interval", []string{sessionHash}},
		{"all sessions at once", "TRUNCATE django_session", []string{"a"}},
		{"all users at once", "TRUNCATE auth_user CASCADE", []string{"a"}},
		{"a user who is deleted", "DELETE FROM auth_user", []string{userHash}},
		{"a password", "UPDATE auth_user SET password = 'other'", []string{userHash}},
		{"is_active", "UPDATE auth_user SET is_active = false", []string{userHash}},
		{"another column that counts", "UPDATE auth_user SET username = 'alicia'", []string{userHash}},
		{"a login", "UPDATE auth_user SET last_login = now()", nil},
		{"not what was set to what it was", "UPDATE auth_user SET password = password, is_active = is_active", nil},
		{"nothing that was rolled back", "BEGIN; DELETE FROM django_session; ROLLBACK", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := pgtest.Open(t)
			pgtest.Schema(t, d, pgtest.Django52)
			conn := connect(t, d)
			set := liveSets(t, conn, djangoTables)[0]
			if err := migrations.Up(t.Context(), conn, set); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), "LISTEN belleville_live"); err != nil {
				t.Fatal(err)
			}
			d.Exec(t, session)
			d.Exec(t, user)
			if got := notified(t, conn, d, tt.sql); !slices.Equal(got, tt.want) {
				t.Errorf("notified %q, want %q", got, tt.want)
			}
		})
	}
}

func TestUpdatesAreToldOfOnRequest(t *testing.T) {
	d := pgtest.Open(t)
	pgtest.Schema(t, d, pgtest.Django52)
	conn := connect(t, d)
	if err := migrations.Up(t.Context(), conn, liveSets(t, conn, djangoTables)[1]); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "LISTEN belleville_live"); err != nil {
		t.Fatal(err)
	}
	d.Exec(t, `INSERT INTO django_session VALUES ('0123456789abcdefghijklmnopqrstuv', 'x', now() + '1 day')`)
	want := []string{fmt.Sprintf("s%x", live.HashSession("0123456789abcdefghijklmnopqrstuv"))}
	if got := notified(t, conn, d, "UPDATE django_session SET session_data = 'y'"); !slices.Equal(got, want) {
		t.Errorf("notified %q, want %q", got, want)
	}
	if got := notified(t, conn, d, "UPDATE django_session SET expire_date = now() + '2 days'"); len(got) > 0 {
		t.Errorf("notified %q of data that is as it was", got)
	}
}

func TestLiveSetsLeaveNothingBehind(t *testing.T) {
	odd := migrations.LiveTables{Schema: "public", Sessions: `My "Sessions"`, Users: "accounts", PK: "The Id", Columns: []string{"password"}}
	tests := []struct {
		name   string
		tables migrations.LiveTables
		schema func(t *testing.T, d *pgtest.Database)
	}{
		{"tables of Django", djangoTables, func(t *testing.T, d *pgtest.Database) { pgtest.Schema(t, d, pgtest.Django52) }},
		{"tables with odd names", odd, func(t *testing.T, d *pgtest.Database) {
			d.Exec(t, `CREATE TABLE "My ""Sessions""" (session_key varchar(40), session_data text, expire_date timestamptz);
CREATE TABLE accounts ("The Id" uuid, password text)`)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := pgtest.Open(t)
			tt.schema(t, d)
			conn := connect(t, d)
			before := d.Value(t, inventory)
			for range 2 {
				for _, s := range liveSets(t, conn, tt.tables) {
					for range 2 {
						if err := migrations.Up(t.Context(), conn, s); err != nil {
							t.Fatal(err)
						}
						if got := status(t, conn, s); got != migrations.Present {
							t.Errorf("%s after Up: %s, want present", s.Name, got)
						}
					}
				}
				for _, s := range liveSets(t, conn, tt.tables) {
					for range 2 {
						if err := migrations.Down(t.Context(), conn, s); err != nil {
							t.Fatal(err)
						}
						if got := status(t, conn, s); got != migrations.Absent {
							t.Errorf("%s after Down: %s, want absent", s.Name, got)
						}
					}
				}
			}
			if after := d.Value(t, inventory); after != before {
				t.Errorf("there is %q, and was %q", after, before)
			}
		})
	}
}

// older is what the set live_sessions was in the first version.
const older = `CREATE FUNCTION belleville_session_ended() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
COMMENT ON FUNCTION belleville_session_ended() IS 'made by belleville migrate';
CREATE TRIGGER belleville_session_ended AFTER DELETE ON django_session FOR EACH ROW EXECUTE PROCEDURE belleville_session_ended();
CREATE FUNCTION belleville_user_touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
COMMENT ON FUNCTION belleville_user_touched() IS 'made by belleville migrate';
CREATE TRIGGER belleville_user_deleted AFTER DELETE ON auth_user FOR EACH ROW EXECUTE PROCEDURE belleville_user_touched();
CREATE TRIGGER belleville_user_changed AFTER UPDATE ON auth_user FOR EACH ROW EXECUTE PROCEDURE belleville_user_touched();`

func TestUpCompletesAnOlderVersion(t *testing.T) {
	for name, then := range map[string]func(context.Context, *pgx.Conn, migrations.Set) error{"up": migrations.Up, "down": migrations.Down} {
		t.Run(name, func(t *testing.T) {
			d := pgtest.Open(t)
			pgtest.Schema(t, d, pgtest.Django52)
			conn := connect(t, d)
			before := d.Value(t, inventory)
			d.Exec(t, older)
			set := liveSets(t, conn, djangoTables)[0]
			if got := status(t, conn, set); got != migrations.Partial {
				t.Errorf("an older version is %s, want partial", got)
			}
			if err := then(t.Context(), conn, set); err != nil {
				t.Fatal(err)
			}
			if got := status(t, conn, set); name == "up" && got != migrations.Present {
				t.Errorf("after Up: %s, want present", got)
			}
			if name == "up" {
				return
			}
			if after := d.Value(t, inventory); after != before {
				t.Errorf("after Down there is %q, and was %q", after, before)
			}
		})
	}
}

func TestLiveSetsNeedTheTables(t *testing.T) {
	d := pgtest.Open(t)
	conn := connect(t, d)
	err := migrations.Up(t.Context(), conn, liveSets(t, conn, djangoTables)[0])
	if _, ok := errors.AsType[*migrations.NeedError](err); !ok {
		t.Errorf("Up = %v, want a NeedError", err)
	}
}
