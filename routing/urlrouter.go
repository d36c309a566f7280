package routing

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/belleville/belleville/consumers"
)

// A URLRouter opens the Application of the first of its routes that matches the path. It must not be changed
// once it is used; then any number of goroutines may use it.
//
// A route may lead to another URLRouter, which matches the rest of the path. Where that has no route, the outer
// router goes on with its next one; middleware between the two works on a Scope that is then dropped. Args of
// both are joined, and so are Kwargs, the inner ones winning.
//
// The path is Scope.Path, or Scope.PathRemaining in an inner router, without its leading slashes, and without
// Scope.RootPath, with which it must begin. A path that is not valid UTF-8 has no route.
//
// Python: channels.routing.URLRouter.
type URLRouter []Route

// Open implements consumers.Application. Without a route for the path it returns consumers.ErrNoRoute.
func (r URLRouter) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	path := s.PathRemaining
	if !s.Routed {
		var ok bool
		if path, ok = strings.CutPrefix(s.Path, s.RootPath); !ok || !utf8.ValidString(path) {
			return nil, consumers.ErrNoRoute
		}
	}
	path = strings.TrimLeft(path, "/")
	for i := range r {
		if !strings.HasPrefix(path, r[i].prefix) {
			continue // as most do
		}
		f, ok := r[i].match(path)
		if !ok {
			continue
		}
		instance, err := r[i].app.Open(ctx, r[i].scope(s, f))
		if !errors.Is(err, consumers.ErrNoRoute) {
			return instance, err
		}
	}
	return nil, consumers.ErrNoRoute
}

// scope returns the Scope of what the route leads to. It shares no map or slice that could be changed with
// the one of the next route.
func (r *Route) scope(outer *consumers.Scope, f found) *consumers.Scope {
	s := outer.Clone()
	s.Routed = true
	s.PathRemaining = f.rest
	s.Route = joinPatterns(outer.Route, r.pattern)
	s.Args = f.args
	if len(outer.Args) > 0 {
		s.Args = slices.Concat(outer.Args, f.args)
	}
	s.Kwargs = f.kwargs
	if len(outer.Kwargs) > 0 {
		s.Kwargs = maps.Clone(outer.Kwargs)
		maps.Copy(s.Kwargs, f.kwargs)
	}
	return s
}

// joinPatterns returns one pattern for that of an outer and that of an inner route.
func joinPatterns(outer, inner string) string {
	if outer == "" {
		return inner
	}
	return outer + strings.TrimPrefix(inner, "^")
}
