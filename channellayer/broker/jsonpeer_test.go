package broker_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/broker"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/channellayer/wireformat"
	"github.com/belleville/belleville/internal/parts"
)

// TestJSONPeer shares groups and channels with a site whose serializer_format is "json", which Debian's channels_redis
// has not.
func TestJSONPeer(t *testing.T) {
	ours, address := open(t, broker.Config{SerializerFormat: wireformat.JSON})
	if err := exec.Command(python, "-c", "import redis").Run(); err != nil {
		parts.Need(t, "redis-py", fmt.Errorf("%w: redis for %s (Debian's package python3-redis)", parts.ErrMissing, python))
	}
	django := startProgram(t, "../redislayer/testdata/jsonpeer.py", "redis://"+address)
	name, q := channel(t, ours, "room")
	there := map[string]any{
		"type": "chat.message", "text": "héllo 🎸 \u2028", "n": 42, "big": 1 << 53, "f": 1.5, "none": nil, "t": true,
		"l": []any{1, "a", []any{}}, "d": map[string]any{"k": map[string]any{}},
	}
	here := channellayer.Event{
		"type": "chat.message", "text": "héllo 🎸 \u2028", "n": int64(42), "big": int64(1 << 53), "f": 1.5, "none": nil, "t": true,
		"l": []any{int64(1), "a", []any{}}, "d": map[string]any{"k": map[string]any{}},
	}
	django.call(t, "group_send", "", "room", there)
	want(t, q, here)
	django.call(t, "send", "", name, there)
	want(t, q, here)
	large := strings.Repeat("x", 1<<20)
	django.call(t, "send", "", name, map[string]any{"type": "large", "text": large})
	want(t, q, channellayer.Event{"type": "large", "text": large})

	theirs := django.newChannel(t)
	django.call(t, "group_add", "", "theirs", theirs)
	receives := func() {
		t.Helper()
		var got map[string]any
		if err := json.Unmarshal([]byte(django.call(t, "receive", "", theirs)), &got); err != nil {
			t.Fatal(err)
		}
		delete(got, "__asgi_channel__") // which channels_redis takes out
		wanted := map[string]any{"type": "said", "text": "grüße \u2028", "n": 7.0}
		if !reflect.DeepEqual(got, wanted) {
			t.Errorf("Python got %v, want %v", got, wanted)
		}
	}
	e := channellayer.Event{"type": "said", "text": "grüße \u2028", "n": int64(7)}
	if err := ours.GroupSend(t.Context(), "theirs", e); err != nil {
		t.Fatal(err)
	}
	receives()
	if err := ours.Send(t.Context(), theirs, e); err != nil {
		t.Fatal(err)
	}
	receives()
}

// TestADeadNodeIsSweptInTheBroker has a node die that is connected to the broker: another one ends its memberships.
func TestADeadNodeIsSweptInTheBroker(t *testing.T) {
	_, address := open(t, broker.Config{})
	w := dial(t, address)
	long := strings.Repeat("g", channellayer.MaxName)
	const dead = "specific.bv.000000.0123456789abcdef."
	notes := "asgi:belleville:node:000000.0123456789abcdef"
	now := fmt.Sprint(time.Now().Unix())
	groups := 0
	for n := range 1_200 { // more than one script ends
		group := fmt.Sprint("room.", n)
		w.do(t, "ZADD", "asgi:group:"+group, now, dead+"00!g."+group)
		w.do(t, "ZADD", notes, "0", "00:g:"+group)
		groups++
	}
	w.do(t, "ZADD", "asgi:group:"+long, now, dead+"01!h.0123", now, "specific.django!x")
	w.do(t, "ZADD", notes, "0", "01:h.0123:"+long, "0", "no note")
	w.do(t, "ZADD", "asgi:belleville:nodes", "1", "000000.0123456789abcdef")

	connect(t, address, redislayer.Config{Hosts: []redislayer.Host{{}}}) // its first beat tells it
	for try := 0; w.do(t, "EXISTS", notes) != ":0"; try++ {
		if try == 2000 {
			t.Fatalf("%s notes of the dead node are left", w.do(t, "ZCARD", notes))
		}
		advance(10 * time.Millisecond)
	}
	for n := range groups {
		if got := w.do(t, "EXISTS", fmt.Sprint("asgi:group:room.", n)); got != ":0" {
			t.Fatalf("the dead node is still in group %d", n)
		}
	}
	if got := w.do(t, "ZRANGE", "asgi:group:"+long, "0", "-1"); got != `["specific.django!x"]` {
		t.Errorf("the group with a long name has %s, want Django alone", got)
	}
}
