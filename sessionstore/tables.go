package sessionstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

// tables are the tables that the Config names, as the catalogue has them, and the statements for them.
type tables struct {
	dialect  dialect
	location *time.Location // of times that are kept as text, else nil

	sessions string // quoted
	users    string // quoted
	pk       string // quoted
	pkKind   djangocompat.PKKind
	username string // quoted
	columns  []string
	extra    []string
	where    []condition

	readSession string // SELECT … FROM … WHERE
	readUser    string // SELECT … FROM … WHERE
	lastLogin   string // quoted; "" if there is none
	backend     string // by which most users log in

	tokens tokenTables

	permissions permissionSQL
}

// condition is a column that must have a value.
type condition struct {
	column string // quoted
	value  any
}

// resolve finds the tables of cfg in db.
func resolve(ctx context.Context, db database, cfg Config) (*tables, error) {
	t := &tables{dialect: db.dialect(), backend: cfg.AuthenticationBackends[0]}
	t.location = t.dialect.times()
	t.sessions, t.users = t.dialect.table(cfg.SessionTable), t.dialect.table(cfg.Users.Table)
	sessions, err := db.columns(ctx, cfg.SessionTable)
	if err != nil {
		return nil, err
	}
	needed := []string{"session_key", "session_data", "expire_date"}
	if err := require(sessions, "session_table", cfg.SessionTable, needed); err != nil && cfg.hasSessionTable() {
		return nil, err
	}
	if err := requireCacheTable(ctx, db, cfg); err != nil {
		return nil, err
	}
	users, err := db.columns(ctx, cfg.Users.Table)
	if err != nil {
		return nil, err
	}
	if err := t.resolveUsers(users, cfg.Users); err != nil {
		return nil, err
	}
	t.prepare(cfg.MaxSessionSize)
	if err := t.resolveTokens(ctx, db, cfg.Tokens, users, cfg.Users.Table); err != nil {
		return nil, err
	}
	if err := t.tryOut(ctx, db, cfg); err != nil {
		return nil, err
	}
	return t, t.resolvePermissions(ctx, db, cfg.Users)
}

