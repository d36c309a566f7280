package channellayer

import (
	"sync"
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

	mu    sync.Mutex // guards memos
	memos []memo
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
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.memos {
		if m.key == key {
			return m.value
		}
	}
	v := compute(d.Event)
	d.memos = append(d.memos, memo{key, v})
	return v
}
