package broker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/broker"
)

// everyValue is a message with all that msgpack and Python share, as Python writes it, and what it is here.
const everyValue = `{'type': 'chat.message', 'text': 'héllo 🎸', 'n': 42, 'neg': -7, 'big': 2199023255552, 'min': -9223372036854775808,
	'f': 1.5, 'whole': 1000.0, 'b': b'\x00\xff', 'none': None, 't': True, 'l': [1, 'a', [b'']], 'd': {'k': 'v', 'ünïcode': {}}}`

func everyValueHere() channellayer.Event {
	return channellayer.Event{
		"type": "chat.message", "text": "héllo 🎸", "n": int64(42), "neg": int64(-7), "big": int64(1 << 41), "min": int64(math.MinInt64),
		"f": 1.5, "whole": 1000.0, "b": []byte{0, 255}, "none": nil, "t": true,
		"l": []any{int64(1), "a", []any{[]byte{}}}, "d": map[string]any{"k": "v", "ünïcode": map[string]any{}},
	}
}

// channel opens a channel of ours, in groups.
func channel(t testing.TB, l channellayer.Layer, groups ...string) (string, *channellayer.Queue) {
	t.Helper()
	q := channellayer.NewQueue()
	name, err := l.NewChannel(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range groups {
		if err := l.GroupAdd(t.Context(), group, name); err != nil {
			t.Fatal(err)
		}
	}
	return name, q
}

// want wants just this event next.
func want(t testing.TB, q *channellayer.Queue, e channellayer.Event) {
	t.Helper()
	if got := next(t, q); !reflect.DeepEqual(got, e) {
		t.Errorf("got event %v, want %v", got, e)
	}
}

// site is our end of a broker, with two processes of Django's.
type site struct {
	ours          *broker.Layer
	django, other *peer
	form          string
	wire          *wire
}

func openSite(t *testing.T, form string, c broker.Config) site {
	t.Helper()
	ours, address := open(t, c)
	url := "redis://" + address + "/0"
	if c.Password != "" {
		url = "redis://:" + c.Password + "@" + address + "/3"
	}
	config := map[string]any{"hosts": []string{url}}
	if c.SymmetricEncryptionKeys != nil {
		config["symmetric_encryption_keys"] = c.SymmetricEncryptionKeys
	}
	w := dial(t, address)
	if c.Password != "" {
		w.do(t, "AUTH", c.Password)
	}
	return site{ours, startPeer(t, form, config), startPeer(t, form, config), form, w}
}

func TestWithDjango(t *testing.T) {
	tests := []struct {
		name, form string
		config     broker.Config
	}{
		{"core", "core", broker.Config{}},
		{"core with a password", "core", broker.Config{Password: "open sesame"}},
		{"core encrypted", "core", broker.Config{SymmetricEncryptionKeys: []string{"a key", "an old key"}}},
		{"pubsub", "pubsub", broker.Config{}},
		{"pubsub with a password", "pubsub", broker.Config{Password: "open sesame"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.config.Password = strings.ReplaceAll(tt.config.Password, " ", "-")
			s := openSite(t, tt.form, tt.config)
			t.Run("Django sends to a group of ours", s.groupFromDjango)
			t.Run("Django sends to a channel of ours", s.sendFromDjango)
			t.Run("we send to a group of Django's", s.groupToDjango)
			t.Run("we send to a channel of Django's", s.sendToDjango)
			if tt.form == "core" { // the pub/sub form adds only channels of its own process
				t.Run("Django adds a channel of ours to a group", s.addedByDjango)
			}
			t.Run("Django sends to a worker of ours", s.plainFromDjango)
			t.Run("large messages and long names", s.largeMessages)
			t.Run("two Djangos without us", s.djangoAlone)
			t.Run("Django flushes", s.flushed)
		})
	}
}

// newChannel opens a channel of Django's.
func (s site) newChannel(t *testing.T, p *peer) string {
	t.Helper()
	name := p.newChannel(t)
	s.awaitSubscribers(t, name, 1)
	return name
}

// join opens a channel of Django's in a group, in which n processes of Django's are then.
func (s site) join(t *testing.T, p *peer, group string, n int) string {
	t.Helper()
	name := s.newChannel(t, p)
	p.call(t, "group_add", "", group, name)
	s.awaitSubscribers(t, "asgi__group__"+group, n)
	return name
}

// awaitSubscribers waits until n clients are subscribed to a topic: the pub/sub form does not wait for that itself.
func (s site) awaitSubscribers(t *testing.T, topic string, n int) {
	t.Helper()
	want := fmt.Sprintf("[%q :%d]", topic, n)
	for try := 0; s.form == "pubsub" && s.wire.do(t, "PUBSUB", "NUMSUB", topic) != want; try++ {
		if try == 1000 {
			t.Fatalf("Django has not subscribed to %.40s", topic)
		}
		advance(10 * time.Millisecond)
	}
}

func (s site) groupFromDjango(t *testing.T) {
	name, first := channel(t, s.ours, "room")
	_, second := channel(t, s.ours, "room")
	s.django.call(t, "group_send", everyValue, "room")
	want(t, first, everyValueHere())
	want(t, second, everyValueHere())
	if err := s.ours.GroupDiscard(t.Context(), "room", name); err != nil {
		t.Fatal(err)
	}
	s.django.call(t, "group_send", `{'type': 'to.one'}`, "room")
	want(t, second, channellayer.Event{"type": "to.one"})
	if n := first.Len(); n != 0 {
		t.Errorf("who was discarded has %d events waiting", n)
	}
}

func (s site) sendFromDjango(t *testing.T) {
	name, q := channel(t, s.ours)
	s.django.call(t, "send", everyValue, name)
	want(t, q, everyValueHere())
	s.ours.CloseChannel(name)
	s.django.call(t, "send", everyValue, name) // is lost
}

func (s site) groupToDjango(t *testing.T) {
	first, second := s.join(t, s.django, "theirs", 1), s.join(t, s.other, "theirs", 2)
	s.send(t, "theirs")
	s.wantInDjango(t, s.django, first)
	s.wantInDjango(t, s.other, second)
	s.other.call(t, "group_discard", "", "theirs", second)
	s.send(t, "theirs")
	s.wantInDjango(t, s.django, first)
	if got := s.other.receive(t, second, 0.3); got != "" {
		t.Errorf("who was discarded got %q", got)
	}
}

func (s site) send(t *testing.T, group string) {
	t.Helper()
	if err := s.ours.GroupSend(t.Context(), group, everyValueHere()); err != nil {
		t.Fatal(err)
	}
}

// wantInDjango wants everyValue next on a channel of Django's. Maps have no order here, so it is compared there.
func (s site) wantInDjango(t *testing.T, p *peer, name string) {
	t.Helper()
	got := p.receive(t, name, 10)
	for _, part := range []string{
		"'text': 'héllo 🎸'", "'n': 42", "'neg': -7", "'big': 2199023255552", "'min': -9223372036854775808", "'f': 1.5",
		"'whole': 1000.0", `'b': b'\x00\xff'`, "'none': None", "'t': True", "'l': [1, 'a', [b'']]", "'ünïcode': {}",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("Django got %q, want it to hold %q", got, part)
		}
	}
	if strings.Contains(got, "__asgi") {
		t.Errorf("Django got %q, want no reserved key", got)
	}
}

