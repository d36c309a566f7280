package builtin_test

import (
	"context"
	"fmt"

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
