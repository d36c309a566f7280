package authmw_test

import (
	"context"
	"crypto/subtle"
	"fmt"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/routing"
)

// greet stands for a consumer.
var greet = consumers.ApplicationFunc(func(_ context.Context, s *consumers.Scope) (consumers.Instance, error) {
	if s.User.IsAnonymous() {
		return nil, consumers.ErrDenied
	}
	fmt.Println("hello,", s.User.Username)
	return nil, nil
})

func ExampleStack() {
	app := authmw.Stack(greet, new(fakeStore), authmw.Config{}) // a *sessionstore.Store in real life
	app = authmw.AllowedHosts(app, []string{".example.com"})

	_, err := app.Open(context.Background(), &consumers.Scope{
		Type: consumers.TypeWebSocket,
		Header: consumers.Header{
			{Name: "origin", Value: "https://www.example.com"},
			{Name: "cookie", Value: "sessionid=alicessessionkey"},
		},
	})
	fmt.Println(err)
	// Output:
	// hello, alice
	// <nil>
}

// tokenAuth is custom authentication by a token in the query string: an ordinary middleware.
func tokenAuth(app consumers.Application, tokens map[string]*djangocompat.User) consumers.Application {
	return consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
		given := s.QueryValues().Get("token")
		s = s.Clone() // what is outside does not see the change
		s.User = new(djangocompat.User)
		for token, user := range tokens {
			if subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1 {
				s.User = user
			}
		}
		return app.Open(ctx, s)
	})
}

// A device that has no cookie shows a token.
func Example_queryToken() {
	app := tokenAuth(greet, map[string]*djangocompat.User{
		"k3yOfTheThermostat": {PK: djangocompat.IntPK(7), Username: "thermostat"},
	})
	for _, query := range []string{"token=k3yOfTheThermostat", "token=guessed", ""} {
		_, err := app.Open(context.Background(), &consumers.Scope{Type: consumers.TypeWebSocket, Query: query})
		fmt.Println(err)
	}
	// Output:
	// hello, thermostat
	// <nil>
	// consumers: connection denied
	// consumers: connection denied
}

// channelAuth gives the events of one channel, which have neither header nor cookie, a user of their own.
func channelAuth(app consumers.Application, workers map[string]*djangocompat.User) consumers.Application {
	return consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
		if s.Type != routing.TypeChannel {
			return app.Open(ctx, s)
		}
		s = s.Clone()
		s.User = workers[s.Path] // nil, who is anonymous, for a channel that is nobody's
		return app.Open(ctx, s)
	})
}

// An event that came over a channel layer is no HTTP request, and has a user all the same.
func Example_channelScope() {
	app := channelAuth(greet, map[string]*djangocompat.User{
		"thumbnails": {PK: djangocompat.IntPK(8), Username: "thumbnailer"},
	})
	for _, channel := range []string{"thumbnails", "elsewhere"} {
		_, err := app.Open(context.Background(), &consumers.Scope{Type: routing.TypeChannel, Path: channel})
		fmt.Println(err)
	}
	// Output:
	// hello, thumbnailer
	// <nil>
	// consumers: connection denied
}
