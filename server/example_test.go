package server_test

import (
	"context"
	"fmt"
	"log"

	"github.com/coder/websocket"

	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
)

// Greeter greets whoever says a name.
type Greeter struct{}

// Connect lets everybody in.
func (*Greeter) Connect(_ context.Context, c *consumers.Conn) error { return c.Accept() }

// Receive greets.
func (*Greeter) Receive(_ context.Context, c *consumers.Conn, m consumers.Message) error {
	return c.SendText("Hello, " + m.Text())
}

// Disconnect has nothing to do.
func (*Greeter) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

func ExampleServer_Serve() {
	l, err := server.Listen("127.0.0.1:0") // or ":8001", "unix:/run/belleville.sock", "fd:3"
	if err != nil {
		log.Fatal(err)
	}
	app := consumers.New(func() *Greeter { return new(Greeter) })
	srv := server.New(app, memlayer.New(memlayer.Config{}), server.Config{})
	ctx, drain := context.WithCancel(context.Background()) // signal.NotifyContext, in a program
	served := make(chan error)
	go func() { served <- srv.Serve(ctx, l) }()

	ws, _, err := websocket.Dial(ctx, "ws://"+l.Addr().String()+"/", nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := ws.Write(ctx, websocket.MessageText, []byte("Django")); err != nil {
		log.Fatal(err)
	}
	_, answer, err := ws.Read(ctx)
	fmt.Println(string(answer), err)

	drain()
	_, _, err = ws.Read(context.Background())
	fmt.Println(websocket.CloseStatus(err) == websocket.StatusServiceRestart, <-served)
	// Output:
	// Hello, Django <nil>
	// true <nil>
}
