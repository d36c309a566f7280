package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/internal/parts"
)

// TestLayerCommandsOnTheBroker has the commands reach the broker of a Belleville that serves.
func TestLayerCommandsOnTheBroker(t *testing.T) {
	port, err := parts.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	layer := fmt.Sprintf("\n[channel_layers.default]\nbackend = %q\n[channel_layers.broker]\nlisten = \"127.0.0.1:%d\"\n", coreForm, port)
	path := configuration(t, djangoDatabase(t), "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n", layer)
	s := serve(t, path)
	ws, status := s.open(t, s.addr, "/ws/chat/lobby/", testOrigin, aliceCookie)
	if ws == nil {
		t.Fatalf("status %d", status)
	}
	lines := tail(t, nil, "1", "chat_lobby", "--config", path)
	if got := run(t, "", "group-send", "--config", path, "chat_lobby", `{"type":"chat.message","message":"hi"}`); got != (typed{}) {
		t.Errorf("group-send: got %+v, want silence", got)
	}
	if got := lines(); len(got) != 1 || !strings.Contains(got[0], `"hi"`) {
		t.Errorf("tail showed %q", got)
	}
	if got := run(t, "", "layer", "canary", "--config", path, "-n", "2"); got.code != 0 {
		t.Errorf("canary: got %+v", got)
	}
	if _, got, err := ws.Read(t.Context()); err != nil || string(got) != `{"message":"hi"}` {
		t.Errorf("the socket read %s, %v", got, err)
	}
	for _, form := range []string{coreForm, pubSubForm} { // the broker is both
		var groups []channellayer.GroupReport
		env := []string{"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=" + form}
		reported(t, env, &groups, "layer", "groups", "--json", "--config", path)
		if len(groups) != 2 || groups[0].Group != "chat_lobby" || groups[0].Members != 1 {
			t.Errorf("%s: groups: got %+v, want the two of the socket", form, groups)
		}
	}
}
