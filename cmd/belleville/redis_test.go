package main

import (
	"fmt"
	"testing"

	"github.com/coder/websocket"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/internal/redistest"
)

func TestDjangosGroupSendReachesTheSockets(t *testing.T) {
	for _, backend := range []string{
		"channels_redis.core.RedisChannelLayer", "channels_redis.pubsub.RedisPubSubChannelLayer",
	} {
		t.Run(backend, func(t *testing.T) { groupSendReachesSockets(t, backend) })
	}
}

// groupSendReachesSockets has Django speak over one layer.
func groupSendReachesSockets(t *testing.T, backend string) {
	t.Helper()
	redis := fmt.Sprintf("redis://127.0.0.1:%d/0", redistest.Open(t).Port())
	url := pgtest.Open(t).URL()
	site := djangotest.Start(t, url, djangotest.Config{
		SecretKey: siteKey, Env: []string{"CHANNEL_LAYER_URL=" + redis, "CHANNEL_LAYER=" + backend},
	})
	b := startBelleville(t, url,
		"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND="+backend,
		"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_HOSTS="+redis)
	eventually(t, "ready", func() bool { status, _ := b.ready(t); return status == 200 })
	one, _ := b.dial(t, "/ws/chat/lobby/", "")
	two, _ := b.dial(t, "/ws/chat/lobby/", "")
	other, _ := b.dial(t, "/ws/chat/elsewhere/", "")
	hears := func(ws *websocket.Conn, want string) {
		t.Helper()
		if _, got, err := ws.Read(t.Context()); err != nil || string(got) != want {
			t.Errorf("read %s, %v, want %s", got, err, want)
		}
	}
	send := func(group, event string) {
		t.Helper()
		site.Shell(t, "from asgiref.sync import async_to_sync\nfrom channels.layers import get_channel_layer\n"+
			"async_to_sync(get_channel_layer().group_send)('"+group+"', "+event+")")
	}
	// A socket that has heard its own words is a member.
	for _, ws := range []*websocket.Conn{one, two, other} {
		if err := ws.Write(t.Context(), websocket.MessageText, []byte(`{"message":"I am here"}`)); err != nil {
			t.Fatal(err)
		}
		hears(ws, `{"message":"I am here"}`)
	}
	hears(one, `{"message":"I am here"}`) // what two said
	hears(two, `{"message":"I am here"}`) // what one said

	send("chat_lobby", `{'type': 'chat.message', 'message': 'grüße from Django', 'n': [1, 2.0, None, True]}`)
	hears(one, `{"message":"grüße from Django","n":[1,2.0,null,true]}`)
	hears(two, `{"message":"grüße from Django","n":[1,2.0,null,true]}`)
	send("chat_elsewhere", `{'type': 'websocket.close', 'code': 4002}`)
	if _, _, err := other.Read(t.Context()); websocket.CloseStatus(err) != 4002 {
		t.Errorf("the other room: %v, want a close with 4002", err)
	}
}