// tryOut reads nothing from both tables, to see whether that is permitted.
func (t *tables) tryOut(ctx context.Context, db database, cfg Config) error {
	for _, read := range []string{t.readUser, t.readSession} {
		if read == t.readSession && !cfg.hasSessionTable() {
			continue
		}
		if err := db.query(ctx, statement{sql: read + "1 = 0"}, func(func(...any) error) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// requireCacheTable reports what the table lacks that a cache is in.
func requireCacheTable(ctx context.Context, db database, cfg Config) error {
	if !cfg.hasCacheTable() {
		return nil
	}
	name := cfg.SessionCache.Location[0]
	has, err := db.columns(ctx, name)
	if err != nil {
		return err
	}
	return require(has, "location of the cache", name, []string{"cache_key", "value", "expires"})
}

// require reports the first of the needed columns that a table lacks.
func require(has map[string]columnType, setting, table string, needed []string) error {
	if len(has) == 0 {
		return &DatabaseError{Fault: FaultSchema, Detail: fmt.Sprintf("%s: there is no table %q", setting, table)}
	}
	for _, name := range needed {
		if _, ok := has[name]; !ok {
			return &DatabaseError{Fault: FaultSchema, Detail: fmt.Sprintf("%s: %q has no column %q", setting, table, name)}
		}
	}
	return nil
}

func (t *tables) resolveUsers(has map[string]columnType, u UserTable) error {
	needed := slices.Concat([]string{u.PK, u.Username, u.Password}, u.Extra, slices.Sorted(maps.Keys(u.Where)))
	optional := u.optional()
	for _, name := range optional {
		if name != "" {
			needed = append(needed, name)
		}
	}
	if err := require(has, "user table", u.Table, needed); err != nil {
		return err
	}
	t.pk, t.username = quote(u.PK), quote(u.Username)
	if t.pkKind = has[u.PK].pkKind(); t.pkKind == djangocompat.PKNone {
		detail := fmt.Sprintf("user pk: %q is neither an integer nor a text nor a UUID", u.PK)
		return &DatabaseError{Fault: FaultSchema, Detail: detail}
	}
	t.columns = []string{u.PK, u.Username, u.Password}
	for _, field := range userFields {
		name := orDefault(optional[field], field)
		if _, ok := has[name]; !ok {
			name = "" // everybody is active, nobody is staff
		}
		t.columns = append(t.columns, name)
		if field == "last_login" && name != "" {
			t.lastLogin = quote(name)
		}
	}
	t.extra = u.Extra
	for _, column := range slices.Sorted(maps.Keys(u.Where)) {
		t.where = append(t.where, condition{quote(column), u.Where[column]})
	}
	return nil
}

// prepare makes the statements that do not depend on what is asked.
func (t *tables) prepare(maxSession int) {
	limit := strconv.Itoa(maxSession/3*4 + 4096) // as base64, with a signature
	columns := `SELECT "session_key", CASE WHEN octet_length("session_data") <= ` + limit + ` THEN "session_data" END`
	from := " FROM " + t.sessions + " WHERE "
	t.readSession = columns + `, "expire_date"` + from
	list := make([]string, 0, len(t.columns)+len(t.extra))
	for _, name := range slices.Concat(t.columns, t.extra) {
		if name != "" {
			name = quote(name)
		} else {
			name = "NULL"
		}
		list = append(list, name)
	}
	t.readUser = "SELECT " + strings.Join(list, ", ") + " FROM " + t.users + " WHERE "
}

// time makes a parameter of a time.
func (t *tables) time(at time.Time) any {
	if t.location == nil {
		return at.UTC().Truncate(time.Microsecond)
	}
	return formatTime(at, t.location)
}

// liveSessions reads the sessions under keys that have not expired at now.
func (t *tables) liveSessions(keys []string, now time.Time) statement {
	args := append(t.dialect.texts(keys), t.time(now))
	sql := t.readSession + t.dialect.oneOf(`"session_key"`, djangocompat.PKText, len(keys)) +
		` AND "expire_date" > ` + t.dialect.param(len(args))
	return statement{sql, args}
}

// anySession reads the session under key, expired or not.
func (t *tables) anySession(key string) statement {
	return statement{t.readSession + `"session_key" = ` + t.dialect.param(1), []any{key}}
}

// insertSession stores a session unless its key is taken.
func (t *tables) insertSession(key, text string, expires time.Time) statement {
	sql := "INSERT INTO " + t.sessions + ` ("session_key", "session_data", "expire_date") VALUES (` +
		t.dialect.param(1) + ", " + t.dialect.param(2) + ", " + t.dialect.param(3) + ") ON CONFLICT DO NOTHING"
	return statement{sql, []any{key, text, t.time(expires)}}
}

// swapSession stores a session in place of the text old.
func (t *tables) swapSession(key, old, text string, expires time.Time) statement {
	sql := "UPDATE " + t.sessions + ` SET "session_data" = ` + t.dialect.param(1) + `, "expire_date" = ` + t.dialect.param(2) +
		` WHERE "session_key" = ` + t.dialect.param(3) + ` AND "session_data" = ` + t.dialect.param(4)
	return statement{sql, []any{text, t.time(expires), key, old}}
}

func (t *tables) deleteSession(key string) statement {
	return statement{"DELETE FROM " + t.sessions + ` WHERE "session_key" = ` + t.dialect.param(1), []any{key}}
}

// clearSessions removes the sessions that expired before now.
func (t *tables) clearSessions(now time.Time) statement {
	sql := "DELETE FROM " + t.sessions + ` WHERE "expire_date" < ` + t.dialect.param(1)
	return statement{sql, []any{t.time(now)}}
}

// usersByPK reads users.
func (t *tables) usersByPK(pks []djangocompat.PK) statement {
	args := t.dialect.pks(t.pkKind, pks)
	return t.visible(t.readUser+t.dialect.oneOf(t.pk, t.pkKind, len(pks)), args)
}

// userByName reads the user of a name.
func (t *tables) userByName(name string) statement {
	return t.visible(t.readUser+t.username+" = "+t.dialect.param(1), []any{name})
}

// visible leaves out the users that the model's default manager hides.
func (t *tables) visible(sql string, args []any) statement {
	for _, c := range t.where {
		if c.value == nil {
			sql += " AND " + c.column + " IS NULL"
			continue
		}
		args = append(args, c.value)
		sql += " AND " + c.column + " = " + t.dialect.param(len(args))
	}
	return statement{sql, args}
}

// setLastLogin notes when a user logged in.
func (t *tables) setLastLogin(pk djangocompat.PK, now time.Time) statement {
	args := append(t.dialect.pks(t.pkKind, []djangocompat.PK{pk}), t.time(now))
	sql := "UPDATE " + t.users + " SET " + t.lastLogin + " = " + t.dialect.param(len(args)) +
		" WHERE " + t.dialect.oneOf(t.pk, t.pkKind, 1)
	return statement{sql, args}
}
