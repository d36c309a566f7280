package redislayer_test

import (
	"context"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/redistest"
)

// site is a layer of ours and one of Django's on the same hosts.
type site struct {
	ours   *redislayer.Layer
	django *peer
	hosts  int
}

// encryption is what each end encrypts with.
type encryption struct{ ours, django []string }

func openSite(t *testing.T, servers []*redistest.Server, e encryption) site {
	t.Helper()
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.URL())
	}
	config := map[string]any{"hosts": urls}
	if e.django != nil {
		config["symmetric_encryption_keys"] = e.django
	}
	return site{
		ours:   open(t, redislayer.Config{Hosts: hosts(t, servers...), SymmetricEncryptionKeys: e.ours}),
		django: startPeer(t, "core", config),
		hosts:  len(servers),
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

func TestWithDjango(t *testing.T) {
	one, three := redistest.OpenShards(t, 1), redistest.OpenShards(t, 3)
	tests := []struct {
		name       string
		servers    []*redistest.Server
		encryption encryption
	}{
		{"one host", one, encryption{}},
		{"three hosts", three, encryption{}},
		{"encrypted", one, encryption{[]string{"a key"}, []string{"a key"}}},
		{"Django has the new key first", one, encryption{[]string{"old", "new"}, []string{"new", "old"}}},
		{"we have the new key first", three, encryption{[]string{"new", "old"}, []string{"old", "new"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, s := range tt.servers {
				s.Do(t, "FLUSHALL")
			}
			s := openSite(t, tt.servers, tt.encryption)
			t.Run("Django sends to a group of ours", s.groupFromDjango)
			t.Run("Django sends to a channel of ours", s.sendFromDjango)
			t.Run("we send to a group of Django's", s.groupToDjango)
			t.Run("we send to a channel of Django's", s.sendToDjango)
			t.Run("Django adds a channel of ours to a group", s.addedByDjango)
			t.Run("a channel that both have added gets an event once", s.addedByBoth)
			t.Run("a plain channel serves both", s.plainChannels)
			t.Run("large messages and long names", s.largeMessages)
		})
	}
}

func (s site) groupFromDjango(t *testing.T) {
	_, first := channel(t, s.ours, "room")
	_, second := channel(t, s.ours, "room")
	django := s.django.newChannel()
	s.django.groupAdd("room", django)
	s.django.groupSend("room", everyValue)
	want(t, first, everyValueHere())
	want(t, second, everyValueHere())
	if got := s.django.receive(django, 5); !strings.Contains(got, "héllo") {
		t.Errorf("Django's own member got %q, want the message", got)
	}
}

// sendFromDjango sends to many channels: with several hosts Django chooses the wrong one for most.
func (s site) sendFromDjango(t *testing.T) {
	for range 20 {
		name, q := channel(t, s.ours)
		s.django.send(name, everyValue)
		want(t, q, everyValueHere())
	}
}

func (s site) groupToDjango(t *testing.T) {
	first, second := s.django.newChannel(), s.django.newChannel()
	s.django.groupAdd("theirs", first)
	s.django.groupAdd("theirs", second)
	e := everyValueHere()
	if err := s.ours.GroupSend(t.Context(), "theirs", e); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{first, second} {
		s.wantInDjango(t, name)
	}
	if err := s.ours.GroupDiscard(t.Context(), "theirs", second); err != nil {
		t.Fatal(err)
	}
	if err := s.ours.GroupSend(t.Context(), "theirs", e); err != nil {
		t.Fatal(err)
	}
	s.wantInDjango(t, first)
	if got := s.django.receive(second, 0.3); got != "" {
		t.Errorf("who was discarded got %q", got)
	}
}

// wantInDjango wants everyValue next on a channel of Django's. Maps have no order here, so it is compared there.
func (s site) wantInDjango(t *testing.T, name string) {
	t.Helper()
	got := s.django.receive(name, 5)
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
	for range 10 {
		name := s.django.newChannel()
		if err := s.ours.Send(t.Context(), name, everyValueHere()); err != nil {
			t.Fatal(err)
		}
		s.wantInDjango(t, name)
	}
}

func (s site) addedByDjango(t *testing.T) {
	name, q := channel(t, s.ours)
	s.django.groupAdd("added", name)
	s.django.groupSend("added", `{'type': 'said', 'by': 'django'}`)
	want(t, q, channellayer.Event{"type": "said", "by": "django"})
	if err := s.ours.GroupSend(t.Context(), "added", channellayer.Event{"type": "said", "by": "us"}); err != nil {
		t.Fatal(err)
	}
	want(t, q, channellayer.Event{"type": "said", "by": "us"})
	s.django.groupDiscard("added", name)
	s.django.groupSend("added", `{'type': 'said', 'by': 'nobody'}`)
	s.django.send(name, `{'type': 'last'}`)
	want(t, q, channellayer.Event{"type": "last"})
}

func (s site) addedByBoth(t *testing.T) {
	name, q := channel(t, s.ours, "both")
	_, other := channel(t, s.ours, "both")
	s.django.groupAdd("both", name)
	s.django.groupSend("both", `{'type': 'said', 'by': 'django'}`)
	if err := s.ours.GroupSend(t.Context(), "both", channellayer.Event{"type": "said", "by": "us"}); err != nil {
		t.Fatal(err)
	}
	for _, queue := range []*channellayer.Queue{q, other} {
		got := map[any]bool{next(t, queue)["by"]: true, next(t, queue)["by"]: true}
		if !got["django"] || !got["us"] {
			t.Errorf("got events by %v, want one by django and one by us", got)
		}
	}
	if err := s.ours.GroupDiscard(t.Context(), "both", name); err != nil {
		t.Fatal(err)
	}
	s.django.groupSend("both", `{'type': 'said', 'by': 'nobody'}`)
	want(t, other, channellayer.Event{"type": "said", "by": "nobody"})
	s.django.send(name, `{'type': 'last'}`)
	want(t, q, channellayer.Event{"type": "last"})
}

func (s site) plainChannels(t *testing.T) {
	q := channellayer.NewQueue()
	stop := listen(t, s.ours, "thumbnails", q)
	for range 4 { // Django takes the hosts by turns
		s.django.send("thumbnails", `{'type': 'generate', 'id': 1}`)
		want(t, q, channellayer.Event{"type": "generate", "id": int64(1)})
	}
	stop()
	for range s.hosts { // and so do we
		if err := s.ours.Send(t.Context(), "thumbnails", channellayer.Event{"type": "generate", "id": int64(2)}); err != nil {
			t.Fatal(err)
		}
	}
	for range s.hosts {
		if got := s.django.receive("thumbnails", 7); got != "{'type': 'generate', 'id': 2}" && got != "{'id': 2, 'type': 'generate'}" {
			t.Errorf("Django's worker got %q", got)
		}
	}
}

func (s site) largeMessages(t *testing.T) {
	group := strings.Repeat("g", channellayer.MaxName)
	name, q := channel(t, s.ours, group)
	text := strings.Repeat("x", 1<<20)
	s.django.groupSend(group, "{'type': 'large', 'text': '"+text+"'}")
	want(t, q, channellayer.Event{"type": "large", "text": text})
	s.django.send(name, "{'type': 'large', 'text': '"+text+"'}")
	want(t, q, channellayer.Event{"type": "large", "text": text})
	django := s.django.newChannel()
	if err := s.ours.Send(t.Context(), django, channellayer.Event{"type": "large", "text": text}); err != nil {
		t.Fatal(err)
	}
	if got := s.django.receive(django, 5); len(got) < len(text) {
		t.Errorf("Django got %d characters, want more than %d", len(got), len(text))
	}
}

// listen listens until stop is called.
func listen(t *testing.T, l channellayer.Listener, name string, r channellayer.Receiver) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Listen(ctx, name, r) }()
	return func() {
		t.Helper()
		began := time.Now()
		cancel()
		<-ended
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("Listen took %v to end, want it soon", took)
		}
	}
}
