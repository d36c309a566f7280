package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/pgtest"
)

// freePort returns a port of 127.0.0.1 that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func TestASiteNeedsNoRedis(t *testing.T) {
	for _, backend := range []string{
		"channels_redis.core.RedisChannelLayer", "channels_redis.pubsub.RedisPubSubChannelLayer",
	} {
		t.Run(backend, func(t *testing.T) { sharesTheBroker(t, backend) })
	}
}

// sharesTheBroker has an unmodified Django, with consumers of its own, talk through Belleville's broker.
func sharesTheBroker(t *testing.T, backend string) {
	t.Helper()
	url := pgtest.Open(t).URL()
	port := freePort(t)
	site := djangotest.Start(t, url, djangotest.Config{SecretKey: siteKey, Env: []string{
		"CHANNEL_LAYER_URL=redis://:sesame@127.0.0.1:" + port + "/0", "CHANNEL_LAYER=" + backend,
	}})
	layer := []string{
		"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=" + backend,
		"BELLEVILLE_CHANNEL_LAYERS_BROKER_LISTEN=127.0.0.1:" + port,
		"BELLEVILLE_CHANNEL_LAYERS_BROKER_PASSWORD=sesame",
	}
	b := startBelleville(t, url, layer...)
	ws, _ := b.dial(t, "/ws/chat/lobby/", "")
	hears := func(want string) {
		t.Helper()
		if _, got, err := ws.Read(t.Context()); err != nil || string(got) != want {
			t.Errorf("read %s, %v, want %s", got, err, want)
		}
	}
	say := func(text string) {
		t.Helper()
		if err := ws.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, `{"message":%q}`, text)); err != nil {
			t.Fatal(err)
		}
		hears(fmt.Sprintf(`{"message":%q}`, text))
	}
	say("I am here") // a socket that has heard its own words is a member

	site.Shell(t, "from asgiref.sync import async_to_sync\nfrom channels.layers import get_channel_layer\n"+
		"async_to_sync(get_channel_layer().group_send)('chat_lobby', {'type': 'chat.message', 'message': 'from Django'})")
	hears(`{"message":"from Django"}`)

	environ := append([]string{"BELLEVILLE_DJANGO_DATABASE_URL=" + pgtest.Restricted(t, url), "BELLEVILLE_DJANGO_SECRET_KEY=" + siteKey, "BELLEVILLE_DJANGO_DEBUG=true"}, layer...)
	sent := runWith(t, environ, "", "group-send", "chat_lobby", `{"type": "chat.message", "message": "from a shell"}`)
	if sent.code != 0 {
		t.Fatalf("group-send: %+v", sent)
	}
	hears(`{"message":"from a shell"}`)
	if strings.HasSuffix(backend, ".RedisChannelLayer") { // the other form has no groups to look at
		if got := runWith(t, environ, "", "layer", "groups"); !strings.Contains(got.out, "chat_lobby") {
			t.Errorf("layer groups: %+v", got)
		}
	}
	answered := make(chan error, 1)
	go func() {
		_, _, err := ws.Read(t.Context())
		answered <- errors.Join(err, ws.Write(t.Context(), websocket.MessageText, []byte(`{"message":"from Go"}`)))
	}()
	if got := site.Shell(t, pythonsConsumer); !strings.Contains(got, "from Python, from Go") {
		t.Errorf("Django's consumer heard %q, want what it said and what the socket in Go answered", got)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// pythonsConsumer opens the example's consumer under Channels, speaks in the room and prints what is heard there.
const pythonsConsumer = `
import asyncio, json
from asgiref.testing import ApplicationCommunicator
from chat.consumers import ChatConsumer

class Visitor:
    is_authenticated = True

async def chat():
    scope = {"type": "websocket", "path": "/ws/chat/lobby/", "user": Visitor(), "url_route": {"kwargs": {"room": "lobby"}}}
    c = ApplicationCommunicator(ChatConsumer.as_asgi(), scope)
    await c.send_input({"type": "websocket.connect"})
    assert (await c.receive_output(timeout=20))["type"] == "websocket.accept"
    await c.send_input({"type": "websocket.receive", "text": json.dumps({"message": "from Python"})})
    heard = [json.loads((await c.receive_output(timeout=20))["text"])["message"] for _ in range(2)]
    await c.send_input({"type": "websocket.disconnect", "code": 1000})
    await c.wait(timeout=20)
    return ", ".join(heard)

print(asyncio.run(chat()))
`
