package djangocompat

import (
	"runtime"
	"syscall"
)

// giveWay lets goroutines go first that wait for a processor, and then threads. Meanwhile Go may use the processor that
// it counts as this goroutine's, so that nobody waits for a thread that waits: a lower priority for the thread would
// have the garbage collector wait, too.
func giveWay() {
	runtime.Gosched()
	_, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) // always succeeds
}
