package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore/cache"
)

// The beginnings of the keys that sessions have in a cache.
const (
	cachePrefix    = "django.contrib.sessions.cache"
	cachedDBPrefix = "django.contrib.sessions.cached_db"
)

// cacheEngine keeps sessions in one of the site's caches, as pickles whatever SESSION_SERIALIZER says.
// Python: django.contrib.sessions.backends.cache.
type cacheEngine struct {
	s      *Store
	prefix string
}

// cachedSession is what a cache has under a key.
type cachedSession struct {
	entry cache.Entry

	once sync.Once // sets the fields below
	data djangocompat.SessionData
	err  error
}

// decode decodes what is stored, once for all who asked for it together.
func (c *cachedSession) decode(limit int) (djangocompat.SessionData, error) {
	c.once.Do(func() {
		c.data, c.err = decodeEntry(c.entry, limit)
		c.entry.Value = nil // it may be long, and is not needed any more
	})
	return c.data, c.err
}

// decodeEntry returns the session in an Entry. The error is one of djangocompat's.
func decodeEntry(e cache.Entry, limit int) (djangocompat.SessionData, error) {
	switch {
	case errors.Is(e.Err, cache.ErrTooLarge):
		return djangocompat.SessionData{}, djangocompat.ErrTooLarge
	case e.Err != nil:
		return djangocompat.SessionData{}, djangocompat.ErrMalformed
	}
	return djangocompat.ParsePickledSession(e.Value, limit)
}

func (e cacheEngine) load(ctx context.Context, key string) (djangocompat.SessionData, loadResult, error) {
	if !djangocompat.PlausibleSessionKey(key) {
		return djangocompat.SessionData{}, loadImplausible, nil
	}
	found, ok, err := e.s.cached.get(ctx, e.prefix+key)
	switch {
	case err != nil:
		return djangocompat.SessionData{}, loadUnavailable, err
	case !ok:
		return djangocompat.SessionData{}, loadUnknown, nil
	}
	data, err := found.decode(e.s.cfg.MaxSessionSize)
	return data, loadResultOf(err), nil
}

// fetchCached asks the cache for several keys at once.
func (s *Store) fetchCached(ctx context.Context, keys []string) (map[string]*cachedSession, error) {
	s.metrics.batch(lookupCache, len(keys))
	entries, err := s.cache.GetMany(ctx, keys)
	s.metrics.cached(len(entries), len(keys)-len(entries), err)
	if err != nil {
		return nil, s.cacheError(err)
	}
	found := make(map[string]*cachedSession, len(entries))
	for key, entry := range entries {
		found[key] = &cachedSession{entry: entry}
	}
	return found, nil
}

func (e cacheEngine) save(ctx context.Context, session *djangocompat.Session, mode djangocompat.SaveMode) (string, error) {
	if mode == djangocompat.MustCreate {
		return session.Key(), e.add(ctx, session)
	}
	return session.Key(), retried(func() (bool, error) { return e.update(ctx, session) })
}

// add stores a session under a key that must be free.
func (e cacheEngine) add(ctx context.Context, session *djangocompat.Session) error {
	pickled, err := session.Data().Pickle()
	if err != nil {
		return err
	}
	added, err := e.s.cache.Add(ctx, e.prefix+session.Key(), pickled, session.ExpiryAge(e.s.expiry))
	switch {
	case err != nil:
		return e.s.cacheError(err)
	case !added:
		return djangocompat.ErrSessionExists
	}
	return nil
}

// update stores a session unless somebody else does so in between.
func (e cacheEngine) update(ctx context.Context, session *djangocompat.Session) (bool, error) {
	key := e.prefix + session.Key()
	entries, err := e.s.cache.GetMany(ctx, []string{key})
	if err != nil {
		return false, e.s.cacheError(err)
	}
	old, found := entries[key]
	if !found {
		return false, djangocompat.ErrSessionGone
	}
	newer, err := decodeEntry(old, e.s.cfg.MaxSessionSize)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrConflict, err)
	}
	session.Rebase(newer)
	pickled, err := session.Data().Pickle()
	if err != nil {
		return false, err
	}
	saved, err := e.s.cache.Swap(ctx, key, old, pickled, session.ExpiryAge(e.s.expiry))
	return saved, e.s.cacheError(err)
}

// replace stores the new session first. If the old one cannot be removed, whoever has its key would have a
// session still, so the new one is taken back.
func (e cacheEngine) replace(ctx context.Context, old string, session *djangocompat.Session) (string, error) {
	if err := e.add(ctx, session); err != nil {
		return "", err
	}
	if err := e.delete(ctx, old); err != nil {
		_ = e.s.cache.Delete(ctx, e.prefix+session.Key())
		return "", err
	}
	return session.Key(), nil
}

func (e cacheEngine) delete(ctx context.Context, key string) error {
	if !djangocompat.PlausibleSessionKey(key) {
		return nil
	}
	return e.s.cacheError(e.s.cache.Delete(ctx, e.prefix+key))
}

func (e cacheEngine) exists(ctx context.Context, key string) (bool, error) {
	if !djangocompat.PlausibleSessionKey(key) {
		return false, nil
	}
	entries, err := e.s.cache.GetMany(ctx, []string{e.prefix + key})
	return len(entries) > 0, e.s.cacheError(err)
}

// clearExpired has nothing to do: a cache forgets by itself.
func (cacheEngine) clearExpired(context.Context) (int64, error) { return 0, nil }

// cacheError makes an error of the cache one of this package, and counts it.
func (s *Store) cacheError(err error) error {
	if e, ok := errors.AsType[*cache.Error](err); ok {
		err = &StorageError{Storage: "cache", Fault: cacheFaults[e.Fault]}
	}
	if errors.Is(err, cache.ErrTooLarge) {
		err = djangocompat.ErrTooLarge
	}
	if e, ok := errors.AsType[*StorageError](err); ok {
		s.metrics.storageFault(e)
	}
	return err
}

// cacheFaults are the faults of caches, as this package calls them.
var cacheFaults = map[cache.Fault]Fault{
	cache.FaultConnection:    FaultConnection,
	cache.FaultTimeout:       FaultTimeout,
	cache.FaultAuthorization: FaultAuthorization,
	cache.FaultForbidden:     FaultForbidden,
	cache.FaultReadOnly:      FaultReadOnly,
	cache.FaultFull:          FaultFull,
}
