package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

// saveTries is how often a session that others change at the same time is put onto their changes.
const saveTries = 3

// Exists reports whether a session is stored under key, expired or not.
// Python: SessionStore.exists.
func (s *Store) Exists(ctx context.Context, key string) (bool, error) {
	found, err := s.engine.exists(ctx, key)
	if err != nil {
		return false, fmt.Errorf("look for session: %w", err)
	}
	return found, nil
}

// Save implements djangocompat.Backend. An update never brings back what was deleted, and never takes away
// what others wrote meanwhile: only the keys that were changed in session are changed in what is stored.
// Python: SessionStore.save.
func (s *Store) Save(ctx context.Context, session *djangocompat.Session, mode djangocompat.SaveMode) (string, error) {
	key, err := s.engine.save(ctx, session, mode)
	s.memory.touch(session.Key())
	s.metrics.saved(err)
	if err != nil {
		return "", fmt.Errorf("save session: %w", err)
	}
	return key, nil
}

// lastTime is the latest time that PostgreSQL and Python have.
var lastTime = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// ends returns when a session that is saved now expires.
func (s *Store) ends(session *djangocompat.Session) time.Time {
	if t := session.ExpiryDate(s.expiry); t.Before(lastTime) {
		return t.Truncate(time.Microsecond)
	}
	return lastTime
}

// exec changes rows within the time that a query may take.
func (s *Store) exec(ctx context.Context, first statement, others ...statement) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	n, err := s.db.exec(ctx, first, others...)
	return n, s.noted(err)
}

// Replace implements djangocompat.Backend. In the database, the new row is there and the old one is gone, or
// nothing has happened.
func (s *Store) Replace(ctx context.Context, old string, session *djangocompat.Session) (string, error) {
	key, err := s.engine.replace(ctx, old, session)
	s.memory.touch(old)
	s.metrics.saved(err)
	if err != nil {
		return "", fmt.Errorf("save session: %w", err)
	}
	return key, nil
}

// Delete implements djangocompat.Backend. Python: SessionStore.delete.
func (s *Store) Delete(ctx context.Context, key string) error {
	err := s.engine.delete(ctx, key)
	s.memory.touch(key)
	if err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}

// ClearExpired removes the sessions that have expired and returns how many those were.
// Python: SessionStore.clear_expired; manage.py clearsessions.
func (s *Store) ClearExpired(ctx context.Context) (int64, error) {
	n, err := s.engine.clearExpired(ctx)
	if err != nil {
		return 0, fmt.Errorf("clear sessions: %w", err)
	}
	return n, nil
}

// saveResultOf says how saving ended.
func saveResultOf(err error) saveResult {
	switch {
	case err == nil:
		return saveDone
	case errors.Is(err, djangocompat.ErrSessionGone):
		return saveGone
	case errors.Is(err, djangocompat.ErrSessionExists):
		return saveTaken
	case errors.Is(err, ErrConflict):
		return saveConflict
	case errors.Is(err, ErrUnavailable):
		return saveUnavailable
	default:
		return saveRefused
	}
}
