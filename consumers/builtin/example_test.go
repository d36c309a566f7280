package builtin_test

import (
	"context"
	"fmt"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers/builtin"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/routing"
	"github.com/belleville/belleville/wstest"
)

func ExampleRelay() {
	ctx := context.Background()
	app := routing.URLRouter{
		routing.Path("ws/chat/<slug:room>/", builtin.Relay(builtin.RelayConfig{
			Groups:  []string{"chat_{room}", "user_{user.pk}"},
			Publish: "chat.message",
			Stamp:   []string{"user.username"},
		})),
	}
	alice := wstest.New(app, "/ws/chat/lobby/", wstest.Config{
		User:  &djangocompat.User{PK: djangocompat.IntPK(7), Username: "alice"},
		Layer: memlayer.New(memlayer.Config{}),
	})
	r, err := alice.Connect(ctx)
	fmt.Println(r.Status, err)
	_ = alice.SendText(`{"message": "hi", "user.username": "root"}`)
	fmt.Println(alice.ReceiveText(ctx))
	// Output:
	// 101 <nil>
	// {"message":"hi","user.username":"alice"} <nil>
}

func ExampleWhoAmI() {
	ctx := context.Background()
	visitor := wstest.New(builtin.WhoAmI(), "/ws/whoami/", wstest.Config{})
	_, _ = visitor.Connect(ctx)
	fmt.Println(visitor.ReceiveText(ctx))
	// Output:
	// {"is_authenticated":false,"pk":null,"username":"","is_active":false,"is_staff":false,"is_superuser":false} <nil>
}

func ExampleParseQuery() {
	q, err := builtin.ParseQuery("SELECT 1 FROM chat_member WHERE room = {room} AND user_id = {user.pk}", builtin.Postgres)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(q.SQL())
	fmt.Println(q.Names())

	_, err = builtin.ParseQuery("SELECT 1 FROM chat_member WHERE room = '{room}'", builtin.Postgres)
	fmt.Println(err)
	// Output:
	// SELECT 1 FROM chat_member WHERE room = $1 AND user_id = $2
	// [room user.pk]
	// builtin: {room} stands inside quotes, where it is not bound: take the quotes away
}

func ExampleCheckGroup() {
	names, err := builtin.CheckGroup("chat_{room}")
	fmt.Println(names, err)

	_, err = builtin.CheckGroup("chat {room}")
	fmt.Println(err)
	// Output:
	// [room] <nil>
	// builtin: a group's name has at most 99 letters, digits, hyphens, underscores and periods
}

func ExampleBridge() {
	ctx := context.Background()
	layer := memlayer.New(memlayer.Config{}) // where the worker is a Go program; Django's is on Redis or Postgres
	listening, stop := context.WithCancel(ctx)
	defer stop()
	worker := channellayer.NewQueue()
	go func() { _ = layer.Listen(listening, "rooms", worker) }()
	go func() { // what docs/bridge.md does in Python
		connect, err := worker.Next(ctx)
		if err != nil {
			return
		}
		reply := connect["reply_channel"].(string)
		_ = layer.Send(ctx, reply, channellayer.Event{"type": "websocket.accept"})
		_ = layer.Send(ctx, reply, channellayer.Event{"type": "websocket.send", "text": "welcome to " + connect["path"].(string)})
	}()
	visitor := wstest.New(builtin.Bridge("rooms", builtin.BridgeConfig{}), "/ws/rooms/lobby/", wstest.Config{Layer: layer})
	r, err := visitor.Connect(ctx)
	fmt.Println(r.Status, err)
	fmt.Println(visitor.ReceiveText(ctx))
	// Output:
	// 101 <nil>
	// welcome to /ws/rooms/lobby/ <nil>
}
