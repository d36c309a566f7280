package sessionstore

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/belleville/belleville/djangocompat"
)

// tokenTables are what TokenTables names, as the catalogue has it.
type tokenTables struct {
	keys      map[string]string              // SELECT … FROM … WHERE, by the table's name
	fields    map[string]djangocompat.PKKind // of columns of the user table
	blacklist string                         // SELECT … FROM … WHERE; "" if it is not asked
}

// resolveTokens finds what cfg names. The columns of the user table are known.
func (t *tables) resolveTokens(ctx context.Context, db database, cfg TokenTables, users map[string]columnType, userTable string) error {
	t.tokens = tokenTables{keys: make(map[string]string), fields: make(map[string]djangocompat.PKKind)}
	if err := require(users, "user_id_field", userTable, cfg.UserFields); err != nil {
		return err
	}
	for _, name := range cfg.UserFields {
		if t.tokens.fields[name] = users[name].pkKind(); users[name].pkKind() == djangocompat.PKNone {
			return &DatabaseError{Fault: FaultSchema, Detail: fmt.Sprintf("user_id_field: %q is neither an integer nor a text nor a UUID", name)}
		}
	}
	for _, name := range cfg.AuthTokens {
		if err := requireTable(ctx, db, "token table", name, "key", "user_id"); err != nil {
			return err
		}
		t.tokens.keys[name] = `SELECT "key", "user_id" FROM ` + t.dialect.table(name) + " WHERE "
	}
	if cfg.Blacklist {
		if err := requireTable(ctx, db, "blacklist", outstandingTable, "id", "jti"); err != nil {
			return err
		}
		if err := requireTable(ctx, db, "blacklist", blacklistTable, "token_id"); err != nil {
			return err
		}
		t.tokens.blacklist = `SELECT o."jti" FROM ` + t.dialect.table(outstandingTable) + " o JOIN " +
			t.dialect.table(blacklistTable) + ` b ON b."token_id" = o."id" WHERE `
	}
	return t.tryOutTokens(ctx, db)
}

