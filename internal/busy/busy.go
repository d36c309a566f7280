// Package busy knows how many goroutines have work for which they need a processor (GOMAXPROCS) for much longer than a
// message does, such as the hash of a password. There is one such number in a process, since all of it shares the processors.
package busy

import (
	"runtime"
	"sync/atomic"
)

var (
	workers    atomic.Int32 // goroutines that have such work
	processors atomic.Int32 // as of when the last of them began
)

// Do calls f, which is such work. It may be called from anywhere.
func Do(f func()) {
	processors.Store(int32(runtime.GOMAXPROCS(0)))
	workers.Add(1)
	defer workers.Add(-1)
	f()
}

// Some reports whether there is such work now, but not for all processors: one is left to wait for what happens. It may be
// called from anywhere, and costs next to nothing.
func Some() bool {
	n := workers.Load()
	return n > 0 && n < processors.Load()
}
