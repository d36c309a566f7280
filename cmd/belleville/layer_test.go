package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/redistest"
)

// onRedis is the environment of a command beside a Redis.
func onRedis(t *testing.T, server *redistest.Server, backend string) []string {
	t.Helper()
	t.Chdir(t.TempDir())
	return []string{
		"BELLEVILLE_DJANGO_SECRET_KEY=k", "BELLEVILLE_DJANGO_DATABASE_URL=sqlite:///none", "BELLEVILLE_DJANGO_ALLOWED_HOSTS=localhost",
		"BELLEVILLE_CHANNEL_LAYERS_DEFAULT_BACKEND=" + backend, "BELLEVILLE_CHANNEL_LAYERS_DEFAULT_HOSTS=" + server.URL(),
	}
}

const (
	coreForm   = "channels_redis.core.RedisChannelLayer"
	pubSubForm = "channels_redis.pubsub.RedisPubSubChannelLayer"
)

// tail runs "belleville layer tail" for a group, until it has shown some events.
func tail(t *testing.T, env []string, count, group string, flags ...string) (lines func() []string) {
	t.Helper()
	out, stdout := io.Pipe()
	diagnostics, stderr := io.Pipe()
	p := program{in: strings.NewReader(""), out: stdout, err: stderr, environ: env, lifetime: func() context.Context { return t.Context() }}
	exited := make(chan int, 1)
	go func() {
		exited <- p.run(append([]string{"layer", "tail", "-n", count, group}, flags...))
		_ = stdout.Close()
		_ = stderr.Close()
	}()
	if line, err := bufio.NewReader(diagnostics).ReadString('\n'); !strings.Contains(line, "listening") {
		t.Fatalf("tail said %q, %v", line, err)
	}
	return func() []string {
		t.Helper()
		text, err := io.ReadAll(out)
		if code := <-exited; code != 0 || err != nil {
			t.Errorf("tail ended with %d, %v", code, err)
		}
		return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
}

func TestSendAndTail(t *testing.T) {
	for _, backend := range []string{coreForm, pubSubForm} {
		t.Run(backend, func(t *testing.T) {
			env := onRedis(t, redistest.Open(t), backend)
			lines := tail(t, env, "2", "room")
			for i, said := range [][2]string{{"", `{"type":"said","text":"grüße","n":1}`}, {`{"type":"said","n":2}`, ""}} {
				args := []string{"group-send", "room"}
				if said[1] != "" {
					args = append(args, said[1])
				}
				if got := runWith(t, env, said[0], args...); got != (typed{}) {
					t.Errorf("group-send %d: got %+v, want silence", i, got)
				}
			}
			want := []string{`{"n":1,"text":"grüße","type":"said"}`, `{"n":2,"type":"said"}`}
			if got := lines(); !reflect.DeepEqual(got, want) {
				t.Errorf("tail showed %q, want %q", got, want)
			}
			got := runWith(t, env, "", "layer", "canary", "-n", "3", "--json")
			var reports []canaryReport
			if err := json.Unmarshal([]byte(got.out), &reports); err != nil || len(reports) != 2 || reports[1].Sent != 3 || reports[1].Slowest <= 0 {
				t.Errorf("canary: %+v, %v, want two reports", got, err)
			}
		})
	}
}

func TestSendIsForWorkers(t *testing.T) {
	server := redistest.Open(t)
	env := onRedis(t, server, coreForm)
	if got := runWith(t, env, "", "send", "thumbnails", `{"type":"generate","id":7}`); got != (typed{}) {
		t.Errorf("send: got %+v, want silence", got)
	}
	if n := server.Do(t, "ZCARD", "asgithumbnails"); n != "1" {
		t.Errorf("%s events wait, want 1", n)
	}
	env = append(env, "BELLEVILLE_CHANNEL_LAYERS_DEFAULT_CAPACITY=1")
	want := typed{exitFailure, "", "belleville: the channel is full: nobody takes what is sent to it, or not fast enough\n"}
	if got := runWith(t, env, "", "send", "thumbnails", `{"type":"generate","id":8}`); got != want {
		t.Errorf("send: got %+v, want %+v", got, want)
	}
}

func TestLayerMistakes(t *testing.T) {
	server := redistest.Open(t)
	core, pubSub := onRedis(t, server, coreForm), onRedis(t, server, pubSubForm)
	memory := append(core[:3:3], "BELLEVILLE_ADMIN_LISTEN=")
	tests := []struct {
		name string
		env  []string
		args []string
		want typed
	}{
		{"an event that is no JSON", core, []string{"send", "a", "{"}, typed{exitUsage, "", `belleville: the event is no JSON object, as in {"type": "chat.message", "text": "hi"}; see belleville send --help` + "\n"}},
		{"an event without a type", core, []string{"group-send", "a", "{}"}, typed{exitUsage, "", `belleville: the event has no type, as in {"type": "chat.message", "text": "hi"}; see belleville group-send --help` + "\n"}},
		{"a group that has no name", core, []string{"group-send", "a b", `{"type":"x"}`}, typed{exitFailure, "", `belleville: channellayer: invalid name: group "a b"` + "\n"}},
		{"the layer of one process", memory, []string{"group-send", "a", `{"type":"x"}`}, typed{exitFailure, "", "belleville: channel_layers.default: the layer of a single process cannot be reached from another one; name the site's backend\n"}},
		{"to look into it", memory, []string{"layer", "groups"}, typed{exitFailure, "", "belleville: channel_layers.default: the layer of a single process cannot be reached from another one; name the site's backend\n"}},
		{"to look for what waits in pub/sub", pubSub, []string{"layer", "inboxes"}, typed{exitFailure, "", `belleville: redislayer: with RedisPubSubChannelLayer no message waits and no membership outlives its connection, so there are neither inboxes nor leaks; groups, tail and canary work on it` + "\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := runWith(t, tt.env, "", tt.args...); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestLayerReports looks into a Redis that a Belleville and two processes under Daphne share, one of which has died.
func TestLayerReports(t *testing.T) {
	server := redistest.Open(t)
	env := onRedis(t, server, coreForm)
	host, err := redislayer.ParseHost(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	ours, err := redislayer.New(t.Context(), redislayer.Config{Hosts: []redislayer.Host{host}, GroupExpiry: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	for range 3 {
		name, err := ours.NewChannel(t.Context(), channellayer.NewQueue())
		if err == nil {
			err = ours.GroupAdd(t.Context(), "room", name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	now := strings.Fields(server.Do(t, "TIME"))[0]
	server.Do(t, "ZADD", "asgi:group:room", now, "specific.dead!a", now, "specific.dead!b", now, "specific.alive!a", "1", "specific.old!a")
	server.Do(t, "ZADD", "asgi:group:attic", now, "specific.bv.000000.0123456789abcdef.00!g.attic")
	server.Do(t, "ZADD", "asgispecific.dead!", now, "one", now, "two")
	server.Do(t, "ZADD", "asgijobs$inflight", now, "held")
	server.Do(t, "SET", "asgisomething", "else")
	server.Do(t, "SET", "asgi:group:not", "a group")

	var groups []channellayer.GroupReport
	reported(t, env, &groups, "layer", "groups", "--json")
	if want := []channellayer.GroupReport{
		{Group: "attic", Members: 1, Processes: 1}, {Group: "room", Members: 5, Expired: 1, Processes: 4},
	}; !reflect.DeepEqual(groups, want) {
		t.Errorf("groups: got %+v, want %+v", groups, want)
	}
	var inboxes []channellayer.InboxReport
	reported(t, env, &inboxes, "layer", "inboxes", "--json")
	if len(inboxes) != 2 || inboxes[0].Inbox != "specific.dead!" || inboxes[0].Messages != 2 || inboxes[0].Inflight ||
		inboxes[1].Inbox != "jobs" || !inboxes[1].Inflight {
		t.Errorf("inboxes: got %+v", inboxes)
	}
	var leaks []channellayer.LeakReport
	reported(t, env, &leaks, "layer", "leaks", "--json", "--patience", "10ms")
	if want := []channellayer.LeakReport{
		{Process: "specific.bv.000000.0123456789abcdef", Groups: []string{"attic"}, Members: 1, Reason: "a Belleville that has ended"},
		{Process: "specific.dead!", Groups: []string{"room"}, Members: 2, Reason: "nobody takes what waits in its inbox"},
	}; !reflect.DeepEqual(leaks, want) {
		t.Errorf("leaks: got %+v, want %+v", leaks, want)
	}
	got := runWith(t, env, "", "layer", "groups")
	if want := "GROUP  HOST  MEMBERS  EXPIRED  PROCESSES\nattic  0     1        0        1\nroom   0     5        1        4\n"; got.out != want {
		t.Errorf("groups: got\n%s%swant\n%s", got.out, got.err, want)
	}
	if n := server.Do(t, "ZCARD", "asgi:group:room"); n != "5" {
		t.Errorf("the group has %s members after looking, want 5", n)
	}
}

// TestLayerReportsOfPubSub looks into a Redis that two Bellevilles and a process of Django's share.
func TestLayerReportsOfPubSub(t *testing.T) {
	server := redistest.Open(t)
	env := onRedis(t, server, pubSubForm)
	host, err := redislayer.ParseHost(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		l, err := redislayer.NewPubSub(t.Context(), redislayer.Config{Hosts: []redislayer.Host{host}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		for _, group := range []string{"room", "room", "room"} {
			name, err := l.NewChannel(t.Context(), channellayer.NewQueue())
			if err == nil {
				err = l.GroupAdd(t.Context(), group, name)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	subscribe(t, server, "asgi__group__room", "asgi__group__attic", "another__group__room", "asgispecific.0123")
	var groups []channellayer.GroupReport
	reported(t, env, &groups, "layer", "groups", "--json")
	if want := []channellayer.GroupReport{
		{Group: "attic", Members: 1, Processes: 1}, {Group: "room", Members: 3, Processes: 3},
	}; !reflect.DeepEqual(groups, want) {
		t.Errorf("groups: got %+v, want %+v", groups, want)
	}
}

// subscribe holds a connection that is subscribed to topics, until the test ends.
func subscribe(t *testing.T, server *redistest.Server, topics ...string) {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", server.Port()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprintf(conn, "SUBSCRIBE %s\r\n", strings.Join(topics, " ")); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	for line := ""; line != fmt.Sprintf(":%d\r\n", len(topics)); {
		if line, err = answers.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
}

// reported runs a command that prints JSON.
func reported(t *testing.T, env []string, into any, args ...string) {
	t.Helper()
	got := runWith(t, env, "", args...)
	if err := json.Unmarshal([]byte(got.out), into); err != nil {
		t.Fatalf("belleville %s: %+v, %v", strings.Join(args, " "), got, err)
	}
}
