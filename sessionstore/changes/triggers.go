package changes

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// The triggers of the set live_sessions: those without which nothing is heard, by their table.
var (
	sessionTriggers = []string{"belleville_session_ended"}
	userTriggers    = []string{"belleville_user_changed", "belleville_user_deleted"}
)

// Those that a later version has added.
var (
	newSessionTriggers = []string{"belleville_session_shortened", "belleville_sessions_truncated"}
	newUserTriggers    = []string{"belleville_users_truncated"}
)

// savesTrigger is the name of the trigger that tells of sessions that are saved.
const savesTrigger = "belleville_session_changed"

// lookForTriggers returns ErrNoTriggers unless those that there have always been are on the site's tables, and whether
// that of saves is. Of the others it is logged, once, that they are missing.
func (p *postgres) lookForTriggers(ctx context.Context, conn *pgx.Conn) (saves bool, err error) {
	onSessions, err := triggersOf(ctx, conn, p.cfg.Sessions)
	if err != nil {
		return false, err
	}
	onUsers, err := triggersOf(ctx, conn, p.cfg.Users)
	if err != nil {
		return false, err
	}
	if !hasAll(onSessions, sessionTriggers) || !hasAll(onUsers, userTriggers) {
		return false, ErrNoTriggers
	}
	if older := !hasAll(onSessions, newSessionTriggers) || !hasAll(onUsers, newUserTriggers); older && !p.told {
		p.told = true
		p.cfg.Logger.Warn("the triggers are of an older version and do not tell of TRUNCATE and of sessions that are to expire sooner: " +
			"belleville migrate up live_sessions")
	}
	return slices.Contains(onSessions, savesTrigger), nil
}

// triggersOf returns the names of the triggers that a table has and that fire for what a site does.
func triggersOf(ctx context.Context, conn *pgx.Conn, table string) ([]string, error) {
	const sql = `SELECT tgname::text FROM pg_catalog.pg_trigger
WHERE tgrelid = to_regclass($1::text) AND NOT tgisinternal AND tgenabled IN ('O', 'A')`
	rows, err := conn.Query(ctx, sql, pgx.QueryExecModeExec, table)
	if err != nil {
		return nil, fmt.Errorf("changes: look for triggers: %s", codeOf(err))
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("changes: look for triggers: %s", codeOf(err))
	}
	return names, nil
}

// hasAll reports whether all of some names are among others.
func hasAll(names, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(name string) bool { return !slices.Contains(names, name) })
}
