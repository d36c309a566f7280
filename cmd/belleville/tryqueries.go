package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/belleville/belleville/config"
)

// queriesPause is how often it is asked whether the database answers, so that the routes' queries can be tried.
const queriesPause = time.Second

// tryQueries has the database plan each allow_sql. A wrong one is an error where the database answers; where it is
// away, s.untried is left to try them.
func (s *site) tryQueries(ctx context.Context, cfg *config.Config) error {
	wrong, err := cfg.TryQueries(ctx, s.store)
	switch {
	case len(wrong) > 0:
		return wrong
	case err != nil:
		s.untried = func(ctx context.Context) error { return s.tryLater(ctx, cfg) }
	}
	return nil
}

// tryLater tries the queries when the database first answers, and logs those that are wrong.
func (s *site) tryLater(ctx context.Context, cfg *config.Config) error {
	ticker := time.NewTicker(queriesPause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		wrong, err := cfg.TryQueries(ctx, s.store)
		if err != nil {
			continue
		}
		for _, m := range wrong {
			s.logger.Error("a route is wrong", slog.String("mistake", m.Error()))
		}
		return nil
	}
}
