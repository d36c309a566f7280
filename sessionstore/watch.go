package sessionstore

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

// How long watch waits until it tries again: any time up to the limit, which doubles.
const (
	firstPause = 50 * time.Millisecond
	longPause  = 5 * time.Second
	// eagerPause is how soon it tries again when somebody asks.
	eagerPause = 200 * time.Millisecond
)

// watch brings the database back whenever it has gone away. There is never more than one try under way.
func (s *Store) watch(ctx context.Context) {
	for limit := firstPause; ; {
		if s.cause.Load() == nil {
			limit = firstPause
			select {
			case <-s.doubted:
			case <-ctx.Done():
				return
			}
			s.connect(ctx)                                          // the first try is at once
			if s.cause.Load() == nil && !s.pause(ctx, eagerPause) { // a doubt may come back with each query
				return
			}
			continue
		}
		if !s.pause(ctx, rand.N(limit)) {
			return
		}
		limit = min(2*limit, longPause)
		s.connect(ctx)
	}
}

// pause waits for d, or less if somebody asks; it reports whether to go on.
func (s *Store) pause(ctx context.Context, d time.Duration) bool {
	eager := min(d, eagerPause)
	timer := time.NewTimer(eager)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	timer.Reset(d - eager)
	select {
	case <-timer.C:
	case <-s.asked:
	case <-ctx.Done():
		return false
	}
	return true
}

// connect asks the database for its tables and notes whether it answered.
func (s *Store) connect(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ConnectTimeout)
	defer cancel()
	for named := s.tokenTables.Load(); ; named = s.tokenTables.Load() {
		cfg := s.cfg
		cfg.Tokens = *named
		t, err := resolve(ctx, s.db, cfg)
		if err != nil {
			s.away(ctx, err)
			return
		}
		s.tables.Store(t)
		if s.tokenTables.Load() == named { // else Reload has named others meanwhile
			break
		}
	}
	s.told = nil
	if cause := s.cause.Swap(nil); cause != nil {
		s.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "database answers again")
	}
}

// away notes why the database does not answer, and says so if that is new.
func (s *Store) away(ctx context.Context, err error) {
	cause, ok := errors.AsType[*DatabaseError](err)
	if !ok {
		cause = &DatabaseError{Fault: FaultOther}
	}
	s.metrics.fault(cause.Fault)
	s.cause.Store(cause)
	if s.told != nil && *s.told == *cause {
		return
	}
	s.told = cause
	level, message := slog.LevelWarn, "database does not answer; trying again"
	if cause.Fault == FaultSchema {
		level, message = slog.LevelError, "database is not what the configuration says; nobody is let in until it is"
	}
	s.cfg.Logger.LogAttrs(ctx, level, message, slog.String("fault", cause.Error()))
}

// Ready asks the database, and returns nil if sessions can be loaded from it, else why not.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.engineReady(ctx); err != nil || s.withoutDatabase() {
		return err
	}
	if _, err := s.ready(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	return s.noted(s.db.query(ctx, statement{sql: "SELECT 1"}, func(scan func(...any) error) error {
		var one int
		return scan(&one)
	}))
}
