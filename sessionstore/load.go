package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/belleville/belleville/djangocompat"
)

// sessionRow is a row of the session table.
type sessionRow struct {
	text nullText // NULL if it is longer than MaxSessionSize can be

	once sync.Once // sets the fields below
	data djangocompat.SessionData
	err  error
}

// decode decodes what is stored, once for all who asked for it together.
func (r *sessionRow) decode(c djangocompat.SessionCodec) (djangocompat.SessionData, error) {
	r.once.Do(func() {
		if r.err = djangocompat.ErrTooLarge; r.text.ok {
			r.data, r.err = c.Decode(r.text.text)
		}
		r.text = nullText{} // it may be long, and is not needed any more
	})
	return r.data, r.err
}

// Load returns the session stored under key. A key that is unknown or expired, or under which there is
// nothing that our keys have signed, loads as the empty session, which has no key; an error means that the
// database could not say. The session belongs to the caller alone.
// Python: SessionStore.load.
func (s *Store) Load(ctx context.Context, key string) (*djangocompat.Session, error) {
	if !djangocompat.PlausibleSessionKey(key) {
		s.metrics.loaded(implausible(key))
		return s.empty(), nil
	}
	row, ok, err := s.sessions.get(ctx, key)
	switch {
	case err != nil:
		s.metrics.loaded(loadUnavailable)
		return nil, fmt.Errorf("load session: %w", err)
	case !ok:
		s.metrics.loaded(loadUnknown)
		return s.empty(), nil
	}
	data, err := row.decode(s.codec)
	s.metrics.loaded(loadResultOf(err))
	if err != nil {
		return s.empty(), nil
	}
	return djangocompat.NewSession(strings.Clone(key), data, s), nil // the key is a part of the Cookie header
}

// empty returns the session of a visitor who has none. If it is saved, it gets a key of its own.
func (s *Store) empty() *djangocompat.Session {
	return djangocompat.NewSession("", djangocompat.SessionData{}, s)
}

// fetchSessions is the query for the sessions under keys.
func (s *Store) fetchSessions(ctx context.Context, keys []string) (map[string]*sessionRow, error) {
	t, err := s.ready()
	if err != nil {
		return nil, err
	}
	s.metrics.batch(lookupSessions, len(keys))
	found := make(map[string]*sessionRow, len(keys))
	err = s.db.query(ctx, t.liveSessions(keys, s.cfg.Now()), func(scan func(...any) error) error {
		var key textValue
		row := new(sessionRow)
		if err := scan(&key, &row.text); err != nil {
			return err
		}
		found[string(key)] = row
		return nil
	})
	if faultOf(err) == FaultValue && len(keys) > 1 {
		return apart(ctx, keys, s.fetchSessions)
	}
	if err != nil && faultOf(err) == FaultValue { // no such key can be in the table
		return nil, nil
	}
	return found, s.noted(err)
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

// implausible tells a visitor without a cookie from one with a strange one.
func implausible(key string) loadResult {
	if key == "" {
		return loadNoKey
	}
	return loadImplausible
}

// loadResultOf says how loading ended, by the error of the codec.
func loadResultOf(err error) loadResult {
	switch {
	case err == nil:
		return loadFound
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
