package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/belleville/belleville/djangocompat"
)

// Load returns the session stored under key, which is the value of the session cookie. A key that is unknown
// or expired, or under which there is nothing that our keys have signed, loads as the empty session, which has
// no key; an error means that the database, or the cache, could not say. The session belongs to the caller
// alone.
// Python: SessionStore.load.
func (s *Store) Load(ctx context.Context, key string) (*djangocompat.Session, error) {
	if key == "" {
		s.metrics.loaded(loadNoKey)
		return s.empty(), nil
	}
	data, result, err := s.engine.load(ctx, key)
	if err != nil {
		s.metrics.loaded(result)
		return nil, fmt.Errorf("load session: %w", err)
	}
	return s.loadedAs(strings.Clone(key), data, result), nil
}

// empty returns the session of a visitor who has none. If it is saved, it gets a key of its own.
func (s *Store) empty() *djangocompat.Session {
	return djangocompat.NewSession("", s.cfg.SessionSerializer.Empty(), s)
}

// apart asks for each key alone: one of them is something that the database cannot represent, and that must
// not be the others' trouble.
func apart[K comparable, V any](ctx context.Context, keys []K, fetch func(context.Context, []K) (map[K]V, error)) (map[K]V, error) {
	found := make(map[K]V, len(keys))
	for _, key := range keys {
		one, err := fetch(ctx, []K{key})
		if err != nil {
			return nil, err
		}
		if v, ok := one[key]; ok {
			found[key] = v
		}
	}
	return found, nil
}

// loadResultOf says how loading ended, by the error of the codec.
func loadResultOf(err error) loadResult {
	switch {
	case err == nil:
		return loadFound
	case errors.Is(err, djangocompat.ErrSignatureExpired):
		return loadExpired
	case errors.Is(err, djangocompat.ErrBadSignature):
		return loadBadSignature
	case errors.Is(err, djangocompat.ErrTooLarge):
		return loadTooLarge
	case errors.Is(err, djangocompat.ErrPickled):
		return loadPickled
	default:
		return loadMalformed
	}
}
