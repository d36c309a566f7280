package sessionstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

// dbEngine keeps sessions in the table django_session. Python: django.contrib.sessions.backends.db.
type dbEngine struct{ s *Store }

// sessionRow is a row of the session table.
type sessionRow struct {
	key  string
	text nullText // NULL if it is longer than MaxSessionSize can be
	ends time.Time

	filled sync.Once // puts it into a cache

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

func (e dbEngine) load(ctx context.Context, key string) (djangocompat.SessionData, loadResult, error) {
	if !djangocompat.PlausibleSessionKey(key) {
		return djangocompat.SessionData{}, loadImplausible, nil
	}
	if data, found, known := e.s.memory.session(key); known {
		if !found {
			return data, loadUnknown, nil
		}
		return data, loadFound, nil
	}
	begun := e.s.memory.sessions.begin()
	row, ok, err := e.s.sessions.get(ctx, key)
	switch {
	case err != nil:
		return djangocompat.SessionData{}, loadUnavailable, err
	case !ok:
		e.s.memory.keepSession(begun, key, djangocompat.SessionData{}, nil)
		return djangocompat.SessionData{}, loadUnknown, nil
	}
	data, err := row.decode(e.s.keyed.Load().codec)
	if err == nil {
		e.s.memory.keepSession(begun, key, data, row)
	}
	return data, loadResultOf(err), nil
}

// fetchSessions is the query for the sessions under keys.
func (s *Store) fetchSessions(ctx context.Context, keys []string) (map[string]*sessionRow, error) {
	t, err := s.ready()
	if err != nil {
		return nil, err
	}
	s.metrics.batch(lookupSessions, len(keys))
	found, rows := make(map[string]*sessionRow, len(keys)), make([]sessionRow, 0, len(keys))
	var key textValue
	var text nullText
	ends := timeValue{location: t.location}
	columns := []any{&key, &text, &ends}
	err = s.db.query(ctx, t.liveSessions(keys, s.cfg.Now()), func(scan func(...any) error) error {
		if err := scan(columns...); err != nil {
			return err
		}
		rows = append(rows, sessionRow{key: string(key), text: text, ends: ends.Time})
		found[string(key)] = &rows[len(rows)-1]
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

func (e dbEngine) save(ctx context.Context, session *djangocompat.Session, mode djangocompat.SaveMode) (string, error) {
	if mode == djangocompat.MustCreate {
		_, err := e.insert(ctx, session)
		return session.Key(), err
	}
	err := retried(func() (bool, error) {
		text, err := e.update(ctx, session)
		return text != "", err
	})
	return session.Key(), err
}

// insert stores a session under a key that must be free, and then does the others. It returns what it stored.
func (e dbEngine) insert(ctx context.Context, session *djangocompat.Session, others ...func(*tables) statement) (string, error) {
	t, err := e.s.ready()
	if err != nil {
		return "", err
	}
	text, err := e.s.keyed.Load().codec.Encode(session.Data())
	if err != nil {
		return "", err
	}
	var then []statement
	for _, other := range others {
		then = append(then, other(t))
	}
	n, err := e.s.exec(ctx, t.insertSession(session.Key(), text, e.s.ends(session)), then...)
	if err == nil && n == 0 {
		return "", djangocompat.ErrSessionExists
	}
	return text, err
}

// update stores a session unless somebody else does so in between. It returns what it stored; "" is nothing.
func (e dbEngine) update(ctx context.Context, session *djangocompat.Session) (string, error) {
	t, err := e.s.ready()
	if err != nil {
		return "", err
	}
	old, found, err := e.current(ctx, session.Key())
	switch {
	case err != nil:
		return "", err
	case !found:
		return "", djangocompat.ErrSessionGone
	case !old.ok:
		return "", fmt.Errorf("%w: %w", ErrConflict, djangocompat.ErrTooLarge)
	}
	newer, err := e.s.keyed.Load().codec.Decode(old.text)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrConflict, err)
	}
	session.Rebase(newer)
	text, err := e.s.keyed.Load().codec.Encode(session.Data())
	if err != nil {
		return "", err
	}
	n, err := e.s.exec(ctx, t.swapSession(session.Key(), old.text, text, e.s.ends(session)))
	if n == 0 {
		return "", err
	}
	return text, err
}

// current returns what is stored under key now, expired or not.
func (e dbEngine) current(ctx context.Context, key string) (nullText, bool, error) {
	t, err := e.s.ready()
	if err != nil {
		return nullText{}, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.s.cfg.QueryTimeout)
	defer cancel()
	var stored textValue
	var text nullText
	ends := timeValue{location: t.location}
	found := false
	err = e.s.db.query(ctx, t.anySession(key), func(scan func(...any) error) error {
		found = true
		return scan(&stored, &text, &ends)
	})
	return text, found, e.s.noted(err)
}

// replace stores the new row and removes the old one, or nothing happens.
func (e dbEngine) replace(ctx context.Context, old string, session *djangocompat.Session) (string, error) {
	_, err := e.insert(ctx, session, func(t *tables) statement { return t.deleteSession(old) })
	return session.Key(), err
}

func (e dbEngine) delete(ctx context.Context, key string) error {
	if !djangocompat.PlausibleSessionKey(key) {
		return nil
	}
	t, err := e.s.ready()
	if err == nil {
		_, err = e.s.exec(ctx, t.deleteSession(key))
	}
	return err
}

func (e dbEngine) exists(ctx context.Context, key string) (bool, error) {
	if !djangocompat.PlausibleSessionKey(key) {
		return false, nil
	}
	_, found, err := e.current(ctx, key)
	return found, err
}

func (e dbEngine) clearExpired(ctx context.Context) (int64, error) {
	t, err := e.s.ready()
	if err != nil {
		return 0, err
	}
	n, err := e.s.db.exec(ctx, t.clearSessions(e.s.cfg.Now()))
	return n, e.s.noted(err)
}
