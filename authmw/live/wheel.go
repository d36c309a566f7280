package live

import (
	"math/rand/v2"
	"time"
)

// tick is how exactly the time of a session is kept.
const tick = 100 * time.Millisecond

// The places of a session that is in no slot of the wheel.
const (
	nowhere = -1 // it is being asked about, or is new
	urgent  = -2 // it is asked about next
)

// wheel knows which sessions are to be asked about when: its slots are ticks, of which it has as many as an
// interval. A session that expires sooner stands in the slot of that time. It is guarded by Live.mu.
type wheel struct {
	slots []*watched // the first of each slot
	hand  int        // the slot whose time has come
	at    time.Time  // the time of the hand
	rush  *watched   // the first of those that are urgent
}

func newWheel(interval time.Duration, now time.Time) wheel {
	return wheel{slots: make([]*watched, max(2, int(interval/tick)+1)), at: now}
}

// place puts a session where it will be asked about within the interval, or when it expires. Sessions that came
// together are spread.
func (wh *wheel) place(w *watched, now time.Time) {
	wh.drop(w)
	last := len(wh.slots) - 1
	ticks := last - rand.IntN(last/4+1)
	if w.expires != 0 {
		left := time.Unix(0, w.expires).Sub(now)
		if left < time.Duration(ticks)*tick {
			ticks = max(1, int(left/tick)+2) // the tick after it has expired
		}
	}
	wh.putIn(w, ticks)
}

// firstLook is the shortest time after which a new session is asked about, and the room for more: when it expires
// is not known before.
const firstLook = time.Second

// placeFirst puts a new session where it will be asked about soon, apart from those that came with it.
func (wh *wheel) placeFirst(w *watched) {
	wh.drop(w)
	wh.putIn(w, int(firstLook/tick)+rand.IntN(2*int(firstLook/tick)))
}

// putIn puts a session where the hand will be after so many ticks, which are no more than there are slots.
func (wh *wheel) putIn(w *watched, ticks int) {
	wh.put(w, int32((wh.hand+min(ticks, len(wh.slots)-1))%len(wh.slots)))
}

// hurry puts a session where it is asked about next, unless the answer is already awaited.
func (wh *wheel) hurry(w *watched) {
	if w.asking || w.slot == urgent {
		return
	}
	wh.drop(w)
	wh.put(w, urgent)
}

func (wh *wheel) first(slot int32) **watched {
	if slot == urgent {
		return &wh.rush
	}
	return &wh.slots[slot]
}

func (wh *wheel) put(w *watched, slot int32) {
	first := wh.first(slot)
	w.slot, w.next, w.previous = slot, *first, nil
	if w.next != nil {
		w.next.previous = w
	}
	*first = w
}

// drop takes a session out of the wheel.
func (wh *wheel) drop(w *watched) {
	if w.slot == nowhere {
		return
	}
	if w.next != nil {
		w.next.previous = w.previous
	}
	if w.previous != nil {
		w.previous.next = w.next
	} else {
		*wh.first(w.slot) = w.next
	}
	w.slot, w.next, w.previous = nowhere, nil, nil
}

// turn moves the hand to now; what it passes becomes urgent. It reports whether that was anything.
func (wh *wheel) turn(now time.Time) (passed bool) {
	behind := int(now.Sub(wh.at) / tick)
	wh.at = wh.at.Add(time.Duration(behind) * tick)
	for range min(behind, len(wh.slots)) {
		wh.hand = (wh.hand + 1) % len(wh.slots)
		for w := wh.slots[wh.hand]; w != nil; w = wh.slots[wh.hand] {
			wh.drop(w)
			wh.put(w, urgent)
			passed = true
		}
	}
	return passed
}

// take returns up to n of those that are urgent; they are nowhere then.
func (wh *wheel) take(n int) []*watched {
	var due []*watched
	for wh.rush != nil && len(due) < n {
		w := wh.rush
		wh.drop(w)
		due = append(due, w)
	}
	return due
}

// soon returns up to n of those whose time comes in the next quarter of the interval; they are nowhere then. Where
// a query goes out anyway it takes them along, so that queries are few and large though sessions are spread.
func (wh *wheel) soon(n int) []*watched {
	var due []*watched
	for i := 1; i <= len(wh.slots)/4; i++ {
		slot := (wh.hand + i) % len(wh.slots)
		for w := wh.slots[slot]; w != nil && len(due) < n; w = wh.slots[slot] {
			wh.drop(w)
			due = append(due, w)
		}
	}
	return due
}
