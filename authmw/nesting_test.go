package authmw_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/routing"
	"github.com/belleville/belleville/wstest"
)

// nobody is a store without sessions.
type nobody struct{}

func (nobody) Load(context.Context, string) (*djangocompat.Session, error) {
	return new(djangocompat.Session), nil
}

func (nobody) User(context.Context, *djangocompat.Session) (*djangocompat.User, error) {
	return new(djangocompat.User), nil
}

func TestARouterInsideTheMiddlewareIsSeen(t *testing.T) {
	ok := consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	inner := routing.URLRouter{routing.Path("chat/<slug:room>/", ok)}
	var wrapped consumers.Application = inner
	wrapped = authmw.Require(wrapped, authmw.Anyone)
	wrapped = authmw.Stack(wrapped, nobody{}, authmw.Config{})
	wrapped = authmw.AllowedHosts(wrapped, []string{"example.com"})
	app := routing.URLRouter{routing.Path("ws/", wrapped)}
	for path, want := range map[string]int{"/ws/chat/lobby/": 204, "/ws/": 404, "/ws/chat/": 404} {
		if r := wstest.Request(t.Context(), app, "GET", path, nil, wstest.Config{}); r.StatusCode != want {
			t.Errorf("%s: status = %d, want %d", path, r.StatusCode, want)
		}
	}
}
