package routing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/routing"
)

// vector is one answer of Django and Channels.
type vector struct {
	Name  string
	Input struct {
		Routes        []vectorRoute
		Path          string
		RootPath      string  `json:"root_path"`
		PathRemaining *string `json:"path_remaining"`

		Router string // protocol_router or channel_router
		Known  []string
		Scope  struct{ Type, Channel string }
	}
	Expect struct {
		To              string
		Args            []*string
		Kwargs          map[string]any
		PathRemaining   string `json:"path_remaining"`
		Raises          string
		ConstructRaises string `json:"construct_raises"`
	}
}

type vectorRoute struct {
	Type, Route string
	To          json.RawMessage // a name, or the routes of a router inside
	Defaults    map[string]any
}

// deviation is what is done with cases where Belleville differs from Django.
type deviation struct {
	prefix string
	reason string
	// refused says that a route is refused when it is made; otherwise the case does not concern Belleville.
	refused bool
}

var deviations = []deviation{
	{"re_backtracking/", "look-around and back-references are refused: Go's regular expressions have none", true},
	{"odd_routes/duplicate_names/", "Django raises re.error at the first connection, Belleville at start-up", true},
	{"odd_routes/bad_regex/", "Django raises ImproperlyConfigured at the first connection, Belleville at start-up", true},
	{"root_path/match @3.2", "Channels 4.0 does not know root_path; the case of later versions holds", false},
	{"root_path/no_match @3.2", "Channels 4.0 does not know root_path; the case of later versions holds", false},
	{"root_path/partial_word @3.2", "Channels 4.0 does not know root_path; the case of later versions holds", false},
	{"root_path/trailing_slash @3.2", "Channels 4.0 does not know root_path; the case of later versions holds", false},
	{"root_path/equal @3.2", "Channels 4.0 does not know root_path; the case of later versions holds", false},
}

// Two differences of form hold in all cases: Kwargs are text, compared with Python's str() of the value, and a
// positional group that took no part is "" where Python has None.

func TestAsDjango(t *testing.T) {
	used := map[string]bool{}
	for _, v := range readVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			i := slices.IndexFunc(deviations, func(d deviation) bool { return strings.HasPrefix(v.Name, d.prefix) })
			if i < 0 {
				v.check(t)
				return
			}
			d := deviations[i]
			used[d.prefix] = true
			if !d.refused {
				t.Skip(d.reason)
			}
			if _, err := v.app(new(seen)); err == nil {
				t.Errorf("the routes are accepted, want an error: %s", d.reason)
			}
		})
	}
	for _, d := range deviations {
		if !used[d.prefix] {
			t.Errorf("no case is named %s…", d.prefix)
		}
	}
}

func readVectors(t testing.TB) []vector {
	raw, err := os.ReadFile("testdata/urlrouting.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []vector }
	if err := decode(raw, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

// decode decodes JSON without loss of digits.
func decode(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(v)
}

// seen is the last thing that was opened.
type seen struct {
	name  string
	scope *consumers.Scope
}

// app returns an Application that says to s that it was opened.
func (s *seen) app(name string) consumers.Application {
	return consumers.ApplicationFunc(func(_ context.Context, scope *consumers.Scope) (consumers.Instance, error) {
		s.name, s.scope = name, scope
		return nil, nil
	})
}

// app returns the router of the case.
func (v *vector) app(s *seen) (consumers.Application, error) {
	known := map[string]consumers.Application{}
	for _, name := range v.Input.Known {
		known[name] = s.app(name)
	}
	switch v.Input.Router {
	case "protocol_router":
		return routing.ProtocolTypeRouter(known), nil
	case "channel_router":
		return routing.ChannelNameRouter(known), nil
	}
	return urlRouter(s, v.Input.Routes)
}

func urlRouter(s *seen, routes []vectorRoute) (routing.URLRouter, error) {
	var router routing.URLRouter
	for _, r := range routes {
		var app consumers.Application
		var name string
		var inner []vectorRoute
		if json.Unmarshal(r.To, &name) == nil {
			app = s.app(name)
		} else if err := decode(r.To, &inner); err != nil {
			return nil, err
		} else if app, err = urlRouter(s, inner); err != nil {
			return nil, err
		}
		parse := routing.ParsePath
		if r.Type == "re_path" {
			parse = routing.ParseRePath
		}
		route, err := parse(r.Route, app)
		if err != nil {
			return nil, err
		}
		router = append(router, route.WithKwargs(texts(r.Defaults)))
	}
	return router, nil
}

// scope returns the Scope of the case.
func (v *vector) scope() *consumers.Scope {
	s := &consumers.Scope{Type: consumers.TypeWebSocket, Path: v.Input.Path, RootPath: v.Input.RootPath}
	if rest := v.Input.PathRemaining; rest != nil {
		s.Routed, s.PathRemaining = true, *rest
	}
	if v.Input.Router != "" {
		s.Type, s.Path = v.Input.Scope.Type, v.Input.Scope.Channel
	}
	return s
}

func (v *vector) check(t *testing.T) {
	var s seen
	app, err := v.app(&s)
	if (err != nil) != (v.Expect.ConstructRaises != "") {
		t.Fatalf("the routes give error %v, Django %q", err, v.Expect.ConstructRaises)
	}
	if err != nil {
		return
	}
	if _, err = app.Open(t.Context(), v.scope()); (err != nil) != (v.Expect.Raises != "") {
		t.Fatalf("Open gives %q and error %v, Django %q and %q", s.name, err, v.Expect.To, v.Expect.Raises)
	}
	if err != nil {
		if !errors.Is(err, consumers.ErrNoRoute) {
			t.Errorf("error %v, want ErrNoRoute", err)
		}
		return
	}
	if s.name != v.Expect.To {
		t.Errorf("opened %q, want %q", s.name, v.Expect.To)
	}
	var args []string
	for _, arg := range v.Expect.Args {
		if arg == nil {
			arg = new(string)
		}
		args = append(args, *arg)
	}
	if !slices.Equal(s.scope.Args, args) {
		t.Errorf("args %q, want %q", s.scope.Args, args)
	}
	if want := texts(v.Expect.Kwargs); !maps.Equal(s.scope.Kwargs, want) {
		t.Errorf("kwargs %q, want %q", s.scope.Kwargs, want)
	}
	if s.scope.PathRemaining != v.Expect.PathRemaining {
		t.Errorf("rest %q, want %q", s.scope.PathRemaining, v.Expect.PathRemaining)
	}
}

// texts returns values as Python's str() writes them.
func texts(values map[string]any) consumers.Kwargs {
	k := consumers.Kwargs{}
	for name, v := range values {
		k[name] = text(v)
	}
	return k
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case map[string]any: // {"$type": "int" or "UUID", "value": …}
		return v["value"].(string)
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, text(item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return "None"
}
