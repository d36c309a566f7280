package netpoll

import (
	"errors"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Park waits as Wait does, but lets Go's own poller wait for the events: it is the goroutine that sleeps, and not a
// thread, which would keep its processor (GOMAXPROCS) from other goroutines for some tens of microseconds each time,
// until the scheduler takes it away. It is for times in which those have work, and not for all times: an event then
// wakes a thread of Go's first, and one that comes alone costs half as much again; with all processors busy, it may
// wait for ten milliseconds. It may return before the timeout, with none. Without a descriptor to spare it does what
// Wait does.
func (p *Poller) Park(events []Event, timeout int) ([]Event, error) {
	if timeout == 0 {
		n, err := poll(p.fd, p.raw)
		return p.taken(events, n, err)
	}
	if p.berth == nil {
		var err error
		if p.berth, err = newBerth(p.fd); err != nil {
			return p.Wait(events, timeout)
		}
	}
	n, err := p.berth.wait(p.raw, timeout)
	return p.taken(events, n, err)
}

// unpark has Go's poller forget this one, since each event would wake it, too.
func (p *Poller) unpark() error {
	if p.berth == nil {
		return nil
	}
	err := p.berth.file.Close()
	p.berth = nil
	return err
}

// A berth is where a goroutine waits for events of an epoll descriptor: a descriptor of the same that Go's poller
// watches.
type berth struct {
	file     *os.File
	raw      syscall.RawConn
	deadline time.Time // of the file
}

// newBerth makes a berth. It may be closed before or after the descriptor.
func newBerth(epoll int) (*berth, error) {
	fd, err := unix.FcntlInt(uintptr(epoll), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil { // that is how os knows what can be watched
		_ = unix.Close(fd)
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "epoll")
	err = file.SetReadDeadline(time.Time{}) // fails unless it is watched
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &berth{file: file, raw: raw}, nil
}

// wait waits until there are events, or a timeout in milliseconds, at most, is over. It returns how many there are.
func (b *berth) wait(events []unix.EpollEvent, timeout int) (n int, err error) {
	if err := b.limit(timeout); err != nil {
		return 0, err
	}
	waitErr := b.raw.Read(func(fd uintptr) bool {
		n, err = poll(int(fd), events)
		return n > 0 || err != nil
	})
	if waitErr != nil && !errors.Is(waitErr, os.ErrDeadlineExceeded) {
		return 0, waitErr
	}
	return n, err
}

// limit has the file's deadline be no later than a timeout from now. One that is still to come is kept, as moving it
// costs as much as a system call.
func (b *berth) limit(timeout int) error {
	var deadline time.Time
	if timeout > 0 {
		now := time.Now()
		deadline = now.Add(time.Duration(timeout) * time.Millisecond)
		if b.deadline.After(now) && !b.deadline.After(deadline) {
			return nil
		}
	} else if b.deadline.IsZero() {
		return nil
	}
	b.deadline = deadline
	return b.file.SetReadDeadline(deadline)
}

// poll takes the events that there are. It never blocks, so that the scheduler need not know of it.
func poll(epoll int, events []unix.EpollEvent) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))),
			uintptr(len(events)), 0, 0, 0)
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}
