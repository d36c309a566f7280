package netpoll

import (
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// An Event says what has become possible on a descriptor.
type Event struct {
	// Token is what the descriptor was added with.
	Token    uint64
	Readable bool // also at the end of the stream, and after an error
	Writable bool
	HungUp   bool // the peer has ended its side: reading will come to the end
}

// wakeToken marks the Poller's own eventfd.
const wakeToken = ^uint64(0)

// A Poller waits for events of many descriptors. Wake may be called from anywhere; the other methods
// are for one goroutine.
type Poller struct {
	fd     int
	wakeFD int
	raw    []unix.EpollEvent
	woken  atomic.Bool // a wake-up is on its way
	berth  *berth      // while there is use for it
}

// Open makes a Poller that returns up to batch events at a time.
func Open(batch int) (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	wakeFD, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	p := &Poller{fd: fd, wakeFD: wakeFD, raw: make([]unix.EpollEvent, batch)}
	if err := p.control(unix.EPOLL_CTL_ADD, wakeFD, unix.EPOLLIN|unix.EPOLLET, wakeToken); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// Close gives the Poller's own descriptors back.
func (p *Poller) Close() error {
	return errors.Join(p.unpark(), unix.Close(p.wakeFD), unix.Close(p.fd))
}

// reads is what Add watches.
const reads = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

// Add begins to watch a connection for what can be read, edge-triggered: an event comes when something becomes
// possible, not while it is. Closing the descriptor ends it.
func (p *Poller) Add(fd int, token uint64) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, reads, token)
}

// AddWrites begins to watch a connection for room to write as well, as is needed once there was none: an event
// comes as soon as there is some, be it at once. It is not watched before, since on a unix socket there is news
// of that each time the peer has read.
func (p *Poller) AddWrites(fd int, token uint64) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, reads|unix.EPOLLOUT, token)
}

// RemoveWrites ends what AddWrites began.
func (p *Poller) RemoveWrites(fd int, token uint64) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, reads, token)
}

// AddListener begins to watch a listening descriptor that other Pollers may watch too: one of them is told
// of each connection.
func (p *Poller) AddListener(fd int, token uint64) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN|unix.EPOLLEXCLUSIVE, token)
}

// Remove ends watching a descriptor that stays open.
func (p *Poller) Remove(fd int) error {
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// control adds or changes a descriptor. The token takes the place of the descriptor in the kernel's event.
func (p *Poller) control(op, fd int, events uint32, token uint64) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(uint32(token)), Pad: int32(uint32(token >> 32))}
	if err := unix.EpollCtl(p.fd, op, fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// Wait appends the events that have come to events[:0] and returns them. It waits up to timeout milliseconds,
// for ever if that is negative, and returns early, perhaps with none, after Wake. The thread
// sleeps in the kernel, which costs least and has an event wake it at once.
func (p *Poller) Wait(events []Event, timeout int) ([]Event, error) {
	if err := p.unpark(); err != nil {
		return events[:0], err
	}
	n, err := unix.EpollWait(p.fd, p.raw, timeout)
	return p.taken(events, n, err)
}

// taken returns what a wait returns of what the kernel has answered: n events, or an error.
func (p *Poller) taken(events []Event, n int, err error) ([]Event, error) {
	events = events[:0]
	if err != nil && !errors.Is(err, unix.EINTR) {
		return events, fmt.Errorf("epoll_wait: %w", err)
	}
	for i := range max(n, 0) {
		ev := &p.raw[i]
		token := uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32
		if token == wakeToken {
			p.drainWake()
			continue
		}
		events = append(events, Event{
			Token:    token,
			Readable: ev.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0,
			Writable: ev.Events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0,
			HungUp:   ev.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0,
		})
	}
	return events, nil
}

// Wake makes Wait or Park return. Several calls before it does are one.
func (p *Poller) Wake() {
	if !p.woken.CompareAndSwap(false, true) {
		return
	}
	one := [8]byte{1}
	_, _ = unix.Write(p.wakeFD, one[:]) // it can only be full, which wakes too
}

// drainWake makes room for the next wake-up.
func (p *Poller) drainWake() {
	var count [8]byte
	_, _ = unix.Read(p.wakeFD, count[:])
	p.woken.Store(false)
}
