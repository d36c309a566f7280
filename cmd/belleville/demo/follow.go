package demo

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/belleville/belleville/sessionstore/changes"
)

// follow makes sockets end with their sessions, however those end: the database is watched, too. What it returns ends
// that.
func (s *site) follow(ctx context.Context) (stop func() error, err error) {
	listener, err := s.sessions.Changes(changes.Config{Logger: s.logger})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // until the sockets have drained
	var running errgroup.Group
	running.Go(func() error { return s.live.Run(ctx) })
	running.Go(func() error {
		return listener.Run(ctx, func(changes.Change) { s.live.TouchAll() }) // a file does not say what has changed
	})
	return func() error { cancel(); return running.Wait() }, nil
}
