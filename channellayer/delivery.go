package channellayer

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Delivery is one event on its way to any number of receivers in this process. What receivers compute
// from the event alone, such as the frame that shows it, is computed once and shared; see [Delivery.Memo].
type Delivery struct {
	// Event is shared by all receivers and never changed.
	Event Event

	// Expires is the time after which the event is stale: a receiver that had it waiting drops it.
	// Zero means never.
	Expires time.Time

	memos atomic.Pointer[[]memo] // never changed, but replaced by a longer one

	mu sync.Mutex // held while something is computed
}

// memo is one thing that was computed from an event.
type memo struct {
	key   any
	value any
}

// NewDelivery returns a Delivery of e that is stale after expires.
func NewDelivery(e Event, expires time.Time) *Delivery {
	return &Delivery{Event: e, Expires: expires}
}

// Expired reports whether the event is stale at now.
func (d *Delivery) Expired(now time.Time) bool {
	return !d.Expires.IsZero() && now.After(d.Expires)
}

// Memo returns what compute made for key, calling it only the first time, whichever receiver asks. Others
// that ask for any key of this delivery wait meanwhile, so compute is short and asks for no memo itself.
func (d *Delivery) Memo(key any, compute func(Event) any) any {
	if v, ok := d.recall(key); ok {
		return v
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if v, ok := d.recall(key); ok {
		return v
	}
	v := compute(d.Event)
	var memos []memo
	if before := d.memos.Load(); before != nil {
		memos = append(memos, *before...)
	}
	memos = append(memos, memo{key, v})
	d.memos.Store(&memos)
	return v
}

// recall returns what was computed for key. All members of a group ask for it, at the same time from several processors.
func (d *Delivery) recall(key any) (value any, ok bool) {
	if memos := d.memos.Load(); memos != nil {
		for _, m := range *memos {
			if m.key == key {
				return m.value, true
			}
		}
	}
	return nil, false
}
