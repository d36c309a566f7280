package token_test

import (
	"context"
	"fmt"

	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// everybody is a store that knows every id.
type everybody struct{ token.Users }

// UserByField implements token.Users.
func (everybody) UserByField(_ context.Context, _ string, id any, backend string) (sessionstore.TokenUser, error) {
	return sessionstore.TokenUser{User: &djangocompat.User{
		PK: djangocompat.TextPK(fmt.Sprint(id)), Username: fmt.Sprint("user ", id), IsActive: true, Backend: backend,
	}}, nil
}

// A Django view mints a ticket with signing.dumps(request.user.pk, salt="belleville.ticket"); the page opens
// new WebSocket("wss://…/ws/?ticket=" + ticket).
func Example() {
	keys := djangocompat.NewKeys("the site's SECRET_KEY")
	var users token.Users = everybody{} // a *sessionstore.Store
	tickets, err := token.NewTickets(users, keys, token.TicketConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	tokens, err := token.New([]token.Scheme{
		{Name: "ticket", Verifier: tickets, Sources: []token.Source{token.Query}, Query: "ticket"},
	}, token.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	app := tokens.Wrap(consumers.ApplicationFunc(func(_ context.Context, s *consumers.Scope) (consumers.Instance, error) {
		fmt.Printf("%s, by %v; query %q\n", s.User.Username, token.Of(s).Source, s.Query)
		return nil, consumers.ErrDenied
	}))
	minted, _ := djangocompat.Dumps(keys, 7, djangocompat.Plain, djangocompat.SignerConfig{Salt: "belleville.ticket"}) // it is JSON
	open := func() error {
		_, err := app.Open(context.Background(), &consumers.Scope{Type: consumers.TypeWebSocket, Query: "room=a&ticket=" + minted})
		return err
	}
	_ = open()
	fmt.Println(consumers.DenialOf(open()).Status) // the second time
	// Output:
	// user 7, by query; query "room=a"
	// 401
}

// A consumer that asks what the token says.
func ExampleClaims() {
	var s consumers.Scope
	if room, ok := token.Claims(&s)["room"].(string); ok {
		fmt.Println("the token is for", room)
	} else {
		fmt.Println("known by a session, or not at all")
	}
	// Output: known by a session, or not at all
}
