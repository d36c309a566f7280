package server

import (
	"runtime"
	"testing"

	"github.com/belleville/belleville/internal/busy"
)

func TestALoopLeavesItsProcessorToACrowdAndToLongWork(t *testing.T) {
	before := runtime.GOMAXPROCS(2)
	defer runtime.GOMAXPROCS(before)
	l := &loop{server: newLab(Config{}).server}
	if l.contended() {
		t.Error("nobody wants a processor, and the loop thinks so")
	}
	busy.Do(func() {
		if !l.contended() {
			t.Error("a password is hashed, and the loop keeps its processor")
		}
	})
	if l.contended() {
		t.Error("the password is hashed, and the loop still leaves its processor")
	}
	now := l.server.clock.now()
	l.crowd = crowd{last: now, ends: now + 1e6}
	if !l.contended() {
		t.Error("there is a crowd, and the loop keeps its processor")
	}
}
