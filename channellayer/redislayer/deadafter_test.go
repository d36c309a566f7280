package redislayer_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/redistest"
)

// TestANodeWithLessPatienceIsNamed has a node that takes others for dead sooner than they say that they live.
func TestANodeWithLessPatienceIsNamed(t *testing.T) {
	server := redistest.Open(t)
	j := new(journal)
	ours := open(t, redislayer.Config{Hosts: hosts(t, server), Heartbeat: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(j, nil))})
	_, q := channel(t, ours, "room")
	other := open(t, redislayer.Config{Hosts: hosts(t, server), Heartbeat: 100 * time.Millisecond, DeadAfter: 300 * time.Millisecond})
	want(t, q, gap()) // it was swept, and has made its memberships anew
	if text := j.String(); !strings.Contains(text, "DeadAfter is shorter") {
		t.Errorf("logged %q, want a line about DeadAfter", text)
	}
	must(t, other.Close()) // which would do it again
	must(t, ours.GroupSend(t.Context(), "room", said(1)))
	for e := next(t, q); e.Type() == redislayer.GapType; e = next(t, q) {
		continue // as often as it was swept
	}
}

func TestDeadAfterIsThreeHeartbeatsAtLeast(t *testing.T) {
	server := redistest.Open(t)
	tests := []struct {
		name                 string
		heartbeat, deadAfter time.Duration
		ok                   bool
	}{
		{"three heartbeats", time.Second, 3 * time.Second, true},
		{"less", time.Second, 2 * time.Second, false},
		{"less than three of the default", 0, 14 * time.Second, false},
		{"a long heartbeat makes the default longer", time.Minute, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := redislayer.New(t.Context(), redislayer.Config{Hosts: hosts(t, server), Heartbeat: tt.heartbeat, DeadAfter: tt.deadAfter})
			if (err == nil) != tt.ok {
				t.Errorf("New = %v, want it to be taken: %t", err, tt.ok)
			}
			if err == nil {
				must(t, l.Close())
			}
		})
	}
}
