// Package time is a part of Go's own, which the rows of the table of faults add to it: a program that is built with it
// has a wall clock that is off by what a file says. Nothing else is changed, least of all the monotonic clock, so that
// it is for the program as if somebody set the clock of its machine.
package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// stepFile is the environment variable that names the file, which holds a number of seconds, of 8 bytes as they are in
// memory.
const stepFile = "CHAOS_CLOCK"

// step is that number, in a page that the program shares with whoever writes the file.
var step = openStep()

func openStep() *int64 {
	name, _ := syscall.Getenv(stepFile)
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return new(int64)
	}
	page, err := syscall.Mmap(fd, 0, int(unsafe.Sizeof(int64(0))), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("map " + stepFile + ": " + err.Error())
	}
	return (*int64)(unsafe.Pointer(&page[0]))
}

// stepped is what is added to the seconds since 1970.
func stepped() int64 { return atomic.LoadInt64(step) }
