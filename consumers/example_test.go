package consumers_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/wstest"
)

// ChatMessage is said in a room. Django sends it as {"type": "chat.message", "from": …, "text": …}.
type ChatMessage struct {
	From string `json:"from"`
	Text string `json:"text"`
}

// EventType implements consumers.Event.
func (ChatMessage) EventType() string { return "chat.message" }

// Chat is one visitor in the lobby. Its methods are never called concurrently.
type Chat struct{}

// NewChat makes the consumer of one connection.
func NewChat() *Chat { return new(Chat) }

// Connect lets in whoever is logged in on the Django site.
func (*Chat) Connect(ctx context.Context, c *consumers.Conn) error {
	if !c.Scope().User.IsAuthenticated() {
		return consumers.ErrDenied
	}
	if err := c.GroupAdd(ctx, "lobby"); err != nil {
		return err
	}
	return c.Accept()
}

// Receive tells the lobby what the visitor said.
func (*Chat) Receive(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
	return c.GroupSend(ctx, "lobby", ChatMessage{From: c.Scope().User.Username, Text: m.Text()})
}

// Disconnect has nothing to do: a connection leaves its groups by itself.
func (*Chat) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// chatMessage shows what was said, and who said it is told so.
func (*Chat) chatMessage(_ context.Context, c *consumers.Conn, e ChatMessage) error {
	if e.From == c.Scope().User.Username {
		return c.SendText("you: " + e.Text)
	}
	return c.SendText(e.From + ": " + e.Text)
}

// visit connects a user to an application, for the examples.
func visit(app consumers.Application, layer channellayer.Layer, name string) *wstest.Communicator {
	user := &djangocompat.User{PK: djangocompat.TextPK(name), Username: name}
	c := wstest.New(app, "/ws/", wstest.Config{User: user, Layer: layer})
	if r, err := c.Connect(context.Background()); err != nil || r.Status != http.StatusSwitchingProtocols {
		fmt.Println(name, "was refused:", r.Status, err)
	}
	return c
}

// bye ends connections.
func bye(all ...*wstest.Communicator) {
	for _, c := range all {
		if err := c.Close(context.Background(), consumers.CloseGoingAway); err != nil {
			fmt.Println(err)
		}
	}
}

// A handler of a connection, as in Channels: it is called for each member of the group and may answer each
// in its own way.
func ExampleNew() {
	app := consumers.New(NewChat, consumers.On((*Chat).chatMessage))

	ctx, layer := context.Background(), memlayer.New(memlayer.Config{})
	alice, bob := visit(app, layer, "alice"), visit(app, layer, "bob")
	fmt.Println(alice.SendText("hello"))
	fmt.Println(alice.ReceiveText(ctx))
	fmt.Println(bob.ReceiveText(ctx))
	bye(alice, bob)
	// Output:
	// <nil>
	// you: hello <nil>
	// alice: hello <nil>
}

// One frame for the whole group: the function is called once, however many members there are.
func ExampleOnGroup() {
	app := consumers.New(NewChat, consumers.OnGroup(func(e ChatMessage) (consumers.Message, error) {
		fmt.Println("rendered once")
		return consumers.JSONMessage(e)
	}))

	ctx, layer := context.Background(), memlayer.New(memlayer.Config{})
	alice, bob := visit(app, layer, "alice"), visit(app, layer, "bob")
	fmt.Println(alice.SendText("hello"))
	fmt.Println(bob.ReceiveText(ctx))
	fmt.Println(alice.ReceiveText(ctx))
	bye(alice, bob)
	// Unordered output:
	// <nil>
	// rendered once
	// {"from":"alice","text":"hello"} <nil>
	// {"from":"alice","text":"hello"} <nil>
}

