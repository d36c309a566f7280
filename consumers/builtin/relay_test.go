package builtin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/consumers/builtin"
	"github.com/belleville/belleville/djangocompat"
)

// chat is the relay of design.md's example.
func chat() builtin.RelayConfig {
	return builtin.RelayConfig{
		Groups:  []string{"chat_{room}", "user_{user.pk}"},
		Publish: "chat.message",
		Stamp:   []string{"user.username"},
	}
}

func TestRelayPublishes(t *testing.T) {
	tests := []struct {
		name string
		user *djangocompat.User
		said string
		want string
	}{
		{"a message reaches the room with who said it", alice(), `{"message":"hi"}`, `{"message":"hi","user.username":"alice"}`},
		{"nobody says who said it", alice(), `{"user.username":"root"}`, `{"user.username":"alice"}`},
		{"a client sets no type", alice(), `{"type":"websocket.close","a":1}`, `{"a":1,"user.username":"alice"}`},
		{"a client sets no reserved key", alice(), `{"__asgi_channel__":["x"],"__x":1,"_y":2}`, `{"_y":2,"user.username":"alice"}`},
		{"a visitor's name is empty", nil, `{}`, `{"user.username":""}`},
		{"numbers and texts stay what they are", alice(), `{"a":[1,1.5,null,true],"b":"ü"}`, `{"a":[1,1.5,null,true],"b":"ü","user.username":"alice"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			layer := newLayer()
			app := builtin.Relay(chat())
			speaker, _ := visit(t, app, inRoom("lobby", tt.user, layer))
			listener, _ := visit(t, app, inRoom("lobby", nil, layer))
			stranger, _ := visit(t, app, inRoom("attic", nil, layer))
			speaker.says(tt.said)
			speaker.hears("1 " + tt.want)
			listener.hears("1 " + tt.want)
			if len(stranger.heard) > 0 {
				t.Error("another room heard it")
			}
		})
	}
}

func TestRelayStamps(t *testing.T) {
	user := alice()
	user.IsStaff = true
	user.Extra = map[string]any{"team": "blue", "rank": int32(3)}
	c := chat()
	c.Stamp = []string{"user.pk", "user.is_staff", "user.team", "user.rank", "user.none", "room", "0"}
	layer := newLayer()
	v, _ := visit(t, builtin.Relay(c), inRoom("lobby", user, layer))
	v.says(`{}`)
	v.hears(`1 {"0":null,"room":"lobby","user.is_staff":true,"user.none":null,"user.pk":7,"user.rank":3,"user.team":"blue"}`)

	v, _ = visit(t, builtin.Relay(c), inRoom("attic", nil, layer))
	v.says(`{}`)
	v.hears(`1 {"0":null,"room":"attic","user.is_staff":false,"user.none":null,"user.pk":null,"user.rank":null,"user.team":null}`)
}

func TestRelayRefusesMessages(t *testing.T) {
	silent := chat()
	silent.Publish = ""
	own := chat()
	own.Groups = []string{"user_{user.pk}", "chat_{room}"}
	tests := []struct {
		name   string
		config builtin.RelayConfig
		said   consumers.Message
		want   string
	}{
		{"without publish", silent, consumers.TextMessage(`{}`), "1008 this route takes no messages"},
		{"without publish, whatever is said", silent, consumers.BinaryMessage([]byte{1}), "1008 this route takes no messages"},
		{"where the first group is left out", own, consumers.TextMessage(`{}`), "1008 this route takes no messages"},
		{"that are binary", chat(), consumers.BinaryMessage([]byte(`{}`)), "1003 binary messages are not understood"},
		{"that are no JSON", chat(), consumers.TextMessage(`{"a":}`), "1007 not a JSON object"},
		{"that are no object", chat(), consumers.TextMessage(`["a"]`), "1007 not a JSON object"},
		{"that are empty", chat(), consumers.TextMessage(``), "1007 not a JSON object"},
		{"that are no UTF-8", chat(), consumers.TextMessage("{\"a\":\"\xff\"}"), "1007 not a JSON object"},
		{"that hold too many values", chat(), consumers.TextMessage(`{"a":[` + strings.Repeat("0,", 1<<20) + `0]}`), "1009 too many values"},
		{"that hold too many objects", chat(), consumers.TextMessage(`{"a":[` + strings.Repeat("{},", 1<<16) + `0]}`), "1009 too many values"},
		{"that are too deep", chat(), consumers.TextMessage(`{"a":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`), "1007 not a JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			layer := newLayer()
			v, status := visit(t, builtin.Relay(tt.config), inRoom("lobby", nil, layer))
			if status != 101 {
				t.Fatalf("status = %d, want 101", status)
			}
			listener, _ := visit(t, builtin.Relay(chat()), inRoom("lobby", nil, layer))
			v.socket.Message(tt.said)
			v.says(`{"after":"it was closed"}`)
			v.hears("closed " + tt.want)
			listener.says(`{"next":1}`)
			listener.hears(`1 {"next":1,"user.username":""}`)
		})
	}
}

func TestRelayGroups(t *testing.T) {
	withEmail := alice()
	withEmail.Email = "a@example.com"
	uuid := djangocompat.UUIDPK([16]byte{0xab, 15: 1})
	tests := []struct {
		name   string
		groups []string
		room   string
		user   *djangocompat.User
		status int
		in     string
	}{
		{"a value of the path", []string{"chat_{room}"}, "a.b-c_1", nil, 101, "chat_a.b-c_1"},
		{"a key of the user", []string{"user_{user.pk}"}, "", alice(), 101, "user_7"},
		{"a key that is a UUID", []string{"user_{user.pk}"}, "", &djangocompat.User{PK: uuid}, 101, "user_ab000000-0000-0000-0000-000000000001"},
		{"two values", []string{"{user.username}.{room}.x"}, "r", alice(), 101, "alice.r.x"},
		{"a fixed name", []string{"news"}, "", nil, 101, "news"},
		{"of a visitor without a key it is left out", []string{"user_{user.pk}", "news"}, "", nil, 101, "news"},
		{"of a user without an address it is left out", []string{"mail_{user.email}", "news"}, "", alice(), 101, "news"},
		{"a value that the path has not is left out", []string{"x_{other}", "news"}, "", nil, 101, "news"},
		{"an argument that there is not is left out", []string{"x_{0}", "news"}, "", nil, 101, "news"},
		{"a slash is no part of a name", []string{"chat_{room}"}, "a/b", nil, 403, ""},
		{"a letter beyond ASCII is no part of a name", []string{"chat_{room}"}, "ä", nil, 403, ""},
		{"nothing is no part of a name", []string{"chat_{room}"}, "", nil, 403, ""},
		{"a newline is no part of a name", []string{"chat_{room}"}, "a\n", nil, 403, ""},
		{"99 characters are a name", []string{"c{room}"}, strings.Repeat("x", 98), nil, 101, "c" + strings.Repeat("x", 98)},
		{"100 are too many", []string{"c{room}"}, strings.Repeat("x", 99), nil, 403, ""},
		{"an address has an @", []string{"mail_{user.email}"}, "", withEmail, 403, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			layer := newLayer()
			v, status := visit(t, builtin.Relay(builtin.RelayConfig{Groups: tt.groups}), inRoom(tt.room, tt.user, layer))
			if status != tt.status {
				t.Fatalf("status = %d, want %d", status, tt.status)
			}
			if tt.in == "" {
				return
			}
			send(t, layer, tt.in, channellayer.Event{"type": "ping", "n": int64(1)})
			v.hears(`1 {"n":1}`)
		})
	}
}

// send sends an event as Django would.
func send(t *testing.T, l channellayer.Layer, group string, e channellayer.Event) {
	t.Helper()
	if err := l.GroupSend(t.Context(), group, e); err != nil {
		t.Fatal(err)
	}
}

func TestRelayShowsEvents(t *testing.T) {
	tests := []struct {
		name  string
		event channellayer.Event
		want  string // with its kind
	}{
		{"without their type", channellayer.Event{"type": "a.b", "x": []any{nil, 1.0}}, `1 {"x":[null,1.0]}`},
		{"also one that has nothing else", channellayer.Event{"type": "a"}, `1 {}`},
		{"a text as it is", channellayer.Event{"type": "websocket.send", "text": "hi", "bytes": nil}, `1 hi`},
		{"an empty text too", channellayer.Event{"type": "websocket.send", "text": ""}, `1 `},
		{"bytes as they are", channellayer.Event{"type": "websocket.send", "text": nil, "bytes": []byte{0, 255}}, "2 \x00\xff"},
		{"the text where there are both", channellayer.Event{"type": "websocket.send", "text": "t", "bytes": []byte("b")}, `1 t`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			layer := newLayer()
			v, _ := visit(t, builtin.Relay(chat()), inRoom("lobby", nil, layer))
			send(t, layer, "chat_lobby", tt.event)
			v.hears(tt.want)
		})
	}
}

func TestRelayDropsASendOfNothing(t *testing.T) {
	layer := newLayer()
	v, _ := visit(t, builtin.Relay(chat()), inRoom("lobby", nil, layer))
	send(t, layer, "chat_lobby", channellayer.Event{"type": "websocket.send", "text": int64(1)})
	send(t, layer, "chat_lobby", channellayer.Event{"type": "websocket.send"})
	send(t, layer, "chat_lobby", channellayer.Event{"type": "next"})
	v.hears(`1 {}`)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.reported) != 2 {
		t.Errorf("reported %v, want two dropped events", v.reported)
	}
}

func TestRelayCloses(t *testing.T) {
	tests := []struct {
		name  string
		event channellayer.Event
		want  string
	}{
		{"with 1000", channellayer.Event{"type": "websocket.close"}, "1000 "},
		{"with the code and the reason", channellayer.Event{"type": "websocket.close", "code": int64(4401), "reason": "bye"}, "4401 bye"},
		{"with 1011 where the code is reserved", channellayer.Event{"type": "websocket.close", "code": int64(1006)}, "1011 "},
		{"with 1011 where the code is out of range", channellayer.Event{"type": "websocket.close", "code": int64(66536)}, "1011 "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			layer := newLayer()
			v, _ := visit(t, builtin.Relay(chat()), inRoom("lobby", nil, layer))
			send(t, layer, "chat_lobby", tt.event)
			v.hears("closed " + tt.want)
			v.says(`{}`)
			listener, _ := visit(t, builtin.Relay(chat()), inRoom("lobby", nil, layer))
			listener.says(`{"n":1}`)
			listener.hears(`1 {"n":1,"user.username":""}`)
		})
	}
}

func TestRelayLeaves(t *testing.T) {
	layer := newLayer()
	v, _ := visit(t, builtin.Relay(chat()), inRoom("lobby", alice(), layer))
	v.socket.Disconnect(consumers.CloseNormal)
	<-v.ended
	send(t, layer, "chat_lobby", channellayer.Event{"type": "x"})
	send(t, layer, "user_7", channellayer.Event{"type": "x"})
	if n := len(v.heard); n != 0 {
		t.Errorf("%d messages after the end, want none", n)
	}
}

func TestRelayNeedsALayerForGroups(t *testing.T) {
	v, status := visit(t, builtin.Relay(chat()), inRoom("lobby", nil, nil))
	if status != 500 || len(v.reported) != 1 {
		t.Errorf("status = %d, reported %v; want 500 and one error", status, v.reported)
	}
	if _, status := visit(t, builtin.Relay(builtin.RelayConfig{}), inRoom("lobby", nil, nil)); status != 101 {
		t.Errorf("without groups: status = %d, want 101", status)
	}
}

func TestRelayPanics(t *testing.T) {
	tests := []struct {
		name   string
		config builtin.RelayConfig
		want   string
	}{
		{"a brace is open", builtin.RelayConfig{Groups: []string{"a{b"}}, "builtin: a { is not closed"},
		{"a stamp is no name", builtin.RelayConfig{Stamp: []string{"a b"}}, `builtin: "a b" is no name of a value`},
		{"nothing to publish to", builtin.RelayConfig{Publish: "a"}, "builtin: there is no group to publish to"},
		{"clients would command", builtin.RelayConfig{Groups: []string{"a"}, Publish: "websocket.close"}, "builtin: events of type websocket.… tell the server what to do, which is not for clients"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if got := recover(); got != tt.want {
					t.Errorf("panicked with %v, want %v", got, tt.want)
				}
			}()
			builtin.Relay(tt.config)
		})
	}
}

func TestEcho(t *testing.T) {
	v, status := visit(t, builtin.Echo(), consumers.Scope{})
	if status != 101 {
		t.Fatalf("status = %d, want 101", status)
	}
	for _, m := range []consumers.Message{consumers.TextMessage("é"), consumers.TextMessage(""), consumers.BinaryMessage([]byte{0, 1})} {
		v.socket.Message(m)
		v.hears(fmt.Sprintf("%d %s", m.Kind, m.Data))
	}
}

func TestWhoAmI(t *testing.T) {
	full := &djangocompat.User{
		PK: djangocompat.TextPK("a&b"), Username: "alice", FirstName: "Alice", LastName: "Éluard", Email: "a@example.com",
		IsActive: true, IsStaff: true, IsSuperuser: true, Backend: "django.contrib.auth.backends.ModelBackend",
		Extra: map[string]any{"salary": 1},
	}
	tests := []struct {
		name string
		user *djangocompat.User
		want string
	}{
		{"nobody is described as nobody", nil, `{"is_authenticated":false,"pk":null,"username":"","is_active":false,"is_staff":false,"is_superuser":false}`},
		{"a key is a number where it is one", alice(), `{"is_authenticated":true,"pk":7,"username":"alice","is_active":true,"is_staff":false,"is_superuser":false}`},
		{"everything but further columns", full, `{"is_authenticated":true,"pk":"a&b","username":"alice","first_name":"Alice","last_name":"Éluard","email":"a@example.com","is_active":true,"is_staff":true,"is_superuser":true,"backend":"django.contrib.auth.backends.ModelBackend"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, _ := visit(t, builtin.WhoAmI(), consumers.Scope{User: tt.user})
			v.hears("1 " + tt.want)
			v.hears("closed 1000 ")
		})
	}
}