// tryOutTokens reads nothing from each table, to see whether that is permitted.
func (t *tables) tryOutTokens(ctx context.Context, db database) error {
	reads := []string{}
	if t.tokens.blacklist != "" {
		reads = append(reads, t.tokens.blacklist)
	}
	for _, read := range t.tokens.keys {
		reads = append(reads, read)
	}
	for _, read := range reads {
		if err := db.query(ctx, statement{sql: read + "1 = 0"}, func(func(...any) error) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// requireTable reports the first of the needed columns that a table lacks.
func requireTable(ctx context.Context, db database, setting, table string, needed ...string) error {
	has, err := db.columns(ctx, table)
	if err != nil {
		return err
	}
	return require(has, setting, table, needed)
}

// usersByField reads users, with the column before what readUser selects.
func (t *tables) usersByField(column string, values []djangocompat.PK) statement {
	kind := t.tokens.fields[column]
	args := t.dialect.pks(kind, values)
	read := "SELECT " + quote(column) + ", " + strings.TrimPrefix(t.readUser, "SELECT ")
	return t.visible(read+t.dialect.oneOf(quote(column), kind, len(values)), args)
}

// byPart sorts keys by the part of them that is asked for apart, and fetches each.
func byPart[K, P comparable, V any](keys []K, part func(K) P, fetch func(P, []K) (map[K]V, error)) (map[K]V, error) {
	parts := make(map[P][]K)
	for _, k := range keys {
		parts[part(k)] = append(parts[part(k)], k)
	}
	found := make(map[K]V, len(keys))
	for p, some := range parts {
		values, err := fetch(p, some)
		if err != nil {
			return nil, err
		}
		maps.Copy(found, values)
	}
	return found, nil
}

// settled is what a fetch returns: where one of several keys is none that the database can represent, each is asked
// for alone, and that one is not found.
func settled[K comparable, V any](ctx context.Context, s *Store, keys []K, found map[K]V, err error, again func(context.Context, []K) (map[K]V, error)) (map[K]V, error) {
	switch {
	case err == nil || faultOf(err) != FaultValue:
		return found, s.noted(err)
	case len(keys) > 1:
		return apart(ctx, keys, again)
	default:
		return nil, nil
	}
}

// fetchTokenUsers is the query for users by other columns than the primary key. A value that several users have is
// nobody's: its row has no user.
func (s *Store) fetchTokenUsers(ctx context.Context, keys []fieldKey) (map[fieldKey]userRow, error) {
	t, err := s.ready()
	if err != nil {
		return nil, err
	}
	s.metrics.batch(lookupTokenUsers, len(keys))
	found, err := byPart(keys, func(k fieldKey) string { return k.column }, func(column string, some []fieldKey) (map[fieldKey]userRow, error) {
		return s.usersByField(ctx, t, column, some)
	})
	return settled(ctx, s, keys, found, err, s.fetchTokenUsers)
}

func (s *Store) usersByField(ctx context.Context, t *tables, column string, keys []fieldKey) (map[fieldKey]userRow, error) {
	values := make([]djangocompat.PK, len(keys))
	for i, k := range keys {
		values[i] = k.value
	}
	users := make(map[djangocompat.PK]userRow, len(keys)) // begun anew if the connection breaks
	several := make(map[fieldKey]djangocompat.PK)
	found := make(map[fieldKey]userRow, len(keys))
	scanner := t.scanner()
	value := pkValue{kind: t.tokens.fields[column]}
	dest := append([]any{&value}, scanner.dest...)
	err := s.db.query(ctx, t.usersByField(column, values), func(scan func(...any) error) error {
		row, err := scanner.read(func(...any) error { return scan(dest...) })
		if err != nil {
			return err
		}
		key := fieldKey{column, value.pk}
		if before, ok := several[key]; ok && before != row.user.PK {
			row = userRow{}
		} else {
			several[key] = row.user.PK
			users[row.user.PK] = row
		}
		found[key] = row
		return nil
	})
	return found, err
}

// fetchAuthTokens is the query for the owners of keys.
func (s *Store) fetchAuthTokens(ctx context.Context, keys []authTokenKey) (map[authTokenKey]djangocompat.PK, error) {
	t, err := s.ready()
	if err != nil {
		return nil, err
	}
	s.metrics.batch(lookupAuthTokens, len(keys))
	found, err := byPart(keys, func(k authTokenKey) string { return k.table }, func(table string, some []authTokenKey) (map[authTokenKey]djangocompat.PK, error) {
		texts := make([]string, len(some))
		for i, k := range some {
			texts[i] = k.key
		}
		owners := make(map[authTokenKey]djangocompat.PK, len(some))
		q := statement{t.tokens.keys[table] + t.dialect.oneOf(`"key"`, djangocompat.PKText, len(some)), t.dialect.texts(texts)}
		err := s.db.query(ctx, q, func(scan func(...any) error) error {
			var key textValue
			owner := pkValue{kind: t.pkKind}
			if err := scan(&key, &owner); err != nil {
				return err
			}
			owners[authTokenKey{table, string(key)}] = owner.pk
			return nil
		})
		return owners, err
	})
	return settled(ctx, s, keys, found, err, s.fetchAuthTokens)
}

// fetchBlacklisted is the query for which of some ids are in the blacklist.
func (s *Store) fetchBlacklisted(ctx context.Context, ids []string) (map[string]bool, error) {
	t, err := s.ready()
	if err != nil {
		return nil, err
	}
	s.metrics.batch(lookupBlacklist, len(ids))
	found := make(map[string]bool)
	q := statement{t.tokens.blacklist + t.dialect.oneOf(`o."jti"`, djangocompat.PKText, len(ids)), t.dialect.texts(ids)}
	err = s.db.query(ctx, q, func(scan func(...any) error) error {
		var jti textValue
		if err := scan(&jti); err != nil {
			return err
		}
		found[string(jti)] = true
		return nil
	})
	return settled(ctx, s, ids, found, err, s.fetchBlacklisted)
}