// An event without a Go type, as Django may send it.
func ExampleOnAny() {
	show := func(_ *Chat, _ context.Context, c *consumers.Conn, e channellayer.Event) error {
		return c.SendJSON(e)
	}
	app := consumers.New(NewChat, consumers.OnAny(show))

	ctx, layer := context.Background(), memlayer.New(memlayer.Config{})
	alice := visit(app, layer, "alice")
	fmt.Println(layer.GroupSend(ctx, "lobby", channellayer.Event{"type": "stock.changed", "left": int64(3)}))
	fmt.Println(alice.ReceiveText(ctx))
	bye(alice)
	// Output:
	// <nil>
	// {"left":3,"type":"stock.changed"} <nil>
}

// Point is what a client of Board draws.
type Point struct {
	X int `json:"x"`
	Y int `json:"y"`
}

// Board mirrors points.
type Board struct{}

func (*Board) Connect(_ context.Context, c *consumers.Conn) error { return c.Accept() }

func (*Board) ReceiveJSON(_ context.Context, c *consumers.Conn, p Point) error {
	return c.SendJSON(Point{X: p.Y, Y: p.X})
}

func (*Board) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

func ExampleNewJSON() {
	app := consumers.NewJSON(func() *Board { return new(Board) })

	c := visit(app, nil, "alice")
	fmt.Println(c.SendText(`{"x": 1, "y": 2}`))
	fmt.Println(c.ReceiveText(context.Background()))
	bye(c)
	// Output:
	// <nil>
	// {"x":2,"y":1} <nil>
}

// Greeter takes the subprotocol that it knows, and sets a cookie.
type Greeter struct{}

func (Greeter) Connect(_ context.Context, c *consumers.Conn) error {
	if !slices.Contains(c.Scope().Subprotocols, "greet.v1") {
		return &consumers.Denial{Status: http.StatusBadRequest, Body: []byte("greet.v1 is spoken here\n")}
	}
	cookie := http.Cookie{Name: "greeted", Value: "yes", Path: "/", HttpOnly: true}
	return c.AcceptWith(consumers.Acceptance{
		Subprotocol: "greet.v1",
		Header:      http.Header{"Set-Cookie": {cookie.String()}},
	})
}

func (Greeter) Receive(context.Context, *consumers.Conn, consumers.Message) error { return nil }

func (Greeter) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

func ExampleConn_AcceptWith() {
	app := consumers.New(func() Greeter { return Greeter{} })

	c := wstest.New(app, "/ws/", wstest.Config{Subprotocols: []string{"greet.v2", "greet.v1"}})
	r, err := c.Connect(context.Background())
	fmt.Println(r.Status, r.Subprotocol, r.Header.Get("Set-Cookie"), err)
	bye(c)
	// Output: 101 greet.v1 greeted=yes; Path=/; HttpOnly <nil>
}

func ExampleDenial() {
	app := consumers.New(func() Greeter { return Greeter{} })

	c := wstest.New(app, "/ws/", wstest.Config{})
	r, err := c.Connect(context.Background())
	fmt.Printf("%d %s%v\n", r.Status, r.Body, err)
	// Output:
	// 400 greet.v1 is spoken here
	// <nil>
}

// Clock tells the time until its client goes.
type Clock struct{ interval time.Duration }

func (k Clock) Connect(_ context.Context, c *consumers.Conn) error {
	c.Go(func(ctx context.Context) error {
		ticks := time.NewTicker(k.interval)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
				if err := c.SendText("tick"); err != nil {
					return err
				}
			case <-ctx.Done():
				return nil
			}
		}
	})
	return c.Accept()
}

func (Clock) Receive(context.Context, *consumers.Conn, consumers.Message) error { return nil }

func (Clock) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// What Go starts ends with the connection, which waits for it.
func ExampleConn_Go() {
	app := consumers.New(func() Clock { return Clock{interval: time.Millisecond} })

	c := visit(app, nil, "alice")
	fmt.Println(c.ReceiveText(context.Background()))
	bye(c)
	// Output: tick <nil>
}

// Thumbnail asks a worker, such as Django's runworker, and answers when that has answered.
type Thumbnail struct{}

// Wanted goes to the workers, Made comes back.
type (
	Wanted struct {
		Image   string `json:"image"`
		ReplyTo string `json:"reply_to"`
	}
	Made struct {
		URL string `json:"url"`
	}
)

