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
	if !djangocompat.PlausibleSessionKey(key) {
		return false, nil
	}
	_, found, err := s.current(ctx, key)
	if err != nil {
		return false, fmt.Errorf("look for session: %w", err)
	}
	return found, nil
}

// Save implements djangocompat.Backend. An update never brings back what was deleted, and never takes away
// what others wrote meanwhile: only the keys that were changed in session are changed in the row.
// Python: SessionStore.save.
func (s *Store) Save(ctx context.Context, session *djangocompat.Session, mode djangocompat.SaveMode) (string, error) {
	err := s.save(ctx, session, mode)
	s.metrics.saved(err)
	if err != nil {
		return "", fmt.Errorf("save session: %w", err)
	}
	return session.Key(), nil
}

func (s *Store) save(ctx context.Context, session *djangocompat.Session, mode djangocompat.SaveMode) error {
	if mode == djangocompat.MustCreate {
		return s.insert(ctx, session)
	}
	for range saveTries {
		saved, err := s.update(ctx, session)
		if saved || err != nil {
			return err
		}
	}
	return ErrConflict
}

// insert stores a session under a key that must be free, and then does the others.
func (s *Store) insert(ctx context.Context, session *djangocompat.Session, others ...func(*tables) statement) error {
	t, err := s.ready()
	if err != nil {
		return err
	}
	text, err := s.codec.Encode(session.Data())
	if err != nil {
		return err
	}
	var then []statement
	for _, other := range others {
		then = append(then, other(t))
	}
	n, err := s.exec(ctx, t.insertSession(session.Key(), text, s.ends(session)), then...)
	if err == nil && n == 0 {
		return djangocompat.ErrSessionExists
	}
	return err
}

// update stores a session unless somebody else does so in between.
func (s *Store) update(ctx context.Context, session *djangocompat.Session) (bool, error) {
	t, err := s.ready()
	if err != nil {
		return false, err
	}
	old, found, err := s.current(ctx, session.Key())
	switch {
	case err != nil:
		return false, err
	case !found:
		return false, djangocompat.ErrSessionGone
	case !old.ok:
		return false, fmt.Errorf("%w: %w", ErrConflict, djangocompat.ErrTooLarge)
	}
	newer, err := s.codec.Decode(old.text)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrConflict, err)
	}
	session.Rebase(newer)
	text, err := s.codec.Encode(session.Data())
	if err != nil {
		return false, err
	}
	n, err := s.exec(ctx, t.swapSession(session.Key(), old.text, text, s.ends(session)))
	return n > 0, err
}

// ends returns when a session that is saved now expires. PostgreSQL and Python end with the year 9999.
func (s *Store) ends(session *djangocompat.Session) time.Time {
	last := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	if t := session.ExpiryDate(s.expiry); t.Before(last) {
		return t.Truncate(time.Microsecond)
	}
	return last
}

// current returns what is stored under key now, expired or not.
func (s *Store) current(ctx context.Context, key string) (nullText, bool, error) {
	t, err := s.ready()
	if err != nil {
		return nullText{}, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	var stored textValue
	var text nullText
	found := false
	err = s.db.query(ctx, t.anySession(key), func(scan func(...any) error) error {
		found = true
		return scan(&stored, &text)
	})
	return text, found, s.noted(err)
}

// exec changes rows within the time that a query may take.
func (s *Store) exec(ctx context.Context, first statement, others ...statement) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	n, err := s.db.exec(ctx, first, others...)
	return n, s.noted(err)
}

// Replace implements djangocompat.Backend: the new row is there and the old one is gone, or nothing has
// happened.
func (s *Store) Replace(ctx context.Context, old string, session *djangocompat.Session) (string, error) {
	err := s.insert(ctx, session, func(t *tables) statement { return t.deleteSession(old) })
	s.metrics.saved(err)
	if err != nil {
		return "", fmt.Errorf("save session: %w", err)
	}
	return session.Key(), nil
}

// Delete implements djangocompat.Backend. Python: SessionStore.delete.
func (s *Store) Delete(ctx context.Context, key string) error {
	if !djangocompat.PlausibleSessionKey(key) {
		return nil
	}
	t, err := s.ready()
	if err == nil {
		_, err = s.exec(ctx, t.deleteSession(key))
	}
	if err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}

// ClearExpired removes the sessions that have expired and returns how many those were.
// Python: SessionStore.clear_expired; manage.py clearsessions.
func (s *Store) ClearExpired(ctx context.Context) (int64, error) {
	t, err := s.ready()
	if err != nil {
		return 0, fmt.Errorf("clear sessions: %w", err)
	}
	n, err := s.db.exec(ctx, t.clearSessions(s.cfg.Now()))
	if s.noted(err) != nil {
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
