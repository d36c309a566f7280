// Package lazyctx has contexts that cost next to nothing until somebody asks whether they are done, as few do of those
// that a connection needs for moments.
package lazyctx

import (
	"context"
	"sync"
	"time"
)

// Context is a context without a timer, and without what package context needs to tell others, until its Done is called.
// It may be used concurrently.
type Context struct {
	// Set at birth, never changed.
	base     context.Context // for its values, and never done
	deadline time.Time       // zero where there is none

	mu     sync.Mutex // guards the fields below
	inner  context.Context
	cancel context.CancelFunc
	err    error // what End was called with
}

var _ context.Context = (*Context)(nil)

// New returns a Context with the values of base, which never ends, that is done when End is called.
func New(base context.Context) *Context { return &Context{base: base} }

// WithTimeout is New, but the Context is also done when the time is over. It must be ended all the same.
func WithTimeout(base context.Context, d time.Duration) *Context {
	return &Context{base: base, deadline: time.Now().Add(d)}
}

// End makes the Context done, with an error of package context. The first call counts.
func (c *Context) End(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	if c.cancel != nil {
		c.cancel()
	}
}

// Deadline implements context.Context.
func (c *Context) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		c.open()
	}
	return c.inner.Done()
}

// open makes what Done needs.
func (c *Context) open() {
	if c.deadline.IsZero() {
		c.inner, c.cancel = context.WithCancel(c.base)
	} else {
		c.inner, c.cancel = context.WithDeadline(c.base, c.deadline)
	}
	if c.err != nil {
		c.cancel()
	}
}

// Err implements context.Context.
func (c *Context) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.inner != nil && c.inner.Err() == nil:
		return nil // Done would not agree with anything else
	case c.err != nil:
		return c.err
	case c.inner != nil:
		return c.inner.Err()
	case !c.deadline.IsZero() && !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements context.Context. The inner context, where there is one, answers for what package context asks, so that
// no goroutine is needed to watch this one.
func (c *Context) Value(key any) any {
	c.mu.Lock()
	inner := c.inner
	c.mu.Unlock()
	if inner == nil {
		inner = c.base
	}
	return inner.Value(key)
}
