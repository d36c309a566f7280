package server_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// yardstick is about the least that a Go process can do for WebSockets: one thread, one epoll, raw system calls,
// a byte of state for each connection. It knows no users, no queues and no clients that mean harm; whatever a
// frame is it is whole, and a write is never short. It is what the server's figures are divided by.
type yardstick struct {
	listener, epoll int
	accepted        []int  // descriptors whose handshake was answered, for send
	open            []bool // by descriptor
	buf, out        []byte
	stopped         atomic.Bool
	done            chan struct{}
}

// startYardstick serves on a listener until the benchmark ends.
func startYardstick(b *testing.B, l net.Listener) *yardstick {
	b.Helper()
	y := &yardstick{buf: make([]byte, 64<<10), done: make(chan struct{})}
	raw, err := l.(syscall.Conn).SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(raw.Control(func(fd uintptr) { y.listener, err = unix.Dup(int(fd)) }), err); err != nil {
		b.Fatal(err)
	}
	if y.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(unix.SetNonblock(y.listener, true), y.watch(y.listener, unix.EPOLLIN)); err != nil {
		b.Fatal(err)
	}
	_ = unix.SetsockoptInt(y.listener, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // not on a unix socket
	go y.run()
	b.Cleanup(func() {
		y.stopped.Store(true)
		<-y.done
	})
	return y
}

// watch begins to wait for a descriptor's events.
func (y *yardstick) watch(fd int, events uint32) error {
	return unix.EpollCtl(y.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// run is the thread.
func (y *yardstick) run() {
	runtime.LockOSThread()
	defer close(y.done)
	events := make([]unix.EpollEvent, 512)
	for !y.stopped.Load() {
		n, _ := unix.EpollWait(y.epoll, events, 100)
		for i := range max(n, 0) {
			if fd := int(events[i].Fd); fd == y.listener {
				y.accept()
			} else {
				y.read(fd)
			}
		}
	}
	for fd, open := range y.open {
		if open {
			_ = unix.Close(fd)
		}
	}
	_, _ = unix.Close(y.listener), unix.Close(y.epoll)
}

// accept takes the connections that wait.
func (y *yardstick) accept() {
	for {
		fd, _, err := unix.Accept4(y.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		for len(y.open) <= fd {
			y.open = append(y.open, false)
		}
		_ = y.watch(fd, unix.EPOLLIN|unix.EPOLLET|unix.EPOLLRDHUP)
	}
}

// read answers what has come on a descriptor: a handshake, or frames.
func (y *yardstick) read(fd int) {
	n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&y.buf[0])), uintptr(len(y.buf)))
	data := y.buf[:max(0, int(n))]
	switch {
	case errno == unix.EAGAIN:
		return
	case errno != 0 || n == 0:
		y.open[fd] = false
		_ = unix.Close(fd)
		return
	case !y.open[fd]:
		y.open[fd] = true
		y.accepted = append(y.accepted, fd)
		y.out = appendAnswer(y.out[:0], data)
	default:
		y.out = appendEchoes(y.out[:0], data)
	}
	y.write(fd, y.out)
	if len(y.out) > 0 && y.out[0] == fClose {
		_ = unix.Shutdown(fd, unix.SHUT_WR)
	}
}

// write writes all, or what there is room for.
func (y *yardstick) write(fd int, data []byte) {
	if len(data) > 0 {
		_, _, _ = syscall.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)))
	}
}

// send writes a frame to all. It is called while nobody comes or goes.
func (y *yardstick) send(frame []byte) {
	for _, fd := range y.accepted {
		y.write(fd, frame)
	}
}

// appendAnswer answers a handshake, RFC 6455 §4.2.2, without a look at anything but the key.
func appendAnswer(dst, head []byte) []byte {
	_, rest, _ := bytes.Cut(head, []byte("Sec-WebSocket-Key: "))
	sum := sha1.Sum(append(append([]byte(nil), rest[:24]...), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	return append(base64.StdEncoding.AppendEncode(dst, sum[:]), "\r\n\r\n"...)
}

// appendEchoes answers whole frames with the same, unmasked.
func appendEchoes(dst, data []byte) []byte {
	for len(data) > 0 {
		n, at := int(data[1]&0x7f), 2
		if n == 126 {
			n, at = int(binary.BigEndian.Uint16(data[2:])), 4
		}
		dst = append(append(dst, data[0], data[1]&0x7f), data[2:at]...)
		mask, payload := data[at:at+4], data[at+4:at+4+n]
		for i := range payload {
			dst = append(dst, payload[i]^mask[i&3])
		}
		data = data[at+4+n:]
	}
	return dst
}
