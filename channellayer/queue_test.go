package channellayer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/channellayer"
)

func ExampleQueue() {
	q := channellayer.NewQueue()
	q.Receive(channellayer.NewDelivery(channellayer.Event{"type": "chat.message"}, time.Time{}), 100)
	e, err := q.Next(context.Background())
	fmt.Println(e.Type(), err)
	// Output: chat.message <nil>
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := channellayer.NewQueue()
		in := func(d time.Duration, typ string) *channellayer.Delivery {
			return channellayer.NewDelivery(channellayer.Event{"type": typ}, time.Now().Add(d))
		}
		if !q.Receive(in(time.Second, "1"), 3) || !q.Receive(in(time.Minute, "2"), 3) || !q.Receive(in(time.Second, "3"), 3) {
			t.Error("an event was refused below capacity")
		}
		if q.Receive(in(time.Minute, "4"), 3) {
			t.Error("a fourth event was taken at capacity 3")
		}
		if got := q.Len(); got != 3 {
			t.Errorf("Len = %d, want 3", got)
		}
		<-time.After(2 * time.Second)
		if !q.Receive(in(time.Second, "5"), 3) || !q.Receive(in(time.Minute, "6"), 3) {
			t.Error("what became stale leaves no room")
		}
		if got := q.Stale(); got != 2 {
			t.Errorf("Stale = %d, want 2", got)
		}
		<-time.After(2 * time.Second)
		for _, want := range []string{"2", "6"} {
			if e, err := q.Next(t.Context()); err != nil || e.Type() != want {
				t.Errorf("Next = %v, error %v; want %s", e, err, want)
			}
		}
		if q.Len() != 0 || q.Stale() != 3 {
			t.Errorf("Len = %d, Stale = %d; want 0, 3", q.Len(), q.Stale())
		}
	})
}

func TestQueueNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := channellayer.NewQueue()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if _, err := q.Next(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("got error %v after %v, want the context's after a minute", err, time.Since(start))
		}
		q.Receive(newDelivery("x"), 1)
		if e, err := q.Next(ctx); err != nil || e.Type() != "x" {
			t.Errorf("what waits already is not given: %v, error %v", e, err)
		}
	})
}

// TestQueueManyReaders checks that no reader sleeps while events wait: in a bubble that would be a deadlock.
func TestQueueManyReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const readers, rounds = 4, 500
		q := channellayer.NewQueue()
		for range rounds {
			var busy sync.WaitGroup
			for range readers {
				busy.Go(func() {
					if _, err := q.Next(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			for range readers {
				if !q.Receive(newDelivery("x"), readers) {
					t.Error("an event was refused")
				}
			}
			busy.Wait()
		}
		if got := q.Len(); got != 0 {
			t.Errorf("%d events are left, want 0", got)
		}
	})
}
