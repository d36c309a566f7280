package routing_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/routing"
)

// show stands for a consumer: it prints with what it was opened.
func show(name string) consumers.Application {
	return consumers.ApplicationFunc(func(_ context.Context, s *consumers.Scope) (consumers.Instance, error) {
		fmt.Println(name, s.Args, s.Kwargs, s.Route)
		return nil, nil
	})
}

// visit opens what app has for each path.
func visit(app consumers.Application, paths ...string) {
	for _, path := range paths {
		_, err := app.Open(context.Background(), &consumers.Scope{Type: consumers.TypeWebSocket, Path: path})
		if errors.Is(err, consumers.ErrNoRoute) {
			fmt.Println("404", path)
		}
	}
}

func ExampleURLRouter() {
	router := routing.URLRouter{
		routing.Path("ws/chat/<slug:room>/", show("chat")),
		routing.Path("ws/user/<int:id>/", show("user")),
		routing.Path("ws/help/", show("chat")).WithKwargs(consumers.Kwargs{"room": "help"}),
	}
	visit(router, "/ws/chat/lobby/", "/ws/user/007/", "/ws/help/", "/ws/")
	// Output:
	// chat [] map[room:lobby] ws/chat/<slug:room>/
	// user [] map[id:7] ws/user/<int:id>/
	// chat [] map[room:help] ws/help/
	// 404 /ws/
}

func ExampleURLRouter_nested() {
	router := routing.URLRouter{
		routing.Path("team/<slug:team>/", routing.URLRouter{
			routing.Path("chat/<slug:room>/", show("chat")),
			routing.Path("", show("overview")),
		}),
		routing.Path("team/<path:page>", show("page")),
	}
	visit(router, "/team/red/chat/lobby/", "/team/red/", "/team/red/about")
	// Output:
	// chat [] map[room:lobby team:red] team/<slug:team>/chat/<slug:room>/
	// overview [] map[team:red] team/<slug:team>/
	// page [] map[page:red/about] team/<path:page>
}

func ExampleInclude() {
	staffOnly := func(app consumers.Application) consumers.Application {
		return consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
			fmt.Println("is this one of our staff?")
			return app.Open(ctx, s)
		})
	}
	inner := routing.URLRouter{routing.Path("log/", show("log"))}
	router := routing.URLRouter{
		routing.Path("staff/", routing.Include(staffOnly(inner))),
	}
	visit(router, "/staff/log/")
	// Output:
	// is this one of our staff?
	// log [] map[] staff/log/
}

func ExampleRePath() {
	router := routing.URLRouter{
		routing.RePath(`^ws/(?P<room>\w+)/$`, show("named")),
		routing.RePath(`^ws/(\d+)-(\d+)/$`, show("positional")),
	}
	visit(router, "/ws/café/", "/ws/10-20/", "/ws/a-b/")
	// Output:
	// named [] map[room:café] ^ws/(?P<room>\w+)/$
	// positional [10 20] map[] ^ws/(\d+)-(\d+)/$
	// 404 /ws/a-b/
}

func ExampleParseRePath() {
	_, err := routing.ParseRePath(`^ws/(?!admin)\w+/$`, show("room"))
	fmt.Println(err)
	// Output:
	// routing: regular expression "^ws/(?!admin)\\w+/$": look-ahead (?! is not supported (at offset 4)
}

func ExampleConverters() {
	site := routing.Converters{{
		Name:   "hex",
		Regexp: "[0-9a-fA-F]{1,8}",
		Canonical: func(text string) (string, error) {
			n, err := strconv.ParseUint(text, 16, 32)
			return strconv.FormatUint(n, 10), err
		},
	}, {
		Name:      "handle",
		Regexp:    `@\w+`,
		Canonical: func(text string) (string, error) { return strings.ToLower(text), nil },
	}}
	router := routing.URLRouter{
		site.Path("ws/item/<hex:id>/", show("item")),
		site.Path("ws/<handle:who>/<int:page>/", show("profile")),
	}
	visit(router, "/ws/item/FF/", "/ws/@Alice/2/")
	// Output:
	// item [] map[id:255] ws/item/<hex:id>/
	// profile [] map[page:2 who:@alice] ws/<handle:who>/<int:page>/
}

func ExampleProtocolTypeRouter() {
	app := routing.ProtocolTypeRouter{
		consumers.TypeWebSocket: routing.URLRouter{routing.Path("ws/", show("socket"))},
		consumers.TypeHTTP:      show("page"),
	}
	visit(app, "/ws/")
	_, err := app.Open(context.Background(), &consumers.Scope{Type: "webtransport", Path: "/ws/"})
	fmt.Println(err)
	// Output:
	// socket [] map[] ws/
	// routing: no application for protocol type "webtransport": consumers: no route
}

func ExampleChannelNameRouter() {
	app := routing.ChannelNameRouter{
		"thumbnails": consumers.ApplicationFunc(func(_ context.Context, s *consumers.Scope) (consumers.Instance, error) {
			fmt.Println("works for channel", s.Path)
			return nil, nil
		}),
	}
	_, err := app.Open(context.Background(), &consumers.Scope{Type: routing.TypeChannel, Path: "thumbnails"})
	fmt.Println(err)
	// Output:
	// works for channel thumbnails
	// <nil>
}
