package busy_test

import (
	"runtime"
	"testing"

	"github.com/belleville/belleville/internal/busy"
)

// with sets GOMAXPROCS for a test.
func with(t *testing.T, processors int) {
	before := runtime.GOMAXPROCS(processors)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

func TestWorkIsKnownWhileItIsDone(t *testing.T) {
	with(t, 3)
	if busy.Some() {
		t.Fatal("there is work before any was given")
	}
	busy.Do(func() {
		busy.Do(func() {})
		if !busy.Some() {
			t.Error("the end of one work hides another")
		}
	})
	if busy.Some() {
		t.Error("there is work after all has ended")
	}
}

func TestAProcessorIsLeftOrNot(t *testing.T) {
	with(t, 2)
	busy.Do(func() {
		if !busy.Some() {
			t.Error("one of two: a processor is left")
		}
		busy.Do(func() {
			if busy.Some() {
				t.Error("two of two: no processor is left")
			}
		})
	})
	with(t, 1)
	busy.Do(func() {
		if busy.Some() {
			t.Error("one of one: no processor is left")
		}
	})
}

func TestWorkThatPanicsIsOver(t *testing.T) {
	with(t, 2)
	func() {
		defer func() { _ = recover() }()
		busy.Do(func() { panic("as a damaged hash might") })
	}()
	if busy.Some() {
		t.Error("there is work after it panicked")
	}
}
