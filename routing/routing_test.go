package routing_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/routing"
)

// open opens path and returns the name that was opened, or "".
func open(t *testing.T, s *seen, app consumers.Application, path string) string {
	t.Helper()
	*s = seen{}
	_, err := app.Open(t.Context(), &consumers.Scope{Type: consumers.TypeWebSocket, Path: path})
	if err != nil && !errors.Is(err, consumers.ErrNoRoute) {
		t.Errorf("%s: error %v", path, err)
	}
	return s.name
}

func TestNesting(t *testing.T) {
	var s seen
	var inner consumers.Application = routing.URLRouter{routing.Path("room/", s.app("inner"))}
	tests := []struct {
		name, path string
		app        consumers.Application
		want       string
	}{
		{"a router is found behind a prefix", "/ws/room/", inner, "inner"},
		{"a path that the inner router does not know goes to the next route", "/ws/other/", inner, "next"},
		{"a router is recognised through middleware that unwraps", "/ws/room/", unwrapping{unwrapping{inner}}, "inner"},
		{"a router is recognised in Include", "/ws/room/", routing.Include(opaque(inner)), "inner"},
		{"Include is recognised through middleware that unwraps", "/ws/room/", unwrapping{routing.Include(opaque(inner))}, "inner"},
		{"a router behind other middleware is not", "/ws/room/", opaque(inner), "next"},
		{"a middleware's miss goes to the next route", "/ws/other/", routing.Include(opaque(inner)), "next"},
		{"a protocol that is not served goes to the next route", "/ws/room/", routing.Include(routing.ProtocolTypeRouter{"http": inner}), "next"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			router := routing.URLRouter{
				routing.Path("ws/", tt.app),
				routing.Path("<path:rest>", s.app("next")),
			}
			if got := open(t, &s, router, tt.path); got != tt.want {
				t.Errorf("%s opens %q, want %q", tt.path, got, tt.want)
			}
		})
	}
}

// unwrapping is a middleware that says what it wraps.
type unwrapping struct{ app consumers.Application }

func (u unwrapping) Unwrap() consumers.Application { return u.app }

func (u unwrapping) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	return u.app.Open(ctx, s)
}

// opaque is a middleware that does not.
func opaque(app consumers.Application) consumers.Application {
	return consumers.ApplicationFunc(app.Open)
}

type markKey struct{}

func TestNothingLeaksToTheNextRoute(t *testing.T) {
	var s seen
	inner := routing.URLRouter{routing.Path("<str:b>/never/", s.app("inner"))}
	meddling := consumers.ApplicationFunc(func(ctx context.Context, sc *consumers.Scope) (consumers.Instance, error) {
		sc.Set(markKey{}, "left behind")
		sc.Args[0] = "changed"
		sc.Kwargs["outer"] = "changed"
		sc.Cookies = map[string]string{"a": "b"}
		return inner.Open(ctx, sc)
	})
	router := routing.URLRouter{
		routing.RePath(`^x/`, routing.Include(meddling)),
		routing.RePath(`^x/(\w+)/$`, s.app("next")),
	}
	scope := &consumers.Scope{
		Routed: true, PathRemaining: "/x/y/", Route: "before/",
		Args: []string{"0"}, Kwargs: consumers.Kwargs{"outer": "1"},
	}
	if _, err := router.Open(t.Context(), scope); err != nil {
		t.Fatal(err)
	}
	got := s.scope
	if s.name != "next" || !slices.Equal(got.Args, []string{"0", "y"}) || !maps.Equal(got.Kwargs, consumers.Kwargs{"outer": "1"}) {
		t.Errorf("opened %q with %q and %q", s.name, got.Args, got.Kwargs)
	}
	if got.Value(markKey{}) != nil || got.Cookies != nil {
		t.Errorf("the next route sees what a middleware of the first one left")
	}
	if got.Route != `before/x/(\w+)/$` || !got.Routed {
		t.Errorf("route %q, routed %v", got.Route, got.Routed)
	}
	if scope.Route != "before/" || scope.PathRemaining != "/x/y/" || scope.Args[0] != "0" {
		t.Errorf("the caller's scope was changed: %+v", scope)
	}
}

