package demo

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestPresenceCountsTabs(t *testing.T) {
	rs := newRooms()
	steps := []struct {
		name  string
		user  string
		leave bool
		want  []Visitor
	}{
		{name: "the first one is alone", user: "alice", want: []Visitor{{"alice", 1}}},
		{name: "a second user joins, in order of names", user: "Bob", want: []Visitor{{"Bob", 1}, {"alice", 1}}},
		{name: "a second tab is the same visitor", user: "alice", want: []Visitor{{"Bob", 1}, {"alice", 2}}},
		{name: "who closes one of two tabs is still here", user: "alice", leave: true, want: []Visitor{{"Bob", 1}, {"alice", 1}}},
		{name: "who closes the last tab is gone", user: "alice", leave: true, want: []Visitor{{"Bob", 1}}},
		{name: "a room may be empty", user: "Bob", leave: true, want: []Visitor{}},
	}
	var revision int64
	for _, step := range steps {
		var got ChatPresence
		if step.leave {
			got = rs.leave("lobby", step.user)
		} else {
			var err error
			if got, _, err = rs.join("lobby", step.user); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got.Here, step.want) {
			t.Errorf("%s: here = %v, want %v", step.name, got.Here, step.want)
		}
		if got.Revision <= revision {
			t.Errorf("%s: revision %d after %d", step.name, got.Revision, revision)
		}
		revision = got.Revision
	}
}

func TestHistoryIsBounded(t *testing.T) {
	rs := newRooms()
	if _, _, err := rs.join("lobby", "alice"); err != nil {
		t.Fatal(err)
	}
	for i := range maxHistory + 7 {
		rs.say("lobby", ChatMessage{From: "alice", Text: fmt.Sprint(i)})
	}
	_, said, err := rs.join("lobby", "bob")
	if err != nil {
		t.Fatal(err)
	}
	if len(said) != maxHistory || said[0].Text != "7" {
		t.Errorf("%d messages, the first %q; want %d, the first 7", len(said), said[0].Text, maxHistory)
	}
}

func TestMessageIDsGrow(t *testing.T) {
	rs := newRooms()
	now := time.UnixMilli(5000)
	rs.now = func() time.Time { return now }
	if _, _, err := rs.join("lobby", "alice"); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		advance time.Duration
		want    int64
	}{
		{"the first ID is the time, so that a restart does not use one again", 0, 5000},
		{"two in one millisecond differ", 0, 5001},
		{"a clock that goes backwards is no excuse", -time.Second, 5002},
		{"then it is the time again", time.Minute, 64000},
	}
	for _, tt := range tests {
		now = now.Add(tt.advance)
		if got := rs.say("lobby", ChatMessage{}); got.ID != tt.want || got.At != now.UnixMilli() {
			t.Errorf("%s: ID %d at %d, want %d at %d", tt.name, got.ID, got.At, tt.want, now.UnixMilli())
		}
	}
}

func TestRoomsAreBounded(t *testing.T) {
	rs := newRooms()
	now := time.UnixMilli(0)
	rs.now = func() time.Time { now = now.Add(time.Second); return now }
	join := func(room string) error {
		_, _, err := rs.join(room, "alice")
		return err
	}
	for i := range maxRooms {
		if err := join(fmt.Sprint("room", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := join("one-more"); !errors.Is(err, errNoRoomLeft) {
		t.Fatalf("error %v while somebody is in each room, want errNoRoomLeft", err)
	}
	rs.say("room5", ChatMessage{Text: "forgotten"})
	rs.say("room3", ChatMessage{Text: "kept"})
	rs.leave("room5", "alice")
	rs.leave("room3", "alice")
	if err := join("one-more"); err != nil {
		t.Fatal(err)
	}
	if _, said, err := rs.join("room3", "alice"); err != nil || len(said) != 1 {
		t.Errorf("room3 has %v, error %v; it was not the quietest", said, err)
	}
	if rs.byName["room5"] != nil || len(rs.byName) != maxRooms {
		t.Errorf("room5 is still there, or there are %d rooms", len(rs.byName))
	}
}

func TestPace(t *testing.T) {
	p := pace{burst: 3, interval: time.Second}
	now := time.Now()
	tests := []struct {
		name    string
		advance time.Duration
		want    bool
	}{
		{"a burst: the first", 0, true},
		{"a burst: the second", 0, true},
		{"a burst: the third", 0, true},
		{"no more at once", 0, false},
		{"what was refused does not count", 0, false},
		{"too early", 900 * time.Millisecond, false},
		{"one after an interval", 100 * time.Millisecond, true},
		{"and no second one", 0, false},
		{"a full burst after a long silence", time.Hour, true},
		{"still the burst", 0, true},
		{"its last", 0, true},
		{"nothing was saved up beyond it", 0, false},
	}
	for _, tt := range tests {
		now = now.Add(tt.advance)
		if got := p.allow(now); got != tt.want {
			t.Errorf("%s: allow = %v, want %v", tt.name, got, tt.want)
		}
	}
}
