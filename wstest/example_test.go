package wstest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/wstest"
)

// Said is what someone said in the lobby.
type Said struct {
	By   string `json:"by"`
	Text string `json:"text"`
}

// EventType implements consumers.Event.
func (Said) EventType() string { return "lobby.said" }

// Lobby is a room for all who are logged in.
type Lobby struct{}

func (*Lobby) Connect(ctx context.Context, c *consumers.Conn) error {
	if !c.Scope().User.IsAuthenticated() {
		return consumers.ErrDenied
	}
	if err := c.GroupAdd(ctx, "lobby"); err != nil {
		return err
	}
	return c.Accept()
}

func (*Lobby) Receive(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
	return c.GroupSend(ctx, "lobby", Said{By: c.Scope().User.Username, Text: m.Text()})
}

func (*Lobby) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

func (*Lobby) said(_ context.Context, c *consumers.Conn, e Said) error {
	return c.SendText(e.By + ": " + e.Text)
}

func ExampleCommunicator() {
	ctx := context.Background()
	app := consumers.New(func() *Lobby { return new(Lobby) }, consumers.On((*Lobby).said))
	layer := memlayer.New(memlayer.Config{})
	join := func(name string) *wstest.Communicator {
		user := &djangocompat.User{PK: djangocompat.TextPK(name), Username: name}
		c := wstest.New(app, "/ws/lobby/", wstest.Config{User: user, Layer: layer})
		r, err := c.Connect(ctx)
		fmt.Println(name, r.Status, err)
		return c
	}
	alice, bob := join("alice"), join("bob")
	_ = alice.SendText("hello")
	fmt.Println(bob.ReceiveText(ctx))
	fmt.Println(alice.Close(ctx, consumers.CloseGoingAway), bob.Close(ctx, consumers.CloseGoingAway))

	stranger := wstest.New(app, "/ws/lobby/", wstest.Config{Layer: layer})
	r, _ := stranger.Connect(ctx)
	fmt.Println("stranger", r.Status)

	// Output:
	// alice 101 <nil>
	// bob 101 <nil>
	// alice: hello <nil>
	// <nil> <nil>
	// stranger 403
}

// Guestbook is an HTTP consumer.
type Guestbook struct{}

func (Guestbook) Handle(_ context.Context, c *consumers.HTTPConn, body []byte) error {
	if c.Request().Method != http.MethodPost {
		return &consumers.Denial{Status: http.StatusMethodNotAllowed, Header: http.Header{"Allow": {"POST"}}}
	}
	return c.SendJSON(http.StatusCreated, map[string]string{"name": string(body)})
}

func (Guestbook) Disconnect(context.Context, *consumers.HTTPConn) error { return nil }

func ExampleRequest() {
	app := consumers.NewHTTP(func() Guestbook { return Guestbook{} })
	for _, method := range []string{"POST", "GET"} {
		r := wstest.Request(context.Background(), app, method, "/guests/", []byte("alice"), wstest.Config{})
		text, err := io.ReadAll(r.Body)
		fmt.Println(r.StatusCode, r.Header.Get("Allow"), string(text), err)
	}

	// Output:
	// 201  {"name":"alice"} <nil>
	// 405 POST Method Not Allowed
	//  <nil>
}
