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
	base context.Context // for its values; it is never done

	mu    sync.Mutex // guards the fields below
	inner *inner     // nil until somebody asks for Done
	ended bool
}

// inner is a context of package context, whose children need no goroutine to watch it.
type inner struct {
	context.Context
	cancel context.CancelFunc
}

var _ context.Context = (*lifetime)(nil)

// begin gives the context the values of ctx, and not its end.
func (l *lifetime) begin(ctx context.Context) {
	if ctx.Done() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	l.base = ctx
}

// end makes the context done.
func (l *lifetime) end() {
	l.mu.Lock()
	in := l.inner
	l.ended = true
	l.mu.Unlock()
	if in != nil {
		in.cancel()
	}
}

// Deadline implements context.Context.
func (l *lifetime) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (l *lifetime) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inner == nil {
		ctx, cancel := context.WithCancel(l.base)
		if l.ended {
			cancel()
		}
		l.inner = &inner{ctx, cancel}
	}
	return l.inner.Done()
}

// Err implements context.Context.
func (l *lifetime) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return context.Canceled
	}
	return nil
}

// Value implements context.Context. Where there is an inner context it is asked, so that package context
// recognises it and needs no goroutine to watch this one.
func (l *lifetime) Value(key any) any {
	l.mu.Lock()
	in := l.inner
	l.mu.Unlock()
	if in == nil {
		return l.base.Value(key)
	}
	return in.Value(key)
}
