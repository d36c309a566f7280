package sessionstore

import (
	"context"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore/cache"
)

// databaseCache is the cache in a table. Nothing is culled here: Django does that, when there are more than
// MAX_ENTRIES. Python: django.core.cache.backends.db.
type databaseCache struct {
	s   *Store
	cfg cache.Config
}

// cacheTable is the table of the cache, quoted.
func (c databaseCache) table() string { return c.s.db.dialect().table(c.cfg.Location[0]) }

// GetMany implements cache.Cache.
func (c databaseCache) GetMany(ctx context.Context, keys []string) (map[string]cache.Entry, error) {
	t, err := c.s.ready()
	if err != nil {
		return nil, err
	}
	short := make(map[string]string, len(keys))
	full := make([]string, len(keys))
	for i, key := range keys {
		full[i] = c.cfg.FullKey(key)
		short[full[i]] = key
	}
	args := append(t.dialect.texts(full), t.time(c.s.cfg.Now()))
	limit := strconv.Itoa(c.cfg.MaxValue/3*4 + 1024)
	sql := `SELECT "cache_key", CASE WHEN octet_length("value") <= ` + limit + ` THEN "value" END FROM ` + c.table() +
		" WHERE " + t.dialect.oneOf(`"cache_key"`, djangocompat.PKText, len(keys)) + ` AND "expires" >= ` + t.dialect.param(len(args))
	ctx, cancel := context.WithTimeout(ctx, c.s.cfg.QueryTimeout)
	defer cancel()
	found := make(map[string]cache.Entry, len(keys))
	err = c.s.db.query(ctx, statement{sql, args}, func(scan func(...any) error) error {
		var key textValue
		var text nullText
		if err := scan(&key, &text); err != nil {
			return err
		}
		found[short[string(key)]] = decodeCacheRow(text, c.cfg.MaxValue)
		return nil
	})
	if faultOf(err) == FaultValue && len(keys) > 1 {
		return apart(ctx, keys, c.GetMany)
	}
	if err != nil && faultOf(err) == FaultValue { // no such key can be in the table
		return nil, nil
	}
	return found, c.s.noted(err)
}

// decodeCacheRow returns the Entry of a row's text, which is base64.
func decodeCacheRow(text nullText, limit int) cache.Entry {
	if !text.ok {
		return cache.Entry{Err: cache.ErrTooLarge}
	}
	value, err := base64.StdEncoding.DecodeString(text.text)
	switch {
	case err != nil:
		return cache.Entry{Err: cache.ErrMalformed, Token: text.text}
	case len(value) > limit:
		return cache.Entry{Err: cache.ErrTooLarge, Token: text.text}
	}
	return cache.Entry{Value: value, Token: text.text}
}

// Add implements cache.Cache.
func (c databaseCache) Add(ctx context.Context, key string, value []byte, life time.Duration) (bool, error) {
	t, row, err := c.row(key, value, life)
	if err != nil {
		return false, err
	}
	// A row that has expired is free.
	sql := c.insert(t) + ` ON CONFLICT ("cache_key") DO UPDATE SET "value" = excluded."value", "expires" = excluded."expires" WHERE ` +
		c.table() + `."expires" < ` + t.dialect.param(4)
	n, err := c.s.exec(ctx, statement{sql, append(row, t.time(c.s.cfg.Now()))})
	return n > 0, err
}

// Swap implements cache.Cache.
func (c databaseCache) Swap(ctx context.Context, key string, old cache.Entry, value []byte, life time.Duration) (bool, error) {
	t, row, err := c.row(key, value, life)
	if err != nil {
		return false, err
	}
	before, _ := old.Token.(string)
	sql := "UPDATE " + c.table() + ` SET "value" = ` + t.dialect.param(2) + `, "expires" = ` + t.dialect.param(3) +
		` WHERE "cache_key" = ` + t.dialect.param(1) + ` AND "value" = ` + t.dialect.param(4)
	n, err := c.s.exec(ctx, statement{sql, append(row, before)})
	return n > 0, err
}

// Set implements cache.Cache.
func (c databaseCache) Set(ctx context.Context, key string, value []byte, life time.Duration) error {
	t, row, err := c.row(key, value, life)
	if err != nil {
		return err
	}
	sql := c.insert(t) + ` ON CONFLICT ("cache_key") DO UPDATE SET "value" = excluded."value", "expires" = excluded."expires"`
	_, err = c.s.exec(ctx, statement{sql, row})
	return err
}

func (c databaseCache) insert(t *tables) string {
	return "INSERT INTO " + c.table() + ` ("cache_key", "value", "expires") VALUES (` +
		t.dialect.param(1) + ", " + t.dialect.param(2) + ", " + t.dialect.param(3) + ")"
}

// row returns the values of a row: key, value, and when it expires, in whole seconds.
func (c databaseCache) row(key string, value []byte, life time.Duration) (*tables, []any, error) {
	t, err := c.s.ready()
	if err != nil {
		return nil, nil, err
	}
	if len(value) > c.cfg.MaxValue {
		return nil, nil, cache.ErrTooLarge
	}
	expires := c.s.cfg.Now().Add(life)
	if expires.After(lastTime) {
		expires = lastTime
	}
	return t, []any{c.cfg.FullKey(key), base64.StdEncoding.EncodeToString(value), t.time(expires.Truncate(time.Second))}, nil
}

// Delete implements cache.Cache.
func (c databaseCache) Delete(ctx context.Context, key string) error {
	t, err := c.s.ready()
	if err != nil {
		return err
	}
	_, err = c.s.exec(ctx, statement{"DELETE FROM " + c.table() + ` WHERE "cache_key" = ` + t.dialect.param(1), []any{c.cfg.FullKey(key)}})
	return err
}

// Close implements cache.Cache. The database is the Store's.
func (databaseCache) Close() {}
