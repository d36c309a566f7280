package routing

import (
	"context"

	"github.com/belleville/belleville/consumers"
)

// part says how much of a path a route matches.
type part uint8

const (
	whole     part = iota
	beginning      // the rest is for a router inside
)

// partOf returns what a route to app matches.
func partOf(app consumers.Application) part {
	for {
		switch a := app.(type) {
		case URLRouter, included:
			return beginning
		case wrapper:
			app = a.Unwrap()
		default:
			return whole
		}
	}
}

// wrapper is a middleware that tells what it wraps.
type wrapper interface {
	Unwrap() consumers.Application
}

// included is what Include returns.
type included struct{ app consumers.Application }

// Include says that there is a [URLRouter] somewhere inside app, so that a route to it matches the beginning of
// a path:
//
//	routing.Path("staff/", routing.Include(onlyStaff(routing.URLRouter{ … })))
//
// It is needed where a router cannot be seen from outside: within an ApplicationFunc, a [ProtocolTypeRouter],
// or a middleware without a method Unwrap() consumers.Application.
//
// Python: Channels recognises only a URLRouter that is not wrapped.
func Include(app consumers.Application) consumers.Application { return included{app} }

// Open implements consumers.Application.
func (i included) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	return i.app.Open(ctx, s)
}
