package redislayer

import (
	"strings"
	"testing"

	"github.com/belleville/belleville/channellayer"
)

func TestShardOf(t *testing.T) {
	counts := []int{1, 2, 3, 4, 5, 7}
	tests := map[string][]int{ // by channels_redis
		"chat_1":      {0, 0, 0, 0, 0, 0},
		"g0":          {0, 1, 2, 3, 4, 6},
		"specific.a!": {0, 1, 2, 2, 3, 4},
		"user-42":     {0, 1, 1, 2, 2, 3},
		// The pub/sub form's topics.
		"asgi__group__chat_1":  {0, 1},
		"asgi__group__g0":      {0, 0},
		"asgi__group__user-42": {0, 0},
	}
	for name, want := range tests {
		for i, w := range want {
			if got := shardOf(name, counts[i]); got != w {
				t.Errorf("shardOf(%q, %d) = %d, want %d", name, counts[i], got, w)
			}
		}
	}
}

func TestNodeNames(t *testing.T) {
	for _, hosts := range []int{1, 2, 3, 5, 16, 64} {
		n := newNodeNames("web-1", maxLanes, hosts)
		if len(n.inboxes) != maxLanes && hosts < 64 {
			t.Fatalf("%d hosts: %d lanes, want %d", hosts, len(n.inboxes), maxLanes)
		}
		for _, inbox := range n.inboxes {
			if got, want := shardOf(inbox, hosts), shardOf(n.inboxes[0], hosts); got != want {
				t.Errorf("%d hosts: lanes on hosts %d and %d, want one", hosts, want, got)
			}
		}
	}
	n, other := newNodeNames("web-1", 4, 1), newNodeNames("web-1", 4, 1)
	if n.id == other.id || n.id[:6] != other.id[:6] {
		t.Errorf("incarnations %s and %s, want one node and two incarnations", n.id, other.id)
	}
	for _, group := range []string{"a", strings.Repeat("g", 58), strings.Repeat("g", 59), strings.Repeat("g", channellayer.MaxName)} {
		name := n.representative(group)
		if err := channellayer.CheckChannelName(name); err != nil {
			t.Error(err)
		}
		if id, ok := nodeOf(name); !ok || id != n.id {
			t.Errorf("nodeOf(%q) = %q, %v, want %q", name, id, ok, n.id)
		}
	}
	if name := n.inbox(1<<64-1) + strings.Repeat("x", channellayer.TailLen); channellayer.CheckChannelName(name) != nil {
		t.Errorf("the longest name, %q, is invalid", name)
	}
	for _, name := range []string{"", "specific.bv.", "specific.0f0f!g.room", "specific.bv." + strings.Repeat("x", 40), "jobs"} {
		if id, ok := nodeOf(name); ok {
			t.Errorf("nodeOf(%q) = %q, want none", name, id)
		}
	}
}
