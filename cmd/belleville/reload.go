package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/config"
)

// reloader is what SIGHUP needs.
type reloader struct {
	load func() (*config.Config, error) // reads the configuration anew
	now  *config.Config                 // with which the process runs
	reg  prometheus.Registerer
}

// answer answers each SIGHUP, which would end the process otherwise.
func (s *site) answer(ctx context.Context, hangups <-chan os.Signal) error {
	for {
		select {
		case <-hangups:
			s.reload(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// reload takes over what can be of the configuration, without dropping a connection. Where anything is wrong in it
// nothing is taken over.
func (s *site) reload(ctx context.Context) {
	if s.serving() != nil {
		s.logger.Warn("SIGHUP: nothing is read again while the process ends")
		return
	}
	next, err := s.reloader.load()
	var restart []string
	if err == nil {
		next, restart, err = s.reloader.now.Reloaded(next)
	}
	if err == nil {
		err = checkOpenFiles(openFilesLimit(), next)
	}
	if err == nil {
		err = s.replace(ctx, next)
	}
	if err != nil {
		s.refuseReload(err)
		return
	}
	s.reloader.now = next
	for _, w := range next.Warnings() {
		s.logger.Warn("configuration", slog.String("warning", w))
	}
	for _, key := range restart {
		s.logger.Warn("SIGHUP: this key has changed and counts after a restart", slog.String("key", key))
	}
	s.logger.Info("SIGHUP: the configuration was read again", slog.Int("routes", len(next.Routes)))
}

// replace gives the servers what a configuration says.
func (s *site) replace(ctx context.Context, cfg *config.Config) error {
	app, err := cfg.Application(s.store, s.store, s.following.live, s.reloader.reg, s.logger)
	if err != nil {
		return err
	}
	if wrong, err := cfg.TryQueries(ctx, s.store); err == nil && len(wrong) > 0 {
		return wrong // a database that is away says nothing about them
	}
	if s.certificate != nil {
		if err := s.certificate.Reload(); err != nil {
			return err
		}
	}
	if err := s.store.Reload(ctx, cfg.Sessions(nil, s.logger)); err != nil {
		return err
	}
	for _, l := range s.servers {
		l.server.Reload(app, cfg.Server(nil, s.logger))
	}
	if now := s.reloader.now; !now.SameVerdicts(cfg) {
		s.following.live.TouchAll()
	}
	return nil
}

// refuseReload logs what is wrong, each in a line of its own.
func (s *site) refuseReload(err error) {
	mistakes, ok := errors.AsType[config.Mistakes](err)
	if !ok {
		s.logger.Error("SIGHUP: the configuration is wrong; the one before stays", slog.String("mistake", told(err)))
		return
	}
	for _, m := range mistakes {
		s.logger.Error("SIGHUP: the configuration is wrong; the one before stays", slog.String("mistake", m.Error()))
	}
}
