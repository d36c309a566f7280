package sessionstore

import (
	"context"
	"errors"

	"github.com/belleville/belleville/djangocompat"
)

// cachedDBEngine keeps sessions in the table, and reads them from a cache that knows what is in the table.
// What the table has counts: where the cache is away, or holds what cannot be read, the table is asked, and
// whatever could leave a session in the cache that the table has no more is undone, or an error.
// Python: django.contrib.sessions.backends.cached_db.
type cachedDBEngine struct {
	s     *Store
	table dbEngine
	cache cacheEngine
}

func newCachedDBEngine(s *Store) cachedDBEngine {
	return cachedDBEngine{s, dbEngine{s}, cacheEngine{s, cachedDBPrefix}}
}

func (e cachedDBEngine) load(ctx context.Context, key string) (djangocompat.SessionData, loadResult, error) {
	data, result, err := e.cache.load(ctx, key)
	if result == loadFound || result == loadImplausible {
		if converted, err := e.s.cfg.SessionSerializer.Convert(data); err == nil { // as the table would have it
			data = converted
		}
		return data, result, err
	}
	missing := result == loadUnknown
	row, ok, err := e.s.sessions.get(ctx, key)
	switch {
	case err != nil:
		return djangocompat.SessionData{}, loadUnavailable, err
	case !ok:
		return djangocompat.SessionData{}, loadUnknown, nil
	}
	data, err = row.decode(e.s.keyed.Load().codec)
	if err == nil && missing {
		row.filled.Do(func() { e.fill(ctx, key, row, data) })
	}
	return data, loadResultOf(err), nil
}

// fill puts a row's session into the cache, unless somebody else has, and takes it out again if the row has
// gone meanwhile. That it does not work is no harm: the row counts.
func (e cachedDBEngine) fill(ctx context.Context, key string, row *sessionRow, data djangocompat.SessionData) {
	pickled, err := data.Pickle()
	if err != nil {
		return
	}
	added, err := e.s.cache.Add(ctx, cachedDBPrefix+key, pickled, row.ends.Sub(e.s.cfg.Now()))
	if err != nil || !added {
		_ = e.s.cacheError(err) // it is counted
		return
	}
	ctx = context.WithoutCancel(ctx)
	if _, ok, err := e.s.sessions.get(ctx, key); !ok || err != nil {
		_ = e.cache.delete(ctx, key)
	}
}

func (e cachedDBEngine) save(ctx context.Context, session *djangocompat.Session, mode djangocompat.SaveMode) (string, error) {
	if mode == djangocompat.MustCreate {
		text, err := e.table.insert(ctx, session)
		if err != nil {
			return "", err
		}
		e.writeThroughNew(ctx, session, text)
		return session.Key(), nil
	}
	text := ""
	err := retried(func() (bool, error) {
		var err error
		text, err = e.table.update(ctx, session)
		return text != "", err
	})
	if err != nil {
		return "", err
	}
	return session.Key(), e.writeThrough(ctx, session, text)
}

// writeThrough puts a session that was stored as text into the cache. Who has changed or deleted the row since
// then has cleared the cache before or clears it after; either way the cache does not keep what is old.
func (e cachedDBEngine) writeThrough(ctx context.Context, session *djangocompat.Session, text string) error {
	ctx = context.WithoutCancel(ctx)
	if e.put(ctx, session) {
		now, found, err := e.table.current(ctx, session.Key())
		if found && err == nil && now.text == text {
			return nil
		}
	}
	// Whatever is in the cache is not, or may not be, what the row is.
	return e.cache.delete(ctx, session.Key())
}

// put stores a session in the cache, and reports whether it did: not if it is too large for it.
func (e cachedDBEngine) put(ctx context.Context, session *djangocompat.Session) bool {
	pickled, err := session.Data().Pickle()
	if err != nil {
		return false
	}
	err = e.s.cache.Set(ctx, cachedDBPrefix+session.Key(), pickled, session.ExpiryAge(e.s.expiry))
	return e.s.cacheError(err) == nil
}

// writeThroughNew is writeThrough for a key that was free: nothing old can be in the cache, which may fail.
func (e cachedDBEngine) writeThroughNew(ctx context.Context, session *djangocompat.Session, text string) {
	_ = e.writeThrough(ctx, session, text) // it is counted
}

func (e cachedDBEngine) replace(ctx context.Context, old string, session *djangocompat.Session) (string, error) {
	text, err := e.table.insert(ctx, session, func(t *tables) statement { return t.deleteSession(old) })
	if err != nil {
		return "", err
	}
	if err := e.cache.delete(ctx, old); err != nil { // who has the old key would have a session still
		return "", errors.Join(err, e.table.delete(ctx, session.Key()))
	}
	e.writeThroughNew(ctx, session, text)
	return session.Key(), nil
}

func (e cachedDBEngine) delete(ctx context.Context, key string) error {
	if err := e.table.delete(ctx, key); err != nil {
		return err
	}
	return e.cache.delete(ctx, key)
}

func (e cachedDBEngine) exists(ctx context.Context, key string) (bool, error) {
	if found, err := e.cache.exists(ctx, key); found && err == nil {
		return true, nil
	}
	return e.table.exists(ctx, key)
}

func (e cachedDBEngine) clearExpired(ctx context.Context) (int64, error) {
	return e.table.clearExpired(ctx)
}
