package server

import "testing"

// A consumer that takes no messages is told of, and its connection stays: the client is not to blame.
func TestAStuckConsumerIsToldOf(t *testing.T) {
	l := newLab(Config{})
	b := l.open(t)
	b.held = true // as Message says when its mailbox is full
	began := b.heard
	for _, tt := range []struct {
		seconds int64
		want    float64
	}{{10, 0}, {29, 0}, {31, 1}, {60, 2}} {
		next, drop := b.expire(began + tt.seconds*ticksInSecond)
		if drop || next <= began+tt.seconds*ticksInSecond {
			t.Errorf("after %d s: next %d, dropped %v", tt.seconds, next, drop)
		}
		if got := registered(l.server.metrics.failures.WithLabelValues("stuck")); got != tt.want {
			t.Errorf("after %d s it was told of %v times, want %v", tt.seconds, got, tt.want)
		}
	}
	b.finish(t)
}
