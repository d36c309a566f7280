package routing_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/routing"
)

// FuzzParse makes routes of patterns, and matches a path with those that are accepted.
func FuzzParse(f *testing.F) {
	for _, v := range readVectors(f) {
		for _, r := range v.Input.Routes {
			f.Add(r.Route, v.Input.Path)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		var s seen
		own := routing.Converters{{Name: "own", Regexp: pattern}}
		route, err := routing.ParsePath(pattern, s.app("path"))
		reRoute, reErr := routing.ParseRePath(pattern, s.app("re_path"))
		ownRoute, ownErr := own.ParsePath("<own:x>", s.app("own"))
		for _, err := range []error{err, reErr, ownErr} {
			if err != nil && strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("the error is more than a line: %v", err)
			}
		}
		router := routing.URLRouter{route, reRoute, ownRoute}
		if _, err := router.Open(t.Context(), &consumers.Scope{Path: path}); err != nil && !errors.Is(err, consumers.ErrNoRoute) {
			t.Errorf("error %v", err)
		}
	})
}

// FuzzOpen matches paths with routes of all kinds.
func FuzzOpen(f *testing.F) {
	for _, v := range readVectors(f) {
		f.Add(v.Input.Path, v.Input.RootPath)
	}
	var s seen
	router := routing.URLRouter{
		routing.Path("chat/", s.app("static")),
		routing.Path("n/<int:n>/", s.app("int")),
		routing.Path("f/<path:p>/<slug:s>", s.app("path")),
		routing.RePath(`^re/(?P<a>\w+)/`, routing.URLRouter{
			routing.RePath(`(\d+)(-\d+)?$`, s.app("inner")),
			routing.Path("u/<uuid:u>", s.app("uuid")),
		}),
		routing.RePath(`(?i)x(\s|\S{2,4}?)*y\Z`, s.app("re")),
	}
	f.Fuzz(func(t *testing.T, path, rootPath string) {
		s = seen{}
		_, err := router.Open(t.Context(), &consumers.Scope{Path: path, RootPath: rootPath})
		if (err == nil) != (s.scope != nil) || err != nil && !errors.Is(err, consumers.ErrNoRoute) {
			t.Fatalf("opened %q, error %v", s.name, err)
		}
		if err != nil {
			return
		}
		captured := append([]string(nil), s.scope.Args...)
		for name, text := range s.scope.Kwargs {
			if name != "n" { // which loses its zeros
				captured = append(captured, text)
			}
		}
		for _, text := range captured {
			if !strings.Contains(path, text) {
				t.Errorf("captured %q, which is not in %q", text, path)
			}
		}
		if !strings.HasSuffix(path, s.scope.PathRemaining) {
			t.Errorf("the rest %q is not the end of %q", s.scope.PathRemaining, path)
		}
	})
}
