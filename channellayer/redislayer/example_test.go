package redislayer_test

import (
	"context"
	"fmt"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/redislayer"
)

func ExampleParseHost() {
	for _, v := range []any{"redis://:secret@cache:6380/1", []any{"cache", int64(6379)}, "unix:///run/redis.sock"} {
		h, err := redislayer.ParseHost(v)
		fmt.Println(h, err)
	}
	// Output:
	// redis://cache:6380 <nil>
	// redis://cache:6379 <nil>
	// unix:///run/redis.sock <nil>
}

func ExampleNew() {
	ctx := context.Background()
	layer, err := redislayer.New(ctx, redislayer.Config{Hosts: []redislayer.Host{{Address: "localhost:6379"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer layer.Close()
	err = layer.GroupSend(ctx, "chat.lobby", channellayer.Event{"type": "chat.message", "text": "hello"})
	fmt.Println(err)
}

func ExampleNewPubSub() {
	ctx := context.Background()
	layer, err := redislayer.NewPubSub(ctx, redislayer.Config{OnReconnect: "redis.reconnect"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer layer.Close()
	fmt.Println(layer.Ready(ctx))
}
