package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/config"
	"github.com/belleville/belleville/sessionstore/changes"
)

// following makes open connections follow their sessions.
type following struct {
	live    *live.Live
	stop    context.CancelFunc
	running errgroup.Group
}

// follow begins to follow the sessions of connections that are yet to come. It returns an error where the
// configuration asks for what cannot work.
func (s *site) follow(ctx context.Context, cfg *config.Config, reg prometheus.Registerer) error {
	f := &following{live: live.New(s.store, cfg.FollowSessions(reg, s.logger))}
	s.following = f
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	f.stop = stop
	f.running.Go(func() error { return f.live.Run(running) })
	if cfg.Live.Control {
		f.running.Go(func() error { return f.live.Obey(running, s.layer) })
	}
	nowhere := cfg.Django.DatabaseURL.IsZero() && cfg.Live.Triggers == config.TriggersAuto // to listen
	if cfg.Live.Triggers == config.TriggersOff || nowhere {
		return nil
	}
	return s.hear(ctx, running, cfg, reg)
}

// end ends what follow began.
func (f *following) end() error {
	f.stop()
	return f.running.Wait()
}

// hearingTimeout is how long it takes at most to find out whether changes are heard of. A database that is away is
// heard of later.
const hearingTimeout = 4 * time.Second

// hear listens to the database, and returns when it is known whether that can work.
func (s *site) hear(ctx, running context.Context, cfg *config.Config, reg prometheus.Registerer) error {
	f := s.following
	l, err := s.store.Changes(changes.Config{Registerer: reg, Logger: s.logger})
	if err != nil {
		return fmt.Errorf("live: %w", err)
	}
	s.store.Remember(l)
	first, ended := make(chan struct{}, 1), make(chan error, 1)
	f.running.Go(func() error {
		err := l.Run(running, func(c changes.Change) {
			select {
			case first <- struct{}{}:
			default: // it is known already
			}
			s.store.Changed(c)
			f.touched(c)
		})
		ended <- err
		return nil
	})
	timeout := time.NewTimer(hearingTimeout)
	defer timeout.Stop()
	select {
	case <-first:
		return nil
	case err := <-ended:
		return s.unheard(err, cfg)
	case <-timeout.C:
		return nil
	case <-ctx.Done():
		return nil
	}
}

// touched passes on what has changed.
func (f *following) touched(c changes.Change) {
	switch c.Kind {
	case changes.Session:
		f.live.SessionTouched(c.Hash, c.Committed)
	case changes.User:
		f.live.UserTouched(c.Hash, c.Committed)
	default:
		f.live.TouchAll()
	}
}

// unheard says what it means that changes in the database are never heard of: sessions are asked about once an
// interval all the same.
func (s *site) unheard(err error, cfg *config.Config) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, changes.ErrDeaf):
		return errors.New("live.triggers: LISTEN was taken, but nothing is heard: a pooler stands in between; " +
			`name PostgreSQL itself in database.listen_url, or write triggers = "off"`)
	case cfg.Live.Triggers == config.TriggersRequired:
		return errors.New("live.triggers: they are not in the database: run belleville migrate up live_sessions")
	}
	s.logger.Info("ended sessions are found by asking again; belleville migrate up live_sessions tells of them at once",
		slog.Duration("recheck_interval", cfg.Live.RecheckInterval))
	return nil
}
