package broker_test

import (
	"context"
	"fmt"
	"net"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/broker"
	"github.com/belleville/belleville/channellayer/redislayer"
)

// A site names the broker in the hosts of its channel layer; here another Belleville does.
func ExampleNew() {
	ctx := context.Background()
	ours, err := broker.New(broker.Config{Password: "sesame"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ours.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = ours.Serve(ctx, listener) }() // it ends with Close
	inbox := channellayer.NewQueue()
	name, _ := ours.NewChannel(ctx, inbox)
	_ = ours.GroupAdd(ctx, "room", name)

	host, _ := redislayer.ParseHost("redis://:sesame@" + listener.Addr().String())
	other, err := redislayer.New(ctx, redislayer.Config{Hosts: []redislayer.Host{host}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer other.Close()
	_ = other.GroupSend(ctx, "room", channellayer.Event{"type": "chat.message", "text": "hello"})
	e, _ := inbox.Next(ctx)
	fmt.Println(e["text"])
	// Output: hello
}
