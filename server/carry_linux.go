package server

import "github.com/belleville/belleville/channellayer"

const (
	// loadsInARow is how many events a loop brings to its connections before it writes to those: what comes in a row leaves
	// together, and no outbox is filled by more than its connection could take.
	loadsInARow = 64

	// maxFreight is for how many receivers events may wait before whoever has more of them waits, too. It is a second's work
	// of a loop, and 96 MiB, and no less, since who waits takes nothing from Redis, which then has no room for what a site
	// sends all at once.
	maxFreight = 4 << 20

	// keptLoads is how many loads an empty freight has room for.
	keptLoads = 1 << 10
)

// freight is the channel layer's events that wait for a loop to bring them.
type freight struct {
	loads     []channellayer.Load
	head      int  // what stands before it was taken
	receivers int  // of those that wait
	under     bool // the last one that was taken may not be delivered yet
}

// put adds a load behind the others.
func (f *freight) put(load channellayer.Load) {
	if len(f.loads) == cap(f.loads) && f.head > len(f.loads)/2 {
		n := copy(f.loads, f.loads[f.head:])
		clear(f.loads[n:])
		f.loads, f.head = f.loads[:n], 0
	}
	f.loads = append(f.loads, load)
	f.receivers += load.Len()
}

// take returns the first load that waits.
func (f *freight) take() (load channellayer.Load, ok bool) {
	if f.head == len(f.loads) {
		return load, false
	}
	load = f.loads[f.head]
	f.loads[f.head] = channellayer.Load{}
	f.receivers -= load.Len()
	if f.head++; f.head == len(f.loads) {
		f.head, f.loads = 0, f.loads[:0]
		if cap(f.loads) > keptLoads {
			f.loads = nil
		}
	}
	return load, true
}

// carrier implements driver.
func (l *loop) carrier() channellayer.Carrier { return l }

// Carry implements [channellayer.Carrier].
func (l *loop) Carry(load channellayer.Load) {
	l.mu.Lock()
	for l.freight.receivers >= maxFreight && !l.stopped {
		l.room.Wait()
	}
	if l.stopped {
		l.mu.Unlock()
		load.Deliver() // to nobody who listens
		return
	}
	l.freight.put(load)
	wake := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if wake {
		l.poller.Wake()
	}
}

// Idle implements [channellayer.Carrier].
func (l *loop) Idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.freight.under && len(l.freight.loads) == 0
}

// deliver brings events to their receivers, whose connections are posted if there is something to write.
func (l *loop) deliver() {
	for range loadsInARow {
		load, ok := l.nextLoad()
		if !ok {
			return
		}
		load.Deliver()
	}
}

// nextLoad takes an event that is to be brought.
func (l *loop) nextLoad() (load channellayer.Load, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	crowded := l.freight.receivers >= maxFreight
	load, ok = l.freight.take()
	l.freight.under = ok
	if crowded {
		l.room.Broadcast()
	}
	return load, ok
}
