package layertest

import (
	"errors"
	"strings"

	"github.com/belleville/belleville/channellayer"
)

func namePromises() []promise {
	return []promise{
		{name: "every channel has a name of its own", keeps: ownNames},
		{name: "nobody guesses the name of a channel", keeps: unguessableNames},
		{name: "group names of 99 characters are taken", keeps: longGroupNames},
		{name: "channel names of 99 characters are taken", keeps: longChannelNames},
		{name: "invalid names are refused", keeps: invalidNames},
	}
}

func ownNames(b *bench) {
	seen := make(map[string]bool)
	for node := range b.nodes {
		for range 50 {
			name, _ := b.channel(node)
			if err := channellayer.CheckChannelName(name); err != nil {
				b.Fatal(err)
			}
			if seen[name] {
				b.Fatalf("NewChannel gave the name %q twice", name)
			}
			seen[name] = true
		}
	}
}

// unguessableNames wants more than a number, a time or a counter to tell two channels of one process apart.
func unguessableNames(b *bench) {
	const random = 22 // characters, of which one in sixty-four is the same by chance
	for node := range b.nodes {
		first, _ := b.channel(node)
		second, _ := b.channel(node)
		if len(first) < random || len(second) < random {
			b.Fatalf("channels are called %q and %q", first, second)
		}
		first, second = first[len(first)-random:], second[len(second)-random:]
		same := 0
		for i := range first {
			if first[i] == second[i] {
				same++
			}
		}
		if same > random/2 {
			b.Errorf("the names of two channels end with %q and %q, which are too much alike", first, second)
		}
	}
}

func longGroupNames(b *bench) {
	group := strings.Repeat("g", channellayer.MaxName)
	_, q := b.member(0, group)
	b.groupSend(1, group, event("greeting", 1))
	b.expect(q, event("greeting", 1))
}

func longChannelNames(b *bench) {
	name := strings.Repeat("c", channellayer.MaxName)
	b.send(1, name, event("greeting", 1))
	b.discard(0, "group", name)
}

func invalidNames(b *bench) {
	ctx, e := b.Context(), event("greeting", 1)
	layer := b.nodes[0]
	channel, _ := b.channel(0)
	for _, bad := range []string{"", "a b", "grüße", "a/b", "line\n", "a!b", strings.Repeat("x", channellayer.MaxName+1)} {
		calls := map[string]error{
			"GroupAdd":     layer.GroupAdd(ctx, bad, channel),
			"GroupDiscard": layer.GroupDiscard(ctx, bad, channel),
			"GroupSend":    layer.GroupSend(ctx, bad, e),
		}
		if bad != "a!b" { // which is a good name for a channel
			calls["Send"] = layer.Send(ctx, bad, e)
			calls["GroupAdd of it"] = layer.GroupAdd(ctx, "group", bad)
			calls["GroupDiscard of it"] = layer.GroupDiscard(ctx, "group", bad)
		}
		for call, err := range calls {
			if !errors.Is(err, channellayer.ErrInvalidName) {
				b.Errorf("%s with name %q: got error %v, want ErrInvalidName", call, bad, err)
			}
		}
	}
}
