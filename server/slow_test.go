package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/gobwas/ws"
)

// payloads returns what was written to the peer: the payloads of messages, and the codes of close frames.
func (b *bench) payloads(t *testing.T) (said []string) {
	t.Helper()
	for rest := b.written; len(rest) > 0; {
		h, size := serverHeader(t, rest)
		payload := rest[size : size+int(h.Length)]
		if h.OpCode == ws.OpClose {
			code, _ := closeCode(payload)
			payload = fmt.Append(nil, code)
		}
		said = append(said, string(payload))
		rest = rest[size+int(h.Length):]
	}
	return said
}

func TestWhatBecomesOfASlowClient(t *testing.T) {
	type message struct{ key, text string }
	plain := func(texts ...string) (all []message) {
		for _, s := range texts {
			all = append(all, message{"", s})
		}
		return all
	}
	tests := []struct {
		name   string
		policy consumers.SlowClient
		say    []message // four may wait
		want   []string
		drops  float64
	}{
		{"by default it is closed", consumers.CloseSlow, plain("1", "2", "3", "4", "5"), []string{"1013"}, 0},
		{"by default nothing is dropped before", consumers.CloseSlow, plain("1", "2", "3", "4"), []string{"1", "2", "3", "4"}, 0},
		{"drop_oldest keeps the last", consumers.DropOldest, plain("1", "2", "3", "4", "5", "6"), []string{"3", "4", "5", "6"}, 2},
		{"drop_newest keeps the first", consumers.DropNewest, plain("1", "2", "3", "4", "5", "6"), []string{"1", "2", "3", "4"}, 2},
		{"drop_oldest drops several for a large one", consumers.DropOldest, plain("1", "2", "3", strings.Repeat("x", 192)), []string{"3", strings.Repeat("x", 192)}, 2},
		{"keep_latest keeps the latest of each key, in their order", consumers.KeepLatest, []message{{"a", "a1"}, {"b", "b1"}, {"a", "a2"}, {"c", "c1"}, {"a", "a3"}}, []string{"b1", "c1", "a3"}, 2},
		{"keep_latest keeps what has no key", consumers.KeepLatest, []message{{"", "1"}, {"a", "a1"}, {"", "2"}, {"a", "a2"}}, []string{"1", "2", "a2"}, 1},
		{"keep_latest drops the oldest of too many keys", consumers.KeepLatest, []message{{"a", "a"}, {"b", "b"}, {"c", "c"}, {"d", "d"}, {"e", "e"}}, []string{"b", "c", "d", "e"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(Config{QueueFrames: 4, QueueBytes: 200})
			b := l.open(t)
			b.out.policy, b.out.stuck = tt.policy, true // for longer than one is patient
			b.out.behind = uint32(l.server.clock.now() - grace)
			for i, m := range tt.say {
				err := b.Send(consumers.Message{Kind: consumers.Text, Data: []byte(m.text), Key: m.key}, nil)
				if closed := tt.policy == consumers.CloseSlow && i >= 4; (err != nil) != closed {
					t.Fatalf("message %d: %v", i, err)
				}
			}
			b.settle(t)
			if got := b.payloads(t); !slices.Equal(got, tt.want) {
				t.Errorf("the client got %q, want %q", got, tt.want)
			}
			if b.out.queue != nil {
				t.Errorf("%d frames of %d bytes are counted though none waits", b.out.count, b.out.bytes)
			}
			if got := registered(l.server.metrics.shed.WithLabelValues(tt.policy.String())); got != tt.drops {
				t.Errorf("%v drops were counted, want %v", got, tt.drops)
			}
			b.finish(t)
		})
	}
}

// A client that reads gets everything, whatever the policy is.
func TestAClientThatKeepsUpMissesNothing(t *testing.T) {
	for policy := consumers.CloseSlow; policy <= consumers.KeepLatest; policy++ {
		t.Run(policy.String(), func(t *testing.T) {
			b := newLab(Config{QueueFrames: 4}).open(t)
			b.out.policy = policy
			var want []string
			for i := range 100 {
				text := fmt.Sprint(i)
				want = append(want, text)
				if err := b.Send(consumers.Message{Kind: consumers.Text, Data: []byte(text), Key: "k"}, nil); err != nil {
					t.Fatal(err)
				}
				if i%10 == 9 {
					b.settle(t)
				}
			}
			if got := b.payloads(t); !slices.Equal(got, want) {
				t.Errorf("the client got %d messages, want %d", len(got), len(want))
			}
			b.finish(t)
		})
	}
}

// Who was behind for a moment only may read faster than the kernel takes: more may wait for it.
func TestAMomentIsNoSlowness(t *testing.T) {
	b := newLab(Config{QueueFrames: 4, QueueBytes: 200}).open(t)
	b.mu.Lock()
	b.out.tookAll(false, b.server.clock.now())
	b.mu.Unlock()
	for i := range 4 * burst {
		if err := b.Send(consumers.TextMessage("x"), nil); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	b.mu.Lock()
	b.out.behind -= grace
	b.mu.Unlock()
	if err := b.Send(consumers.TextMessage("x"), nil); err == nil {
		t.Error("who stays behind is not closed")
	}
	b.finish(t)
}

// What the writer has taken is never dropped, and goes before what comes later.
func TestAWriterNeverGivesBackWhatItTook(t *testing.T) {
	b := newLab(Config{QueueFrames: 8}).open(t)
	b.out.policy = consumers.DropOldest
	for i := range 8 {
		_ = b.Send(consumers.TextMessage(fmt.Sprint(i, strings.Repeat("x", takeAtOnce/2))), nil)
	}
	stuck := func([]byte) (int, error) { return 0, context.Canceled }
	if _, err := b.flush(make([]byte, 10), stuck); err == nil {
		t.Fatal("a peer that takes nothing was written to")
	}
	b.out.behind -= grace
	for i := 8; i < 30; i++ {
		_ = b.Send(consumers.TextMessage(fmt.Sprint(i, "y")), nil)
	}
	b.settle(t)
	var got []string
	for _, s := range b.payloads(t) {
		got = append(got, strings.TrimRight(s, "xy"))
	}
	if want := []string{"0", "23", "24", "25", "26", "27", "28", "29"}; !slices.Equal(got, want) {
		t.Errorf("the client got %q, want %q", got, want)
	}
	b.finish(t)
}

func TestPoliciesHaveNames(t *testing.T) {
	for policy := consumers.CloseSlow; policy <= consumers.KeepLatest; policy++ {
		if got, ok := consumers.ParseSlowClient(policy.String()); !ok || got != policy {
			t.Errorf("ParseSlowClient(%q) = %v, %v", policy, got, ok)
		}
	}
	if _, ok := consumers.ParseSlowClient(""); ok {
		t.Error("a policy without a name was understood")
	}
}
