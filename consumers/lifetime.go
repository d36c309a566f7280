package consumers

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// lifetime is the context of one connection, done when the connection is. Most connections never ask
// whether it is, and bring no values with them, so what that takes is made when it is first needed.
type lifetime struct {
	span atomic.Pointer[span] // nil while it goes on and nobody has asked
}

// span is what a lifetime has that somebody has asked.
type span struct {
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

// over is the span of all that ended before anybody asked. It never changes.
var over = &span{base: context.Background(), inner: newInner(context.Background(), true), ended: true}

// newInner makes a context, which is done already where the connection has ended.
func newInner(base context.Context, ended bool) *inner {
	ctx, cancel := context.WithCancel(base)
	if ended {
		cancel()
	}
	return &inner{ctx, cancel}
}

// begin gives the context the values of ctx, and not its end.
func (l *lifetime) begin(ctx context.Context) {
	if ctx.Done() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	if ctx == context.Background() {
		return
	}
	for {
		before := l.span.Load()
		if l.span.CompareAndSwap(before, &span{base: ctx, ended: before != nil}) {
			return // nobody but end was here before
		}
	}
}

// base returns the context for the values.
func (l *lifetime) base() context.Context {
	if sp := l.span.Load(); sp != nil {
		return sp.base
	}
	return context.Background()
}

// asked returns the span, which is made when it is first asked for.
func (l *lifetime) asked() *span {
	sp := l.span.Load()
	if sp == nil {
		l.span.CompareAndSwap(nil, &span{base: context.Background()})
		sp = l.span.Load()
	}
	return sp
}

// end makes the context done.
func (l *lifetime) end() {
	if l.span.CompareAndSwap(nil, over) {
		return
	}
	sp := l.span.Load()
	if sp == over {
		return
	}
	sp.mu.Lock()
	in := sp.inner
	sp.ended = true
	sp.mu.Unlock()
	if in != nil {
		in.cancel()
	}
}

// Deadline implements context.Context.
func (l *lifetime) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (l *lifetime) Done() <-chan struct{} {
	sp := l.asked()
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.inner == nil {
		sp.inner = newInner(sp.base, sp.ended)
	}
	return sp.inner.Done()
}

// Err implements context.Context.
func (l *lifetime) Err() error {
	sp := l.span.Load()
	if sp == nil {
		return nil
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.ended {
		return context.Canceled
	}
	return nil
}

// Value implements context.Context. Where there is an inner context it is asked, so that package context
// recognises it and needs no goroutine to watch this one.
func (l *lifetime) Value(key any) any {
	sp := l.span.Load()
	if sp == nil {
		return nil
	}
	sp.mu.Lock()
	in := sp.inner
	sp.mu.Unlock()
	if in == nil {
		return sp.base.Value(key)
	}
	return in.Value(key)
}