func (s site) sendToDjango(t *testing.T) {
	name := s.newChannel(t, s.django)
	if err := s.ours.Send(t.Context(), name, everyValueHere()); err != nil {
		t.Fatal(err)
	}
	s.wantInDjango(t, s.django, name)
}

func (s site) addedByDjango(t *testing.T) {
	name, q := channel(t, s.ours)
	s.django.call(t, "group_add", "", "added", name)
	if err := s.ours.GroupAdd(t.Context(), "added", name); err != nil { // which changes nothing
		t.Fatal(err)
	}
	s.django.call(t, "group_send", `{'type': 'said', 'by': 'django'}`, "added")
	want(t, q, channellayer.Event{"type": "said", "by": "django"})
	if err := s.ours.GroupSend(t.Context(), "added", channellayer.Event{"type": "said", "by": "us"}); err != nil {
		t.Fatal(err)
	}
	want(t, q, channellayer.Event{"type": "said", "by": "us"})
	s.django.call(t, "group_discard", "", "added", name)
	s.django.call(t, "group_send", `{'type': 'said', 'by': 'nobody'}`, "added")
	s.django.call(t, "send", `{'type': 'last'}`, name)
	want(t, q, channellayer.Event{"type": "last"})
}

func (s site) plainFromDjango(t *testing.T) {
	q := channellayer.NewQueue()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.ours.Listen(ctx, "thumbnails", q) }()
	// The pub/sub form loses what comes before somebody listens.
	for q.Len() == 0 && t.Context().Err() == nil {
		s.django.call(t, "send", `{'type': 'generate', 'id': 1}`, "thumbnails")
	}
	want(t, q, channellayer.Event{"type": "generate", "id": int64(1)})
	cancel()
	<-ended
}

