package redislayer_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/layertest"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/redistest"
)

// openPubSub opens a layer of the pub/sub form, which ends with the test.
func openPubSub(t testing.TB, c redislayer.Config) *redislayer.PubSubLayer {
	t.Helper()
	l, err := redislayer.NewPubSub(t.Context(), c)
	must(t, err)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestPubSubLayer(t *testing.T) {
	t.Parallel() // it waits most of the time
	const (
		nothingWaits = "nothing waits in Redis: Python's form is the same"
		noForeigner  = "only a process itself adds its channels to groups: Python's form is the same"
	)
	server, prefixes := redistest.Open(t), 0
	layertest.Run(t, func(t *testing.T, s layertest.Setup) layertest.Bus {
		prefixes++
		bus := layertest.Bus{Advance: advance, Unkept: map[string]string{
			"a plain channel takes as many events as its capacity":             nothingWaits,
			"the first glob that matches says the capacity":                    nothingWaits,
			"a stale event in a plain channel is not delivered":                nothingWaits,
			"stale events make room for others":                                nothingWaits,
			"what waits in a plain channel reaches who listens later in order": nothingWaits,
			"an event to a plain channel reaches who listens":                  nothingWaits,
			"listening ends with its context":                                  nothingWaits,
			"a listener that is full loses nothing":                            nothingWaits,
			"each event of a plain channel reaches one listener":               "every listener gets each event: Python's form is the same",
			"a plain channel may be in a group":                                noForeigner,
			"a plain channel leaves its groups after the group expiry":         noForeigner,
			"a channel may be added and discarded by another node":             noForeigner,
		}}
		for range s.Nodes {
			bus.Nodes = append(bus.Nodes, openPubSub(t, redislayer.Config{
				Hosts: hosts(t, server), Prefix: fmt.Sprint("suite", prefixes),
				Capacity: s.Capacity, ChannelCapacity: s.Capacities, Expiry: s.Expiry, GroupExpiry: s.GroupExpiry,
			}))
		}
		return bus
	})
}

func TestPubSubWithDjango(t *testing.T) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprint(n, " hosts"), func(t *testing.T) {
			servers := redistest.OpenShards(t, n)
			ours := openPubSub(t, redislayer.Config{Hosts: hosts(t, servers...)})
			var urls []string
			for _, s := range servers {
				urls = append(urls, s.URL())
			}
			django := startPeer(t, "pubsub", map[string]any{"hosts": urls})

			name, q := channel(t, ours, "chat_1", "g0")
			for _, group := range []string{"chat_1", "g0"} {
				django.groupSend(group, everyValue)
				want(t, q, everyValueHere())
			}
			django.send(name, everyValue)
			want(t, q, everyValueHere())

			theirs := django.newChannel()
			django.groupAdd("theirs", theirs)
			must(t, ours.GroupSend(t.Context(), "theirs", everyValueHere()))
			site{django: django}.wantInDjango(t, theirs)
			must(t, ours.Send(t.Context(), theirs, everyValueHere()))
			site{django: django}.wantInDjango(t, theirs)

			jobs := channellayer.NewQueue()
			stop := listen(t, ours, "jobs", jobs)
			waitUntil(t, "a job arrives", func() bool { // once Listen has subscribed
				django.send("jobs", `{'type': 'job'}`)
				return jobs.Len() > 0
			})
			stop()
		})
	}
}

func TestPubSubHeals(t *testing.T) {
	server := redistest.Open(t)
	c := redislayer.Config{Hosts: hosts(t, server), OnDisconnect: "redis.lost", OnReconnect: "redis.back"}
	ours, other := openPubSub(t, c), openPubSub(t, c)
	_, q := channel(t, ours, "room")
	faults := map[string]func(){
		"connections are cut": func() { server.Do(t, "CLIENT", "KILL", "TYPE", "pubsub") },
		"Redis restarts": func() {
			must(t, server.Kill())
			waitUntil(t, "the layer is not ready", func() bool { return ours.Ready(t.Context()) != nil && other.Ready(t.Context()) != nil })
			if err := ours.GroupSend(t.Context(), "room", said(0)); !errors.Is(err, redislayer.ErrUnavailable) {
				t.Errorf("GroupSend without Redis: got error %v, want ErrUnavailable", err)
			}
			must(t, server.Start(t.Context()))
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			fault()
			began := time.Now()
			want(t, q, channellayer.Event{"type": "redis.lost"})
			want(t, q, channellayer.Event{"type": "redis.back"})
			want(t, q, gap())
			ready(t, ours)
			ready(t, other)
			if took := time.Since(began); took > healsIn {
				t.Errorf("healed in %v, want at most %v", took, healsIn)
			}
			must(t, other.GroupSend(t.Context(), "room", said(1)))
			want(t, q, said(1))
		})
	}
}

func TestPubSubHasOneSubscription(t *testing.T) {
	server := redistest.Open(t)
	ours := openPubSub(t, redislayer.Config{Hosts: hosts(t, server), Linger: time.Millisecond})
	var names []string
	for range 50 {
		name, _ := channel(t, ours, "room")
		names = append(names, name)
	}
	if got := server.DoLines(t, "PUBSUB", "NUMSUB", "asgi__group__room"); len(got) != 2 || got[1] != "1" {
		t.Errorf("PUBSUB NUMSUB = %q, want one subscription", got)
	}
	if got := server.Do(t, "PUBSUB", "NUMPAT"); got != "1" {
		t.Errorf("PUBSUB NUMPAT = %s, want one pattern", got)
	}
	if !strings.HasPrefix(names[0], "asgispecific.") {
		t.Errorf("a channel is called %q, want a name as Django's", names[0])
	}
	for _, name := range names {
		ours.CloseChannel(name)
	}
	waitUntil(t, "the subscription is gone", func() bool {
		got := server.DoLines(t, "PUBSUB", "NUMSUB", "asgi__group__room")
		return len(got) == 2 && got[1] == "0"
	})
}