func TestErrors(t *testing.T) {
	fails := func(err error) consumers.Application {
		return consumers.ApplicationFunc(func(context.Context, *consumers.Scope) (consumers.Instance, error) { return nil, err })
	}
	denial := &consumers.Denial{Status: http.StatusNotFound}
	broken := errors.New("broken")
	var s seen
	tests := []struct {
		name string
		app  consumers.Application
		want error
	}{
		{"a denial is the answer, even with 404", fails(denial), denial},
		{"an error is the answer", fails(broken), broken},
		{"no route is tried further", fails(consumers.ErrNoRoute), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			router := routing.URLRouter{{}, routing.Path("a", tt.app), routing.Path("a", s.app("next"))}
			if _, err := router.Open(t.Context(), &consumers.Scope{Path: "/a"}); err != tt.want {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

func TestUnservedType(t *testing.T) {
	_, err := routing.ProtocolTypeRouter{}.Open(t.Context(), &consumers.Scope{Type: "webtransport"})
	if err == nil || !strings.Contains(err.Error(), `"webtransport"`) {
		t.Errorf("error %v does not name the type", err)
	}
	if got := consumers.DenialOf(err).Status; got != http.StatusNotFound {
		t.Errorf("answered with %d, want 404", got)
	}
	_, err = routing.ChannelNameRouter{}.Open(t.Context(), &consumers.Scope{Type: consumers.TypeHTTP, Path: "thumbnails"})
	if !errors.Is(err, consumers.ErrNoRoute) {
		t.Errorf("a scope that is of no channel gives %v", err)
	}
}

func TestRouteInformation(t *testing.T) {
	var s seen
	route := routing.RePath(`^(?P<a>\w+)/(?P<b>\w+)?/$`, s.app("x")).
		WithKwargs(consumers.Kwargs{"b": "1", "c": "2"}).
		WithKwargs(consumers.Kwargs{"c": "3"})
	if got, want := route.Names(), []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("Names() = %q, want %q", got, want)
	}
	if got := route.Pattern(); got != `^(?P<a>\w+)/(?P<b>\w+)?/$` {
		t.Errorf("Pattern() = %q", got)
	}
	open(t, &s, routing.URLRouter{route}, "/v//")
	if want := (consumers.Kwargs{"a": "v", "b": "1", "c": "3"}); !maps.Equal(s.scope.Kwargs, want) {
		t.Errorf("kwargs %q, want %q", s.scope.Kwargs, want)
	}
}

func TestRefusedPatterns(t *testing.T) {
	var s seen
	path := func(pattern string, own ...routing.Converter) error {
		_, err := routing.Converters(own).ParsePath(pattern, s.app(""))
		return err
	}
	rePath := func(pattern string) error {
		_, err := routing.ParseRePath(pattern, s.app(""))
		return err
	}
	_, noApp := routing.ParsePath("a/", nil)
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"no application", noApp, `routing: route "a/" has no application`},
		{"an unknown converter", path("<foo:x>/"), `routing: path "<foo:x>/": no converter "foo": there are str, int, slug, uuid and path`},
		{"two parameters of one name", path("<a>/<int:a>/"), `routing: path "<a>/<int:a>/": two parameters are named "a"`},
		{"white space in brackets", path("<int: a>"), `routing: path "<int: a>": white space in the brackets of "int: a"`},
		{"a name that is none", path("<int:a:b>"), `routing: path "<int:a:b>": the parameter name "a:b" is no Python identifier`},
		{"a pattern that is too long", path(strings.Repeat("a", 1001)), `routing: a pattern of 1001 bytes: at most 1000 are allowed`},
		{"a pattern that is not text", path("\xff"), `routing: a pattern that is not valid UTF-8`},
		{
			"look-ahead", rePath(`^(?!bad)\w+/$`),
			`routing: regular expression "^(?!bad)\\w+/$": look-ahead (?! is not supported (at offset 1)`,
		},
		{
			"a converter's named group", path("<c:x>", routing.Converter{Name: "c", Regexp: "(?P<y>a)"}),
			`routing: path "<c:x>": converter "c": regular expression "(?P<y>a)" has named groups`,
		},
		{
			"a converter that would close its group", path("<c:x>", routing.Converter{Name: "c", Regexp: "a)|(b"}),
			`routing: path "<c:x>": converter "c": regular expression "a)|(b": unbalanced ) (at offset 1)`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.err == nil || tt.err.Error() != tt.want {
				t.Errorf("error %v\nwant %s", tt.err, tt.want)
			}
		})
	}
}

