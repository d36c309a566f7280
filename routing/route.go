package routing

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/belleville/belleville/consumers"
)

// maxPattern is how many bytes a pattern may have.
const maxPattern = 1000

// A Route sends the paths that match its pattern to an Application. It never changes. The zero Route matches
// nothing.
//
// A route to a [URLRouter], or to an Application that is known to hold one (see [Include]), matches the
// beginning of a path, and the rest is the inner router's. Any other route made by Path matches whole paths.
type Route struct {
	pattern string
	prefix  string // with which every path begins that matches
	matcher matcher
	names   []string
	app     consumers.Application
	kwargs  consumers.Kwargs // of WithKwargs
}

// matcher is a compiled pattern.
type matcher interface {
	// match matches a path without its leading slashes.
	match(path string) (found, bool)
}

// found is what a path matched with.
type found struct {
	rest   string // of the path
	args   []string
	kwargs consumers.Kwargs
}

// Path returns a route for a pattern such as "chat/<slug:room>/", in which <room> captures text without a
// slash and <converter:room> what Django's converter of that name does: str, int, slug, uuid or path. It
// panics if the pattern is wrong.
//
// Python: django.urls.path.
func Path(pattern string, app consumers.Application) Route {
	return Converters(nil).Path(pattern, app)
}

// ParsePath is [Path] for a pattern that was not written by the programmer: it returns an error instead.
func ParsePath(pattern string, app consumers.Application) (Route, error) {
	return Converters(nil).ParsePath(pattern, app)
}

// RePath returns a route for a regular expression in the syntax of Python's re, such as
// `^chat/(?P<room>\w+)/$`. It matches anywhere in a path, unless it says ^ or $. Named groups become Kwargs;
// where there are none, all groups become Args, "" for one that took no part. It panics if the pattern is
// wrong, or says what Go's regular expressions cannot, such as look-ahead.
//
// Python: django.urls.re_path.
func RePath(pattern string, app consumers.Application) Route {
	return must(ParseRePath(pattern, app))
}

// ParseRePath is [RePath] for a pattern that was not written by the programmer: it returns an error instead.
func ParseRePath(pattern string, app consumers.Application) (Route, error) {
	if err := check(pattern, app); err != nil {
		return Route{}, err
	}
	m, err := newRePattern(pattern, partOf(app))
	if err != nil {
		return Route{}, fmt.Errorf("routing: regular expression %q: %w", pattern, err)
	}
	return Route{pattern: pattern, prefix: m.re.Prefix(), matcher: m, names: m.kwargNames(), app: app}, nil
}

// must returns a route, or panics.
func must(r Route, err error) Route {
	if err != nil {
		panic(err)
	}
	return r
}

// check refuses what is wrong whatever the syntax.
func check(pattern string, app consumers.Application) error {
	switch {
	case len(pattern) > maxPattern:
		return fmt.Errorf("routing: a pattern of %d bytes: at most %d are allowed", len(pattern), maxPattern)
	case !utf8.ValidString(pattern):
		return errors.New("routing: a pattern that is not valid UTF-8")
	case app == nil:
		return fmt.Errorf("routing: route %q has no application", pattern)
	}
	return nil
}

// WithKwargs returns the route with further Kwargs, which win over captured ones of the same name.
//
// Python: the third argument of path() and re_path().
func (r Route) WithKwargs(kwargs consumers.Kwargs) Route {
	merged := make(consumers.Kwargs, len(r.kwargs)+len(kwargs))
	maps.Copy(merged, r.kwargs)
	maps.Copy(merged, kwargs)
	r.kwargs = merged
	return r
}

// Pattern returns the pattern as it was given.
func (r Route) Pattern() string { return r.pattern }

// Names returns the names of the Kwargs that the route may set, sorted.
func (r Route) Names() []string {
	names := slices.AppendSeq(slices.Clone(r.names), maps.Keys(r.kwargs))
	slices.Sort(names)
	return slices.Compact(names)
}

// match matches a path without its leading slashes.
func (r *Route) match(path string) (found, bool) {
	if r.matcher == nil {
		return found{}, false
	}
	f, ok := r.matcher.match(path)
	if !ok {
		return found{}, false
	}
	if f.kwargs == nil && len(r.kwargs) > 0 {
		f.kwargs = make(consumers.Kwargs, len(r.kwargs))
	}
	maps.Copy(f.kwargs, r.kwargs)
	return f, true
}
