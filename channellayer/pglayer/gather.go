package pglayer

import (
	"context"
	"sync"

	"github.com/belleville/belleville/channellayer"
)

// mostGathered is how many items of one kind are done at once, and mostUndone how many may wait for that.
const (
	mostGathered = 500
	mostUndone   = 20_000
)

// gatherer does things that arrive together together: while some are being done, others gather. They are done in the
// order in which they came.
type gatherer[T any] struct {
	// Set at birth, never changed.
	run   func(ctx context.Context, items []*item[T]) // sets the items' errors
	work  chan struct{}                               // holds something while items may be waiting
	ended chan struct{}                               // closed when nothing is done any more

	mu      sync.Mutex // guards the field below
	waiting []*item[T] // bounded by mostUndone; beyond it they are refused
}

// item is something to do.
type item[T any] struct {
	what T
	err  error
	done chan struct{} // closed when it was done; err is set before
}

func newGatherer[T any](run func(context.Context, []*item[T])) *gatherer[T] {
	return &gatherer[T]{run: run, work: make(chan struct{}, 1), ended: make(chan struct{})}
}

// do has something done and waits for the end.
func (g *gatherer[T]) do(ctx context.Context, what T) error {
	it := g.add(what)
	if it == nil {
		return errBusy
	}
	select {
	case <-it.done:
		return it.err
	case <-g.ended:
		return channellayer.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// add has something done, and does not wait for it. It returns nil where too much is waiting.
func (g *gatherer[T]) add(what T) *item[T] {
	it := &item[T]{what: what, done: make(chan struct{})}
	if !g.put(it) {
		return nil
	}
	signal(g.work)
	return it
}

func (g *gatherer[T]) put(it *item[T]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) >= mostUndone {
		return false
	}
	g.waiting = append(g.waiting, it)
	return true
}

func (g *gatherer[T]) take() []*item[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), mostGathered)
	items := g.waiting[:n:n]
	if g.waiting = g.waiting[n:]; len(g.waiting) == 0 {
		g.waiting = nil
	}
	return items
}

// serve does what there is to do until ctx is done.
func (g *gatherer[T]) serve(ctx context.Context) {
	defer close(g.ended)
	for ctx.Err() == nil {
		select {
		case <-g.work:
		case <-ctx.Done():
		}
		for items := g.take(); len(items) > 0; items = g.take() {
			g.run(ctx, items)
			for _, it := range items {
				close(it.done)
			}
		}
	}
}

// whats returns what items are about.
func whats[T any](items []*item[T]) []T {
	list := make([]T, len(items))
	for i, it := range items {
		list[i] = it.what
	}
	return list
}

// fail sets the error of all items.
func fail[T any](items []*item[T], err error) {
	for _, it := range items {
		it.err = err
	}
}

// signal leaves something in a chan that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
