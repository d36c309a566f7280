package redislayer_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/redistest"
)

// startJSONPeer starts testdata/jsonpeer.py.
func startJSONPeer(t *testing.T, url string) *peer {
	t.Helper()
	if err := exec.Command(python, "-c", "import redis").Run(); err != nil {
		parts.Need(t, "redis-py", fmt.Errorf("%w: redis for %s (Debian's package python3-redis)", parts.ErrMissing, python))
	}
	cmd := exec.Command(python, "testdata/jsonpeer.py", url)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	process, err := parts.Start(parts.Account{}, cmd)
	must(t, err)
	t.Cleanup(func() { _ = process.Kill() }) // it may have ended
	answers := bufio.NewScanner(stdout)
	answers.Buffer(nil, 8<<20)
	return &peer{T: t, orders: json.NewEncoder(stdin), answers: answers}
}

// TestJSONPeer shares groups and channels with a site whose serializer_format is "json".
func TestJSONPeer(t *testing.T) {
	server := redistest.Open(t)
	ours := open(t, redislayer.Config{Hosts: hosts(t, server), SerializerFormat: redislayer.JSON})
	django := startJSONPeer(t, server.URL())
	name, q := channel(t, ours, "room")

	there := map[string]any{
		"type": "chat.message", "text": "héllo 🎸 \u2028", "n": 42, "big": 1 << 53, "f": 1.5, "none": nil, "t": true,
		"l": []any{1, "a", []any{}}, "d": map[string]any{"k": map[string]any{}},
	}
	here := channellayer.Event{
		"type": "chat.message", "text": "héllo 🎸 \u2028", "n": int64(42), "big": int64(1 << 53), "f": 1.5, "none": nil, "t": true,
		"l": []any{int64(1), "a", []any{}}, "d": map[string]any{"k": map[string]any{}},
	}
	django.do(order{Call: "group_send", Args: []any{"room", there}}, nil)
	want(t, q, here)
	django.do(order{Call: "send", Args: []any{name, there}}, nil)
	want(t, q, here)
	large := strings.Repeat("x", 1<<20)
	django.do(order{Call: "send", Args: []any{name, map[string]any{"type": "large", "text": large}}}, nil)
	want(t, q, channellayer.Event{"type": "large", "text": large})

	theirs := django.newChannel()
	django.groupAdd("room", theirs)
	arrives := func(channel string, addressed any) {
		t.Helper()
		var got map[string]any
		django.do(order{Call: "receive", Args: []any{channel}}, &got)
		if to := got["__asgi_channel__"]; !reflect.DeepEqual(to, addressed) {
			t.Errorf("the message is for %v, want %v", to, addressed)
		}
		delete(got, "__asgi_channel__")
		text, _ := json.Marshal(there)
		var sent map[string]any
		must(t, json.Unmarshal(text, &sent))
		if !reflect.DeepEqual(got, sent) {
			t.Errorf("Django got %v, want %v", got, sent)
		}
	}
	must(t, ours.GroupSend(t.Context(), "room", here))
	arrives(theirs, []any{theirs})
	must(t, ours.Send(t.Context(), theirs, here))
	arrives(theirs, theirs)
	must(t, ours.Send(t.Context(), "jobs", here))
	arrives("jobs", nil)
}
