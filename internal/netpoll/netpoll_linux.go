package netpoll

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrAgain means that a socket has nothing to read, or no room to write, for now.
var ErrAgain = errors.New("netpoll: not ready")

// Accept takes a connection from a listening descriptor: a non-blocking one, and its peer, which is invalid
// on a unix socket. ErrAgain means that there is none.
func Accept(fd int) (int, netip.AddrPort, error) {
	for {
		var name unix.RawSockaddrAny // x/sys would ask each socket for its protocol, too
		size := uint32(unix.SizeofSockaddrAny)
		conn, _, errno := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&name)),
			uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch errno {
		case 0:
			return int(conn), addrPort(&name), nil
		case unix.EINTR, unix.ECONNABORTED:
			continue
		}
		return -1, netip.AddrPort{}, again(errno)
	}
}

// IsExhausted reports whether an error means that the process or the system has no descriptor left.
func IsExhausted(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) ||
		errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENOMEM)
}

// addrPort converts a kernel address.
func addrPort(name *unix.RawSockaddrAny) netip.AddrPort {
	switch name.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), hostOrder(in.Port))
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom16(in.Addr).Unmap(), hostOrder(in.Port))
	}
	return netip.AddrPort{}
}

// hostOrder returns a port that is in the order of the network.
func hostOrder(port uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&port))[:])
}

// LocalAddr returns the address that a peer connected to, invalid on a unix socket.
func LocalAddr(fd int) netip.AddrPort {
	var name unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	if _, _, errno := syscall.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&name)),
		uintptr(unsafe.Pointer(&size))); errno != 0 {
		return netip.AddrPort{}
	}
	return addrPort(&name)
}

// Read reads what is there. The end of the stream is 0 bytes without an error.
func Read(fd int, b []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.EINTR {
			return 0, again(errno)
		}
	}
}

// Write writes as much as there is room for.
func Write(fd int, b []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.EINTR {
			return 0, again(errno)
		}
	}
}

// again makes ErrAgain of EAGAIN.
func again(err error) error {
	if errors.Is(err, unix.EAGAIN) {
		return ErrAgain
	}
	return err
}

// CloseWrite sends the end of the stream.
func CloseWrite(fd int) { _ = unix.Shutdown(fd, unix.SHUT_WR) } // it may be gone already

// Close closes a descriptor.
func Close(fd int) { _ = unix.Close(fd) } // there is nothing to be done about an error

// Duplicate returns a non-blocking descriptor of the same socket as l's, whose connections send small
// writes at once. It is the caller's to close.
func Duplicate(l syscall.Conn) (int, error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("listener: %w", err)
	}
	fd, dupErr := -1, error(nil)
	if err := raw.Control(func(have uintptr) {
		fd, dupErr = unix.FcntlInt(have, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return -1, fmt.Errorf("listener: %w", err)
	}
	if dupErr != nil {
		return -1, fmt.Errorf("listener: %w", dupErr)
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)                // a unix socket has no such option
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, mostUnsent) // nor this one
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("listener: %w", err)
	}
	return fd, nil
}

// mostUnsent is how many bytes the kernel keeps of a connection beyond those that are under way. It would keep megabytes
// for a peer that does not read, which then counts as one that does.
const mostUnsent = 128 << 10

// SetUserTimeout makes the connections that a listener accepts from now on end once something that was sent has not
// been acknowledged for so long.
func SetUserTimeout(l syscall.Conn, d time.Duration) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return fmt.Errorf("listener: %w", err)
	}
	var optErr error
	if err := raw.Control(func(fd uintptr) {
		optErr = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(min(d.Milliseconds(), math.MaxInt32)))
	}); err != nil {
		return fmt.Errorf("listener: %w", err)
	}
	if optErr != nil {
		return fmt.Errorf("TCP_USER_TIMEOUT: %w", optErr)
	}
	return nil
}

// UserTimeout returns what SetUserTimeout has set.
func UserTimeout(fd int) (time.Duration, error) {
	ms, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
	if err != nil {
		return 0, fmt.Errorf("TCP_USER_TIMEOUT: %w", err)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// Conn makes a net.Conn of a descriptor, which is closed or the Conn's from then on.
func Conn(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close() // FileConn has its own copy
	return net.FileConn(f)
}

// MaxOpenFiles returns how many descriptors this process may have.
func MaxOpenFiles() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<30))
}
