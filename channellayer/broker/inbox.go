package broker

import "sync"

const (
	// What may wait in the inbox. A client whose command puts something into one that is full has its answer once there
	// is room again: who sends faster than events are handed out waits, and nothing is lost.
	mostWaiting = 1_000
	mostBytes   = 16 << 20
)

// inbox is what clients have sent to this process's own channels and what was not handed out yet. A client has its answer
// without waiting for that, however many members a group has. It is handed out in the order in which it was put in, by a
// goroutine that exists only while there is something.
type inbox struct {
	// Set at birth, never changed.
	handOut func(effect)
	changed sync.Cond // when something was handed out

	mu      sync.Mutex // guards the fields below
	waiting []effect
	put     uint64 // how many there ever were
	done    uint64 // how many of them were handed out
	bytes   int    // of those that were not
	deepest int
	busy    bool // whether the goroutine runs

	running sync.WaitGroup // waits for the goroutine
}

func newInbox(handOut func(effect)) *inbox {
	i := &inbox{handOut: handOut}
	i.changed.L = &i.mu
	return i
}

// add lets e wait, and returns once there is room for another.
func (i *inbox) add(e effect) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.waiting = append(i.waiting, e)
	i.put++
	i.bytes += len(e.text)
	i.deepest = max(i.deepest, int(i.put-i.done))
	if !i.busy {
		i.busy = true
		i.running.Go(i.run)
	}
	for i.put-i.done >= mostWaiting || i.bytes >= mostBytes {
		i.changed.Wait()
	}
}

// settle waits until all that was put in before is handed out.
func (i *inbox) settle() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for all := i.put; i.done < all; {
		i.changed.Wait()
	}
}

// run hands out what waits, until nothing does.
func (i *inbox) run() {
	for e, more := i.next(); more; e, more = i.next() {
		i.handOut(e)
		i.handedOut(e)
	}
}

// next returns what has waited longest; more is false where nothing waits, and the goroutine ends.
func (i *inbox) next() (e effect, more bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.waiting) == 0 {
		i.waiting, i.busy = nil, false
		return effect{}, false
	}
	e = i.waiting[0]
	i.waiting[0] = effect{} // which keeps nothing alive
	i.waiting = i.waiting[1:]
	return e, true
}

func (i *inbox) handedOut(e effect) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.done++
	i.bytes -= len(e.text)
	i.changed.Broadcast()
}

// depth returns how many wait, and how many ever did at most.
func (i *inbox) depth() (now, most int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return int(i.put - i.done), i.deepest
}
