package sessionstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/belleville/belleville/djangocompat"
)

// A Standing is what a handshake with a session key would find.
type Standing struct {
	// Session is the empty one where there is none.
	Session *djangocompat.Session
	// User is AnonymousUser where nobody is logged in, for which Reason says why.
	User   *djangocompat.User
	Reason Reason
	// Expires is when what is stored expires; zero where there is nothing, or the engine does not say.
	Expires time.Time
}

// maxStandings is how many sessions, or users, one query asks about.
const maxStandings = 1000

// Standings returns the Standing of each session key, in the order of the keys. A thousand keys are a query for the
// sessions and one for their users; engines that are no table, and so no query, are asked key by key.
func (s *Store) Standings(ctx context.Context, keys []string) ([]Standing, error) {
	standings := make([]Standing, 0, len(keys))
	for part := range slices.Chunk(keys, maxStandings) {
		some, err := s.standings(ctx, part)
		if err != nil {
			s.metrics.checkFailed()
			return nil, fmt.Errorf("check sessions: %w", err)
		}
		standings = append(standings, some...)
	}
	return standings, nil
}

func (s *Store) standings(ctx context.Context, keys []string) ([]Standing, error) {
	read := s.readEach
	if _, ok := s.engine.(dbEngine); ok {
		read = s.readTogether
	}
	standings, err := read(ctx, keys)
	if err != nil {
		return nil, err
	}
	sessions := make([]djangocompat.SessionData, len(standings))
	for i := range standings {
		sessions[i] = standings[i].Session.Data()
	}
	verdicts, err := s.judge(ctx, sessions, s.rowsOf)
	if err != nil {
		return nil, err
	}
	for i, v := range verdicts {
		standings[i].User, standings[i].Reason = v.user, v.reason
	}
	return standings, nil
}

// readTogether reads sessions from the table in one query.
func (s *Store) readTogether(ctx context.Context, keys []string) ([]Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	rows, err := s.fetchSessions(ctx, keys)
	if err != nil {
		return nil, err
	}
	standings := make([]Standing, len(keys))
	for i, key := range keys {
		standings[i].Session = s.empty()
		row, ok := rows[key]
		if !ok {
			continue
		}
		if data, err := row.decode(s.keyed.Load().codec); err == nil {
			standings[i].Session, standings[i].Expires = djangocompat.NewSession(key, data, s), row.ends
		}
	}
	return standings, nil
}

// maxReaders bounds the sessions that are read at the same time one by one.
const maxReaders = 64

// readEach reads sessions from an engine that is no table.
func (s *Store) readEach(ctx context.Context, keys []string) ([]Standing, error) {
	standings := make([]Standing, len(keys))
	var readers errgroup.Group
	readers.SetLimit(maxReaders)
	for i, key := range keys {
		readers.Go(func() error {
			data, result, err := s.engine.load(ctx, key)
			standings[i].Session = s.empty()
			if err == nil && result == loadFound {
				standings[i].Session = djangocompat.NewSession(key, data, s)
			}
			return err
		})
	}
	return standings, readers.Wait()
}
