package consumers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/belleville/belleville/consumers"
)

func TestScopeCloneIsCompletedAlone(t *testing.T) {
	type key struct{ n int }
	outer := &consumers.Scope{Path: "/"}
	outer.Set(key{1}, "outer")
	a, b := outer.Clone(), outer.Clone()
	a.Set(key{2}, "a")
	b.Set(key{2}, "b")
	b.Set(key{1}, "hidden")
	a.Path = "/a"
	tests := []struct {
		name      string
		got, want any
	}{
		{"a clone has what its origin has", a.Value(key{1}), "outer"},
		{"what one clone sets the other does not see", a.Value(key{2}), "a"},
		{"nor the other way round", b.Value(key{2}), "b"},
		{"the last value counts", b.Value(key{1}), "hidden"},
		{"the origin sees nothing", outer.Value(key{2}), nil},
		{"fields are copied", outer.Path, "/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %v, want %v", tt.got, tt.want)
			}
		})
	}
}

func TestScopeIsCompleteForAConsumer(t *testing.T) {
	apps := map[string]consumers.Application{
		"a WebSocket's":   (&site{}).app(),
		"an HTTP one's":   consumers.NewHTTP(func() *webhook { return new(webhook) }),
		"an http.Handler": consumers.Handler(http.NotFoundHandler()),
	}
	for name, app := range apps {
		t.Run(name, func(t *testing.T) {
			s := new(consumers.Scope)
			if _, err := app.Open(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if s.User == nil || s.User.IsAuthenticated() || s.Session == nil {
				t.Errorf("got user %v, session %v; want AnonymousUser and the empty session", s.User, s.Session)
			}
		})
	}
}

func TestC9EachConnectionHasItsOwnConsumer(t *testing.T) {
	made := 0
	app := consumers.New(func() *site { made++; return new(site) })
	for range 3 {
		if _, err := app.Open(t.Context(), new(consumers.Scope)); err != nil {
			t.Fatal(err)
		}
	}
	if made != 3 {
		t.Errorf("made %d consumers for 3 connections", made)
	}
}

func TestHeader(t *testing.T) {
	h := consumers.Header{{Name: "cookie", Value: "a=1"}, {Name: "host", Value: "x"}, {Name: "cookie", Value: "b=2"}}
	if got := h.Get("cookie"); got != "a=1" {
		t.Errorf("Get: got %q, want the first value", got)
	}
	if got := h.Get("origin"); got != "" {
		t.Errorf("Get of a field that is not there: got %q", got)
	}
	if got := slices.Collect(h.Values("cookie")); !slices.Equal(got, []string{"a=1", "b=2"}) {
		t.Errorf("Values: got %q", got)
	}
	c := h.Clone()
	h[0].Value = "changed"
	if c[0].Value != "a=1" {
		t.Error("a clone shares memory with its origin")
	}
}

func TestKwargsInt(t *testing.T) {
	k := consumers.Kwargs{"n": "42", "huge": "99999999999999999999", "word": "x"}
	tests := []struct {
		name string
		key  string
		want int64
		ok   bool
	}{
		{"a number", "n", 42, true},
		{"one that does not fit", "huge", 0, false},
		{"no number", "word", 0, false},
		{"nothing", "none", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := k.Int(tt.key); ok != tt.ok || ok && got != tt.want {
				t.Errorf("got %d, %v; want %d, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestQueryValues(t *testing.T) {
	s := &consumers.Scope{Query: "a=1&b=%zz&c=x+y"}
	v := s.QueryValues()
	if v.Get("a") != "1" || v.Get("c") != "x y" || v.Has("b") {
		t.Errorf("got %v, want what can be parsed", v)
	}
}

func TestDenialOf(t *testing.T) {
	own := &consumers.Denial{Status: 418, Body: []byte("tea")}
	tests := []struct {
		name string
		err  error
		want int
	}{
		{"a Denial, wrapped", fmt.Errorf("open: %w", own), 418},
		{"ErrDenied, wrapped", fmt.Errorf("open: %w", consumers.ErrDenied), 403},
		{"ErrNoRoute", consumers.ErrNoRoute, 404},
		{"anything else", errSite, 500},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := consumers.DenialOf(tt.err)
			if d.Status != tt.want {
				t.Errorf("got status %d, want %d", d.Status, tt.want)
			}
			if tt.want == 500 && len(d.Body) > 0 {
				t.Errorf("the client would learn %q", d.Body)
			}
		})
	}
	if !errors.Is(own, consumers.ErrDenied) {
		t.Error("a Denial is no ErrDenied")
	}
}

func TestScopeFrom(t *testing.T) {
	s := new(consumers.Scope)
	if got := consumers.ScopeFrom(consumers.ContextWithScope(t.Context(), s)); got != s {
		t.Errorf("got %p, want %p", got, s)
	}
	if got := consumers.ScopeFrom(context.Background()); got != nil {
		t.Errorf("without a Scope: got %v", got)
	}
}

func TestFramesAreBuiltOnce(t *testing.T) {
	var f consumers.Frames
	built := 0
	for _, form := range []consumers.Form{consumers.Plain, consumers.Compressed, consumers.Plain} {
		got := f.Frame(form, func() []byte { built++; return []byte{byte(form)} })
		if got[0] != byte(form) {
			t.Errorf("form %d: got %v", form, got)
		}
	}
	if built != 2 {
		t.Errorf("built %d frames for two forms", built)
	}
}