// EventType implements consumers.Event.
func (Wanted) EventType() string { return "thumbnail.wanted" }

// EventType implements consumers.Event.
func (Made) EventType() string { return "thumbnail.made" }

// Handle leaves the response open.
func (Thumbnail) Handle(ctx context.Context, c *consumers.HTTPConn, _ []byte) error {
	c.FinishAfter(25*time.Second, http.StatusGatewayTimeout)
	image := c.Scope().QueryValues().Get("image")
	return c.SendTo(ctx, "thumbnails", Wanted{Image: image, ReplyTo: c.ChannelName()})
}

func (Thumbnail) made(_ context.Context, c *consumers.HTTPConn, e Made) error {
	return c.SendJSON(http.StatusOK, e)
}

func (Thumbnail) Disconnect(context.Context, *consumers.HTTPConn) error { return nil }

// A long poll: the response is finished by an event.
func ExampleNewHTTP() {
	app := consumers.NewHTTP(func() Thumbnail { return Thumbnail{} }, consumers.On(Thumbnail.made))

	ctx, stop := context.WithCancel(context.Background())
	layer, queue := memlayer.New(memlayer.Config{}), channellayer.NewQueue()
	listened := make(chan error)
	go func() { listened <- layer.Listen(ctx, "thumbnails", queue) }()
	go func() { // the worker
		var w Wanted
		if e, err := queue.Next(ctx); err == nil && e.Decode(&w) == nil {
			_ = layer.Send(ctx, w.ReplyTo, channellayer.Event{"type": "thumbnail.made", "url": "/small/" + w.Image})
		}
	}()
	r := wstest.Request(ctx, app, "GET", "/thumbnail/?image=cat.png", nil, wstest.Config{Layer: layer})
	fmt.Println(r.StatusCode, body(r))
	stop()
	<-listened
	// Output: 200 {"url":"/small/cat.png"}
}

// News is a stream of server-sent events.
type News struct{}

func (News) Handle(_ context.Context, c *consumers.HTTPConn, _ []byte) error {
	if err := c.StartEvents(); err != nil {
		return err
	}
	if c.LastEventID() == "1" { // it was here before
		return c.SendEvent(consumers.ServerSentEvent{ID: "2", Data: "the second"})
	}
	return c.SendEvent(consumers.ServerSentEvent{ID: "1", Type: "news", Data: "two\nlines", Retry: 3 * time.Second})
}

func (News) Disconnect(context.Context, *consumers.HTTPConn) error { return nil }

func ExampleHTTPConn_StartEvents() {
	app := consumers.NewHTTP(func() News { return News{} })

	ctx, leave := context.WithTimeout(context.Background(), 50*time.Millisecond) // a stream stays open
	defer leave()
	r := wstest.Request(ctx, app, "GET", "/news/", nil, wstest.Config{})
	fmt.Println(r.Header.Get("Content-Type"))
	fmt.Println(body(r))
	// Output:
	// text/event-stream; charset=utf-8
	// id: 1
	// event: news
	// retry: 3000
	// data: two
	// data: lines
}

func ExampleHandler() {
	app := consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := consumers.ScopeFrom(r.Context()).User
		_, _ = fmt.Fprintf(w, "hello %s", user.Username) // the client may have gone
	}))

	user := &djangocompat.User{PK: djangocompat.TextPK("alice"), Username: "alice"}
	r := wstest.Request(context.Background(), app, "GET", "/hello/", nil, wstest.Config{User: user})
	fmt.Println(r.StatusCode, body(r))
	// Output: 200 hello alice
}

// For clients that compare bytes with what Django's consumers send.
func ExamplePythonJSON() {
	m, err := consumers.PythonJSON(ChatMessage{From: "zoë", Text: "hi"})
	fmt.Println(m.Text(), err)
	// Output: {"from": "zo\u00eb", "text": "hi"} <nil>
}

// body returns a response's body, for the examples.
func body(r *http.Response) string {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}
