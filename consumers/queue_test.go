package consumers

import (
	"math/rand/v2"
	"testing"
)

func TestQueueIsFirstInFirstOut(t *testing.T) {
	var q queue[int]
	random := rand.New(rand.NewPCG(1, 2))
	in, out := 0, 0
	for range 10_000 {
		switch {
		case random.IntN(100) == 0:
			q.reset()
			out = in
		case random.IntN(2) == 0:
			q.push(in)
			in++
		case q.len() > 0:
			if got := q.pop(); got != out {
				t.Fatalf("got %d, want %d", got, out)
			}
			out++
		}
		if got := q.len(); got != in-out {
			t.Fatalf("got length %d, want %d", got, in-out)
		}
	}
}

func TestQueueKeepsNothingAlive(t *testing.T) {
	var q queue[*int]
	for range 8 {
		q.push(new(int))
	}
	for range 5 {
		q.pop()
	}
	for i, p := range q.items[:5] {
		if p != nil {
			t.Errorf("item %d is kept though it was taken", i)
		}
	}
	q.push(new(int)) // moves the others down
	q.reset()
	for i, p := range q.items[:cap(q.items)] {
		if p != nil {
			t.Errorf("item %d is kept", i)
		}
	}
}

func TestQueueUsesItsMemoryAgain(t *testing.T) {
	t.Run("one that never runs empty does not grow", func(t *testing.T) {
		var q queue[int]
		q.push(0)
		for range 1000 {
			q.push(0)
			q.pop()
		}
		if got := cap(q.items); got > 8 {
			t.Errorf("got room for %d items, want at most 8", got)
		}
	})
	t.Run("an empty one keeps little", func(t *testing.T) {
		var q queue[int]
		for range 1000 {
			q.push(0)
		}
		q.reset()
		if got := cap(q.items); got > maxKept {
			t.Errorf("got room for %d items, want at most %d", got, maxKept)
		}
	})
}