func (s site) largeMessages(t *testing.T) {
	group := strings.Repeat("g", channellayer.MaxName)
	name, q := channel(t, s.ours, group)
	text := strings.Repeat("ü", 1<<19)
	s.django.call(t, "group_send", "{'type': 'large', 'text': '"+text+"'}", group)
	want(t, q, channellayer.Event{"type": "large", "text": text})
	s.django.call(t, "send", "{'type': 'large', 'text': '"+text+"'}", name)
	want(t, q, channellayer.Event{"type": "large", "text": text})
	django := s.newChannel(t, s.django)
	if err := s.ours.Send(t.Context(), django, channellayer.Event{"type": "large", "text": text}); err != nil {
		t.Fatal(err)
	}
	if got := s.django.receive(t, django, 10); !strings.Contains(got, text) {
		t.Errorf("Django got %d bytes, want the message", len(got))
	}
}

func (s site) djangoAlone(t *testing.T) {
	mine, theirs := s.join(t, s.django, "alone", 1), s.join(t, s.other, "alone", 2)
	s.django.call(t, "group_send", everyValue, "alone")
	s.wantInDjango(t, s.django, mine)
	s.wantInDjango(t, s.other, theirs)
	s.other.call(t, "send", everyValue, mine)
	s.wantInDjango(t, s.django, mine)
}

func (s site) flushed(t *testing.T) {
	_, q := channel(t, s.ours, "kept")
	s.django.call(t, "flush", "")
	s.other.call(t, "group_send", `{'type': 'after'}`, "kept")
	want(t, q, channellayer.Event{"type": "after"})
}

func TestCapacityAndExpiryAreDjangos(t *testing.T) {
	_, address := open(t, broker.Config{})
	django := startPeer(t, "core", map[string]any{
		"hosts": []string{"redis://" + address}, "capacity": 3, "channel_capacity": map[string]int{"wide": 5}, "expiry": 1,
	})
	fill := func(channel string, n int) {
		t.Helper()
		for range n {
			if got := django.call(t, "send", `{'type': 'old'}`, channel); got != "null" {
				t.Fatalf("send answered %s, want room for %d", got, n)
			}
		}
		if got := django.call(t, "send", `{'type': 'old'}`, channel); got != `"full"` {
			t.Errorf("send answered %s after %d messages, want ChannelFull", got, n)
		}
	}
	fill("narrow", 3)
	fill("wide", 5)
	django.call(t, "group_add", "", "crowd", "narrow")
	var burst struct{ Dropped int }
	if err := json.Unmarshal([]byte(django.call(t, "burst", "", "crowd", 2)), &burst); err != nil {
		t.Fatal(err)
	}
	if burst.Dropped != 2 {
		t.Errorf("group_send told of %d channels over capacity, want 2", burst.Dropped)
	}
	advance(2200 * time.Millisecond)
	django.call(t, "send", `{'type': 'new'}`, "narrow")
	if got := django.receive(t, "narrow", 5); got != "{'type': 'new'}" {
		t.Errorf("received %q, want the message that has not expired", got)
	}
}
