package consumers

import (
	"context"
	"sync"
	"time"
)

// lifetime is the context of one connection, done when the connection is. Most connections never ask
// whether it is, so what that takes is made when it is first asked.
type lifetime struct {
	// Set before anyone else sees it.
	base context.Context // the server's: for its values

	mu     sync.Mutex // guards the fields below
	ctx    context.Context
	cancel context.CancelFunc
	ended  bool
}

var _ context.Context = (*lifetime)(nil)

// end makes the context done.
func (l *lifetime) end() {
	l.mu.Lock()
	cancel := l.cancel
	l.ended = true
	l.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// Deadline implements context.Context.
func (l *lifetime) Deadline() (time.Time, bool) { return l.base.Deadline() }

// Done implements context.Context.
func (l *lifetime) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx == nil {
		l.ctx, l.cancel = context.WithCancel(l.base)
		if l.ended {
			l.cancel()
		}
	}
	return l.ctx.Done()
}

// Err implements context.Context.
func (l *lifetime) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return context.Canceled
	}
	return l.base.Err()
}

// Value implements context.Context. Where there is an inner context it is asked, so that package context
// recognises it and needs no goroutine to watch this one.
func (l *lifetime) Value(key any) any {
	l.mu.Lock()
	inner := l.ctx
	l.mu.Unlock()
	if inner == nil {
		inner = l.base
	}
	return inner.Value(key)
}
