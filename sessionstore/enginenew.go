package sessionstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore/cache"
)

// The dotted paths of Django's session engines.
const (
	EngineDB            = "django.contrib.sessions.backends.db"
	EngineCache         = "django.contrib.sessions.backends.cache"
	EngineCachedDB      = "django.contrib.sessions.backends.cached_db"
	EngineFile          = "django.contrib.sessions.backends.file"
	EngineSignedCookies = "django.contrib.sessions.backends.signed_cookies"
)

// checkEngine refuses an engine that is none of Django's, and one that lacks what it needs.
func (c Config) checkEngine() error {
	switch c.SessionEngine {
	case EngineDB, EngineFile, EngineSignedCookies:
	case EngineCache, EngineCachedDB:
		if err := c.SessionCache.Check(); err != nil {
			return fmt.Errorf("sessionstore: the cache that sessions are in: %w", err)
		}
		if c.SessionCache.Backend == cache.Database {
			if err := checkName("location of the cache", c.SessionCache.Location[0]); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("sessionstore: session_engine %q is none of Django's: only %s, %s, %s, %s and %s are supported",
			c.SessionEngine, EngineDB, EngineCachedDB, EngineCache, EngineFile, EngineSignedCookies)
	}
	if c.DatabaseURL.IsZero() && c.NeedsDatabase() {
		return errors.New("sessionstore: database_url is missing")
	}
	return nil
}

// NeedsDatabase reports whether sessions are in the database, or in a cache that is. Users always are.
func (c Config) NeedsDatabase() bool { return c.hasSessionTable() || c.hasCacheTable() }

// hasSessionTable reports whether the engine keeps sessions in the session table.
func (c Config) hasSessionTable() bool {
	return c.SessionEngine == "" || c.SessionEngine == EngineDB || c.SessionEngine == EngineCachedDB
}

// hasCacheTable reports whether the engine keeps sessions in a cache in a table.
func (c Config) hasCacheTable() bool {
	return (c.SessionEngine == EngineCache || c.SessionEngine == EngineCachedDB) && c.SessionCache.Backend == cache.Database
}

// newEngine makes the engine that the Config names.
func (s *Store) newEngine() error {
	var err error
	switch s.cfg.SessionEngine {
	case EngineSignedCookies:
		s.cfg.Salt = cookieSalt
		s.keyed.Store(newKeyed(s.cfg))
		s.engine = cookieEngine{s}
	case EngineFile:
		s.engine, err = newFileEngine(s)
	case EngineCache:
		s.cfg.SessionSerializer = djangocompat.PickleSerializer // whatever the setting says
		s.engine, err = cacheEngine{s, cachePrefix}, s.openCache()
	case EngineCachedDB:
		s.engine, err = newCachedDBEngine(s), s.openCache()
	default:
		s.engine = dbEngine{s}
	}
	return err
}

// openCache opens the cache that sessions are in, within the bounds of the Store.
func (s *Store) openCache() error {
	cfg := s.cfg.SessionCache
	cfg.MaxValue, cfg.Now = s.cfg.MaxSessionSize, s.cfg.Now
	cfg.Timeout, cfg.DialTimeout = s.cfg.QueryTimeout, s.cfg.ConnectTimeout
	if cfg.Backend == cache.Database {
		s.cache = databaseCache{s, cfg}
		return nil
	}
	var err error
	s.cache, err = cache.Open(cfg)
	return err
}

// engineReady asks where sessions are besides the database.
func (s *Store) engineReady(ctx context.Context) error {
	if e, ok := s.engine.(fileEngine); ok {
		return e.ready(ctx)
	}
	if s.cache == nil {
		return nil
	}
	_, err := s.cache.GetMany(ctx, []string{cachePrefix + "ready"})
	return s.cacheError(err)
}