func TestPathPanics(t *testing.T) {
	defer func() {
		if r := recover(); r == nil {
			t.Errorf("Path accepts a wrong pattern")
		}
	}()
	routing.Path("<foo:x>", routing.URLRouter{})
}

func TestConverters(t *testing.T) {
	var s seen
	own := routing.Converters{
		{Name: "yyyy", Regexp: "[0-9]{4}"},
		{Name: "dir", Regexp: "(?:up|down)"},
		{Name: "upper", Regexp: `\w+`, Canonical: func(text string) (string, error) {
			if text == "none" {
				return "", errors.New("not this one")
			}
			return strings.ToUpper(text), nil
		}},
		{Name: "slug", Regexp: "[a-z]+"},
	}
	router := routing.URLRouter{
		own.Path("y/<yyyy:year>/<dir:d>/", s.app("year")),
		own.Path("u/<upper:u>/", s.app("upper")),
		own.Path("u/<str:u>/", s.app("str")),
		own.Path("s/<slug:s>/", s.app("slug")),
		own.Path("p/<path:p>.<int:n>/", s.app("backtracking")),
		own.Path("i/<uuid:i><int:n>", s.app("uuid")),
	}
	tests := []struct {
		name, path, want string
		kwargs           consumers.Kwargs
	}{
		{"an own converter matches its regular expression", "/y/2024/up/", "year", consumers.Kwargs{"year": "2024", "d": "up"}},
		{"and nothing else", "/y/20245/up/", "", nil},
		{"the canonical text goes into the kwargs", "/u/a/", "upper", consumers.Kwargs{"u": "A"}},
		{"an error of Canonical goes to the next route", "/u/none/", "str", consumers.Kwargs{"u": "none"}},
		{"an own converter may take Django's name", "/s/a-b/", "", nil},
		{"a parameter leaves what must follow it", "/p/a.1.b.02/", "backtracking", consumers.Kwargs{"p": "a.1.b", "n": "2"}},
		{"a UUID has one length", "/i/075194d3-6885-417e-a8a8-6c931e272f0007", "uuid", consumers.Kwargs{"i": "075194d3-6885-417e-a8a8-6c931e272f00", "n": "7"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := open(t, &s, router, tt.path); got != tt.want {
				t.Fatalf("%s opens %q, want %q", tt.path, got, tt.want)
			}
			if tt.want != "" && !maps.Equal(s.scope.Kwargs, tt.kwargs) {
				t.Errorf("kwargs %q, want %q", s.scope.Kwargs, tt.kwargs)
			}
		})
	}
}

func TestManyGoroutines(t *testing.T) {
	nothing := consumers.ApplicationFunc(func(context.Context, *consumers.Scope) (consumers.Instance, error) { return nil, nil })
	router := routing.URLRouter{
		routing.RePath(`^re/(?P<a>\w+)/`, routing.URLRouter{routing.Path("<int:n>/", nothing)}),
		routing.Path("p/<path:a>-<b>/", nothing),
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, path := range []string{"/re/x/7/", "/p/a/b-c/"} {
				if _, err := router.Open(t.Context(), &consumers.Scope{Path: path}); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			}
		})
	}
	wg.Wait()
}
