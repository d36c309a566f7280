package consumers

import (
	"context"
	"errors"
	"sync"
	"time"
)

// background is what Conn.Go has started.
type background struct {
	life    lifetime // done as soon as the connection is gone
	running sync.WaitGroup
}

// spawn runs f beside the consumer.
func (s *Socket) spawn(f func(ctx context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state&through != 0 {
		return // nobody would wait for it any more
	}
	if s.background == nil {
		s.background = new(background)
		s.background.life.begin(s.life.base())
		if s.code != 0 {
			s.background.life.end()
		}
	}
	b := s.background
	b.running.Go(func() { s.returned(guard(func() error { return f(&b.life) }), &b.life) })
}

// returned does what the outcome of a function asks for that Conn.Go has started.
func (s *Socket) returned(err error, life *lifetime) {
	switch {
	case err == nil || errors.Is(err, ErrClosed):
	case errors.Is(err, context.Canceled) && life.Err() != nil: // it was told that the connection is gone
	default:
		s.Disconnect(s.fail(err))
	}
}

// await waits for what Conn.Go has started, but not for long. What it returns is closed, or will be, when all
// have returned; nil means that there are none.
func (s *Socket) await(b *background) <-chan struct{} {
	if b == nil {
		return nil
	}
	b.life.end()
	returned := make(chan struct{})
	go func() { // disconnect waits for its end
		b.running.Wait()
		close(returned)
	}()
	patience := time.NewTimer(disconnectTimeout)
	defer patience.Stop()
	select {
	case <-returned:
	case <-patience.C:
		s.transport.Report(ErrStuck)
	}
	return returned
}
