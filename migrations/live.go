package migrations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// LiveTables names what the sets live_sessions and live_sessions_updates watch.
type LiveTables struct {
	// Schema is that of both tables; "" leaves it to the search path.
	Schema string
	// Sessions is the table of sessions, as in "django_session".
	Sessions string
	// Users is the table of the user model, PK its primary key, as in "auth_user" and "id".
	Users, PK string
	// Columns are those of Users whose change matters. One that the table lacks is left out.
	Columns []string
}

// The sets whose statements depend on the site's tables.
const (
	LiveSessions        = "live_sessions"
	LiveSessionsUpdates = "live_sessions_updates"
)

const (
	aboutLive        = "triggers that tell at once of sessions and users that were deleted, and of users who changed"
	aboutLiveUpdates = "a trigger that tells of every session that is saved with other data; a notification for each save"
)

// LiveSetNames returns the Name and About of the sets of LiveSets, without their statements.
func LiveSetNames() []Set {
	return []Set{{Name: LiveSessions, About: aboutLive}, {Name: LiveSessionsUpdates, About: aboutLiveUpdates}}
}

// LiveSets returns the sets that tell of sessions and users that change, for the tables of a site.
func LiveSets(ctx context.Context, conn *pgx.Conn, t LiveTables) ([]Set, error) {
	if t.Sessions == "" || t.Users == "" || t.PK == "" {
		return nil, errors.New("migrations: live_sessions: the tables of sessions and users are not named")
	}
	columns, err := t.present(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("migrations: live_sessions: %w", err)
	}
	needs := []object{{table, t.name(t.Sessions)}, {table, t.name(t.Users)}}
	return []Set{
		{
			Name:    LiveSessions,
			About:   aboutLive,
			objects: []object{{function, "belleville_session_ended()"}, {function, "belleville_user_touched()"}, {function, "belleville_all_touched()"}},
			needs:   needs,
			up:      t.up(columns),
			down:    t.down(),
		},
		{
			Name:    LiveSessionsUpdates,
			About:   aboutLiveUpdates,
			objects: []object{{function, "belleville_session_changed()"}},
			needs:   needs[:1],
			up:      t.upUpdates(),
			down:    t.downUpdates(),
		},
	}, nil
}

// present returns the columns that the table of users has.
func (t LiveTables) present(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	const sql = `SELECT attname::text FROM pg_catalog.pg_attribute
WHERE attrelid = to_regclass($1::text) AND attnum > 0 AND NOT attisdropped`
	rows, err := conn.Query(ctx, sql, pgx.QueryExecModeExec, t.name(t.Users))
	if err != nil {
		return nil, err
	}
	has, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	var columns []string
	for _, c := range t.Columns {
		if slices.Contains(has, c) && !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
	}
	return columns, nil
}

// name is a table as SQL names it.
func (t LiveTables) name(of string) string {
	if t.Schema == "" {
		return pgx.Identifier{of}.Sanitize()
	}
	return pgx.Identifier{t.Schema, of}.Sanitize()
}

// hashed is the hash of a text, as SQL.
func hashed(text string) string {
	return "substr(encode(sha256(convert_to(" + text + ", 'UTF8')), 'hex'), 1, 16)"
}

// tell is a function that a trigger calls: it notifies a letter, what is behind it, and the time.
func tell(name, letter, behind string) string {
	return `CREATE OR REPLACE FUNCTION ` + name + `() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $function$
BEGIN
    PERFORM pg_notify('belleville_live', '` + letter + `' || ` + behind + `
        || ':' || floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint);
    RETURN NULL;
END;
$function$;
COMMENT ON FUNCTION ` + name + `() IS '` + made + `';
`
}

// trigger replaces a trigger.
func trigger(name, when, table, condition, function string) string {
	sql := "DROP TRIGGER IF EXISTS " + name + " ON " + table + ";\nCREATE TRIGGER " + name + " AFTER " + when + " ON " + table + " FOR EACH ROW"
	if condition != "" {
		sql += "\n    WHEN (" + condition + ")"
	}
	return sql + " EXECUTE PROCEDURE " + function + "();\n"
}

// truncated replaces a trigger for all rows at once, of which it is not told which they were.
func truncated(name, table string) string {
	return "DROP TRIGGER IF EXISTS " + name + " ON " + table + ";\nCREATE TRIGGER " + name + " AFTER TRUNCATE ON " + table +
		" FOR EACH STATEMENT EXECUTE PROCEDURE belleville_all_touched();\n"
}

// up makes the triggers. A session that is deleted because it has expired is none that anybody has: manage.py
// clearsessions tells of nothing. One that is to expire later is asked about soon enough.
func (t LiveTables) up(columns []string) string {
	sessions, users := t.name(t.Sessions), t.name(t.Users)
	var b strings.Builder
	b.WriteString(tell("belleville_session_ended", "s", hashed("OLD.session_key")))
	b.WriteString(trigger("belleville_session_ended", "DELETE", sessions, "OLD.expire_date > now()", "belleville_session_ended"))
	b.WriteString(trigger("belleville_session_shortened", "UPDATE OF expire_date", sessions, "NEW.expire_date < OLD.expire_date", "belleville_session_ended"))
	b.WriteString(tell("belleville_user_touched", "u", hashed("'user:' || OLD."+pgx.Identifier{t.PK}.Sanitize()+"::text")))
	b.WriteString(trigger("belleville_user_deleted", "DELETE", users, "", "belleville_user_touched"))
	b.WriteString(trigger("belleville_user_changed", "UPDATE", users, differ(append([]string{t.PK}, columns...)), "belleville_user_touched"))
	b.WriteString(tell("belleville_all_touched", "a", "''"))
	b.WriteString(truncated("belleville_sessions_truncated", sessions))
	b.WriteString(truncated("belleville_users_truncated", users))
	return b.String()
}

// differ is the condition that one of some columns has changed.
func differ(columns []string) string {
	terms := make([]string, len(columns))
	for i, c := range columns {
		c = pgx.Identifier{c}.Sanitize()
		terms[i] = "OLD." + c + " IS DISTINCT FROM NEW." + c
	}
	return strings.Join(terms, " OR ")
}

func (t LiveTables) down() string {
	var b strings.Builder
	for _, name := range []string{"belleville_session_ended", "belleville_session_shortened", "belleville_sessions_truncated"} {
		b.WriteString("DROP TRIGGER IF EXISTS " + name + " ON " + t.name(t.Sessions) + ";\n")
	}
	for _, name := range []string{"belleville_user_deleted", "belleville_user_changed", "belleville_users_truncated"} {
		b.WriteString("DROP TRIGGER IF EXISTS " + name + " ON " + t.name(t.Users) + ";\n")
	}
	for _, name := range []string{"belleville_session_ended", "belleville_user_touched", "belleville_all_touched"} {
		b.WriteString("DROP FUNCTION IF EXISTS " + name + "();\n")
	}
	return b.String()
}

func (t LiveTables) upUpdates() string {
	return tell("belleville_session_changed", "s", hashed("OLD.session_key")) +
		trigger("belleville_session_changed", "UPDATE", t.name(t.Sessions),
			"OLD.session_data IS DISTINCT FROM NEW.session_data", "belleville_session_changed")
}

func (t LiveTables) downUpdates() string {
	return "DROP TRIGGER IF EXISTS belleville_session_changed ON " + t.name(t.Sessions) + ";\n" +
		"DROP FUNCTION IF EXISTS belleville_session_changed();\n"
}
