package routing_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/routing"
)

// BenchmarkOpen matches a path that only the last of 50 routes of one kind matches.
func BenchmarkOpen(b *testing.B) {
	nothing := consumers.ApplicationFunc(func(context.Context, *consumers.Scope) (consumers.Instance, error) { return nil, nil })
	kinds := []struct {
		name  string
		route func(i int) routing.Route
		path  string
	}{
		{"static", func(i int) routing.Route { return routing.Path(fmt.Sprintf("ws/static%d/", i), nothing) }, "/ws/static49/"},
		{"slug", func(i int) routing.Route { return routing.Path(fmt.Sprintf("ws/room%d/<slug:room>/", i), nothing) }, "/ws/room49/the-lobby/"},
		{"slug first", func(i int) routing.Route { return routing.Path(fmt.Sprintf("<slug:room>/ws%d/", i), nothing) }, "/the-lobby/ws49/"},
		{"int and str", func(i int) routing.Route { return routing.Path(fmt.Sprintf("ws/%d/<int:id>/<str:tab>", i), nothing) }, "/ws/49/00815/members"},
		{"converted", func(i int) routing.Route { return routing.Path(fmt.Sprintf("ws/%d/<path:p>/end/", i), nothing) }, "/ws/49/a/b/c/end/"},
		{"re_path", func(i int) routing.Route {
			return routing.RePath(fmt.Sprintf(`^ws/room%d/(?P<room>\w+)/$`, i), nothing)
		}, "/ws/room49/lobby/"},
		{"re_path unanchored", func(i int) routing.Route { return routing.RePath(fmt.Sprintf(`room%d/(?P<room>\w+)/`, i), nothing) }, "/ws/room49/lobby/"},
		{"nested", func(i int) routing.Route {
			return routing.Path(fmt.Sprintf("ws%d/", i), routing.URLRouter{routing.Path("<slug:room>/", nothing)})
		}, "/ws49/lobby/"},
	}
	for _, kind := range kinds {
		b.Run(kind.name, func(b *testing.B) {
			var router routing.URLRouter
			for i := range 50 {
				router = append(router, kind.route(i))
			}
			scope := &consumers.Scope{Path: kind.path}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := router.Open(b.Context(), scope); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCompile makes a route.
func BenchmarkCompile(b *testing.B) {
	for _, pattern := range []string{`^ws/room/$`, `^ws/room/(?P<room>\w+)/$`, `^ws/(?P<room>[^\W_]+)/(?P<id>[0-9]{1,9})/$`, `(?i)^ws/(?P<room>[a-z]+)/$`} {
		b.Run(pattern, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				routing.RePath(pattern, routing.URLRouter{})
			}
		})
	}
}
