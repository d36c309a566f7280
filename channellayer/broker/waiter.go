package broker

import "slices"

// waiter is somebody who waits for the first entry that any of some keys gets.
type waiter struct {
	// Set at birth, never changed.
	keys  []string
	ended chan struct{} // closed when the waiter got something, or was told to stop

	// Guarded by the database's lock until ended is closed.
	over bool
	key  string // where the entry was
	got  entry
	has  bool
}

func newWaiter(keys []string) *waiter {
	return &waiter{keys: keys, ended: make(chan struct{})}
}

// wait gives w the first entry of its keys, or lets it wait for one.
func (t *tx) wait(w *waiter) {
	for _, name := range w.keys {
		if e, ok := t.popMin(name); ok {
			w.give(name, e)
			return
		}
	}
	for i, name := range w.keys {
		if !slices.Contains(w.keys[:i], name) {
			t.waiting[name] = append(t.waiting[name], w)
		}
	}
}

func (w *waiter) give(key string, e entry) {
	w.key, w.got, w.has, w.over = key, e, true, true
	close(w.ended)
}

// stop ends w's waiting, if it still waits.
func (t *tx) stop(w *waiter) {
	if w.over {
		return
	}
	t.forget(w)
	w.over = true
	close(w.ended)
}

// giveBack undoes what w got and has no use for: who waited is gone.
func (t *tx) giveBack(w *waiter) {
	if w.has {
		w.has = false
		t.add(w.key, w.got.member, w.got.score)
	}
}

// forget takes w out of all lists.
func (t *tx) forget(w *waiter) {
	for _, name := range w.keys {
		list := slices.DeleteFunc(t.waiting[name], func(other *waiter) bool { return other == w })
		if len(list) == 0 {
			delete(t.waiting, name)
			continue
		}
		t.waiting[name] = list
	}
}

// serveWaiting gives what came to those who wait, who waits longest first.
func (t *tx) serveWaiting() {
	for _, name := range t.touched {
		for list := t.waiting[name]; len(list) > 0; list = t.waiting[name] {
			e, ok := t.popMin(name)
			if !ok {
				break
			}
			w := list[0]
			t.forget(w)
			w.give(name, e)
		}
	}
	t.touched = nil
}
