package redislayer

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/redistest"
)

// TestClockIsComparedWithRedis tells of a clock that is off, once, and again when it is off again.
func TestClockIsComparedWithRedis(t *testing.T) {
	server := redistest.Open(t)
	host, err := ParseHost(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	l, err := newLayer(Config{Hosts: []Host{host}, Logger: slog.New(slog.NewTextHandler(&log, nil))}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	s := l.shards[0]
	redis, err := s.client.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	for i, tt := range []struct {
		ahead time.Duration
		lines int
	}{{0, 0}, {time.Hour, 1}, {time.Hour, 1}, {24 * time.Hour, 1}, {time.Second, 1}, {-time.Hour, 2}, {-24 * time.Hour, 2}} {
		now, err := s.client.run(t.Context(), l.scripts.beat, []string{l.keys.nodes(), l.keys.notes(l.names.id)},
			[]string{l.names.id, "30", "86400"})
		if err != nil {
			t.Fatal(err)
		}
		parts, err := now.ToArray()
		if err != nil {
			t.Fatal(err)
		}
		s.compareClocks(time.Now().Add(tt.ahead).Round(0), parts[1]) // Round takes the monotonic clock away
		if got := strings.Count(log.String(), "\n"); got != tt.lines {
			t.Errorf("step %d, %v ahead: %d lines, want %d:\n%s", i, tt.ahead, got, tt.lines, log.String())
		}
	}
	if !strings.Contains(log.String(), "NTP") {
		t.Errorf("logged %s, want what to do", fmt.Sprint(log.String()))
	}
}
