package sessionstore

import (
	"context"
	"crypto/sha256"
	"sync/atomic"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore/changes"
)

// memory is what handshakes need not ask the database for again: sessions and users that were looked up lately, while
// every change of them is heard of. Whatever is heard, nothing in it is older than CacheAge.
type memory struct {
	off      bool
	now      func() time.Time
	sessions *recent[djangocompat.SessionData]
	users    *recent[userRow]
	metrics  *metrics

	heard atomic.Pointer[changes.Listener] // nil while nobody listens
}

func newMemory(cfg Config, m *metrics) *memory {
	return &memory{
		off: cfg.CacheAge <= 0, now: cfg.Now, metrics: m,
		sessions: newRecent[djangocompat.SessionData](cfg.CacheBytes/2, cfg.CacheAge, cfg.Now),
		users:    newRecent[userRow](cfg.CacheBytes/2, cfg.CacheAge, cfg.Now),
	}
}

// Remember lets handshakes use what was looked up lately, for as long as l hears of every change. Whoever runs l calls
// Changed with each. An SQLite file is asked each time all the same: that is as quick, and of its changes one hears
// only by looking now and then.
func (s *Store) Remember(l *changes.Listener) {
	if _, ok := s.db.(*postgres); ok {
		s.memory.heard.Store(l)
	}
}

// Changed forgets what a change concerns.
func (s *Store) Changed(c changes.Change) {
	switch c.Kind {
	case changes.Session:
		s.memory.sessions.touched(c.Hash)
	case changes.User:
		s.memory.users.touched(c.Hash)
	default:
		s.memory.sessions.forget()
		s.memory.users.forget()
	}
}

// session returns what is remembered under a session key. Sessions are remembered only where it is heard that one was
// saved, too; without that, it is heard only that one has ended.
func (m *memory) session(key string) (data djangocompat.SessionData, found, known bool) {
	if !m.hearsSaves() {
		return data, false, false
	}
	data, found, known = m.sessions.get(hashText(key), key)
	m.metrics.remembered(lookupSessions, known)
	return data, found, known
}

// keepSession remembers a session, or that there is none where row is nil.
func (m *memory) keepSession(begun int64, key string, data djangocompat.SessionData, row *sessionRow) {
	switch {
	case !m.hearsSaves():
	case row == nil:
		m.sessions.put(begun, hashText(key), key, data, false, 0)
	case row.ends.Sub(m.now()) > m.sessions.life: // else it would outlive its row
		m.sessions.put(begun, hashText(key), key, data, true, data.Size())
	}
}

// touch forgets a session that was changed here, whatever came of it: that is heard of a moment later only.
func (m *memory) touch(key string) { m.sessions.touched(hashText(key)) }

// hears reports whether it is heard of users who change, and of sessions that end.
func (m *memory) hears() bool {
	l := m.heard.Load()
	return !m.off && l != nil && l.Proven()
}

// hearsSaves reports whether it is heard of sessions that are saved, too.
func (m *memory) hearsSaves() bool { return m.hears() && m.heard.Load().HearsSaves() }

// userSize is about what a row of the user table takes, in bytes.
const userSize = 512

// user returns the user with a primary key.
func (s *Store) user(ctx context.Context, pk djangocompat.PK) (userRow, bool, error) {
	if !s.memory.hears() {
		return s.users.get(ctx, pk)
	}
	key := pk.String()
	h := hashText("user:" + key)
	row, found, known := s.memory.users.get(h, key)
	s.metrics.remembered(lookupUsers, known)
	if known {
		return row, found, nil
	}
	begun := s.memory.users.begin()
	row, found, err := s.users.get(ctx, pk)
	if err == nil {
		s.memory.users.put(begun, h, key, row, found, userSize)
	}
	return row, found, err
}

// knownRowsOf is rowsOf, but it does not ask for what is remembered. With an error it returns that alone.
func (s *Store) knownRowsOf(ctx context.Context, claims []claim) (map[djangocompat.PK]userRow, error) {
	if !s.memory.hears() {
		return s.rowsOf(ctx, claims)
	}
	rows := make(map[djangocompat.PK]userRow, len(claims))
	var others []claim
	for _, c := range claims {
		if c.reason != LoggedIn {
			continue
		}
		key := c.pk.String()
		row, found, known := s.memory.users.get(hashText("user:"+key), key)
		s.metrics.remembered(lookupUsers, known)
		switch {
		case !known:
			others = append(others, c)
		case found:
			rows[c.pk] = row
		}
	}
	begun := s.memory.users.begin()
	asked, err := s.rowsOf(ctx, others)
	if err != nil {
		return rows, err
	}
	for _, pk := range pksOf(others) {
		key := pk.String()
		row, found := asked[pk]
		s.memory.users.put(begun, hashText("user:"+key), key, row, found, userSize)
		if found {
			rows[pk] = row
		}
	}
	return rows, nil
}

// hashText is the hash that package changes has of a text.
func hashText(text string) hash {
	sum := sha256.Sum256([]byte(text))
	return hash(sum[:len(hash{})])
}
