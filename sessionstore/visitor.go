package sessionstore

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

// Visitor returns what a handshake with a session key finds: what Load and Verdict do one after the other, for all
// handshakes that come together. Each of them waits once, for no longer than Config.QueryTimeout.
func (s *Store) Visitor(ctx context.Context, key string) (Standing, error) {
	if _, ok := s.engine.(dbEngine); !ok || !djangocompat.PlausibleSessionKey(key) {
		session, err := s.Load(ctx, key)
		if err != nil {
			return Standing{}, err
		}
		return s.standingOf(ctx, session)
	}
	if data, found, known := s.memory.session(key); known {
		return s.standingOf(ctx, s.loadedAs(strings.Clone(key), data, resultOf(found)))
	}
	v, _, err := s.visits.get(ctx, key)
	if err != nil {
		s.metrics.loaded(loadUnavailable)
		return Standing{}, fmt.Errorf("load session: %w", err)
	}
	st := Standing{Session: s.loadedAs(v.key, v.data, v.result), User: v.user, Reason: v.reason, Expires: v.ends}
	st.Session.Len() // who it is was read in it
	if v.user == nil {
		s.metrics.checkFailed()
		return Standing{}, fmt.Errorf("load user: %w", v.err)
	}
	s.metrics.checked(v.reason)
	return st, nil
}

// standingOf finds out who is logged in with a session.
func (s *Store) standingOf(ctx context.Context, session *djangocompat.Session) (Standing, error) {
	user, reason, err := s.Verdict(ctx, session)
	return Standing{Session: session, User: user, Reason: reason}, err
}

// resultOf is the result of loading a session that is remembered, or remembered not to be there.
func resultOf(found bool) loadResult {
	if found {
		return loadFound
	}
	return loadUnknown
}

// loadedAs makes the session of what was loaded under a key, the empty one if that was nothing, and counts it. The key
// must have memory of its own: that of a cookie is a part of the header.
func (s *Store) loadedAs(key string, data djangocompat.SessionData, result loadResult) *djangocompat.Session {
	s.metrics.loaded(result)
	if result != loadFound {
		return s.empty()
	}
	return djangocompat.NewSession(key, data, s)
}

// visit is what was found out about all who show one session key at one time.
type visit struct {
	key    string // in memory of its own
	data   djangocompat.SessionData
	result loadResult
	ends   time.Time
	verdict
	err error // why there is no verdict
}

// fetchVisits looks up sessions and their users.
func (s *Store) fetchVisits(ctx context.Context, keys []string) (map[string]*visit, error) {
	begun := s.memory.sessions.begin()
	rows, err := s.fetchSessions(ctx, keys)
	if err != nil {
		return nil, err
	}
	codec := s.keyed.Load().codec
	decodeLarge(rows, codec)
	visits, sessions := make([]visit, len(keys)), make([]djangocompat.SessionData, len(keys))
	for i, key := range keys {
		v := &visits[i]
		row, ok := rows[key]
		if v.result = loadUnknown; ok {
			var err error
			v.data, err = row.decode(codec)
			v.key, v.result, v.ends = row.key, loadResultOf(err), row.ends
		}
		if v.result == loadFound || !ok {
			s.memory.keepSession(begun, key, v.data, row)
		}
		sessions[i] = v.data
	}
	verdicts, err := s.judge(ctx, sessions, s.knownRowsOf)
	found := make(map[string]*visit, len(keys))
	for i, key := range keys {
		visits[i].verdict, visits[i].err = verdicts[i], err
		visits[i].data = visits[i].data.Compact() // connections keep it
		found[key] = &visits[i]
	}
	return found, nil
}

// largeSession is how long the text of a session is that the others do not wait for, in bytes.
const largeSession = 16 << 10

// decodeLarge decodes the sessions that take long, on as many processors as there are.
func decodeLarge(rows map[string]*sessionRow, codec djangocompat.SessionCodec) {
	var large sync.WaitGroup
	for _, row := range rows {
		if len(row.text.text) > largeSession {
			large.Go(func() { _, _ = row.decode(codec) }) // whoever asks next has what became of it
		}
	}
	large.Wait()
}
