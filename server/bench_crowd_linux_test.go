package server_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belleville/belleville/internal/netpoll"
)

// crowd is many clients in a process of their own: one goroutine, one epoll, so that the other processor is
// the server's.
type crowd struct {
	crowdAim
	sockaddr unix.Sockaddr
	family   int
	poller   *netpoll.Poller
	events   []netpoll.Event
	buf      []byte
	members  []*member
	open     int // members whose handshake was answered with 101
	visitors int // how many there were so far, for the cookies

	// What is going on.
	opened func(*member) error
	heard  func(*member, []byte) error
	gone   func(*member) error
	stdin  func()
}

// crowdAim says where to connect to.
type crowdAim struct {
	Network, Address string
	Visitors         int // how many sessions there are; 0: no cookies
}

// member is one client.
type member struct {
	fd, slot int
	gen      uint32
	greeted  bool // the request was sent
	open     bool
	got      int // bytes of a reply that is not whole
	left     int // replies to come
}

const stdinToken = 1<<32 - 1 // no member's, for their generations begin at 1

// crowdOrder is what a crowd is told.
type crowdOrder struct {
	N      int // connections, handshakes, or messages for each connection
	Window int // handshakes at a time
	Size   int // of a message, or of what makes a round
}

// newCrowd is the crowd's role.
func newCrowd() (role, error) {
	p, err := netpoll.Open(1024)
	if err != nil {
		return nil, err
	}
	c := &crowd{poller: p, buf: make([]byte, 256<<10)}
	return func(verb string, args json.RawMessage) (any, error) {
		if verb == "aim" {
			if err := json.Unmarshal(args, &c.crowdAim); err != nil {
				return nil, err
			}
			return nil, c.resolve()
		}
		var o crowdOrder
		if err := json.Unmarshal(args, &o); err != nil {
			return nil, err
		}
		c.opened, c.heard = func(*member) error { return nil }, func(*member, []byte) error { return nil }
		c.gone = func(*member) error { return errors.New("the server hung up") }
		switch verb {
		case "hold":
			return nil, c.hold(o)
		case "churn":
			return nil, c.churn(o)
		case "leave":
			return nil, c.leave()
		case "echo":
			return nil, c.echo(o)
		case "listen":
			return nil, c.listen(o)
		}
		return nil, errors.New("no such order")
	}, nil
}

// resolve finds the kernel's form of the address.
func (c *crowd) resolve() error {
	if c.Network == "unix" {
		c.family, c.sockaddr = unix.AF_UNIX, &unix.SockaddrUnix{Name: c.Address}
		return nil
	}
	a, err := net.ResolveTCPAddr("tcp4", c.Address)
	if err != nil {
		return err
	}
	c.family, c.sockaddr = unix.AF_INET, &unix.SockaddrInet4{Port: a.Port, Addr: [4]byte(a.IP.To4())}
	return nil
}

// connect begins a connection, in the place of an old one or in a new one.
func (c *crowd) connect(m *member) error {
	fd, err := unix.Socket(c.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := unix.Connect(fd, c.sockaddr); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connect: %w", err)
	}
	if m == nil {
		m = &member{slot: len(c.members)}
		c.members = append(c.members, m)
	}
	*m = member{fd: fd, slot: m.slot, gen: m.gen + 1}
	return errors.Join(c.poller.Add(fd, m.token()), c.poller.AddWrites(fd, m.token()))
}

// token names a member to the kernel.
func (m *member) token() uint64 { return uint64(m.gen)<<32 | uint64(m.slot) }

// greet sends the request, with a cookie of one of the visitors.
func (c *crowd) greet(m *member) error {
	m.greeted = true
	if err := c.poller.RemoveWrites(m.fd, m.token()); err != nil {
		return err
	}
	head := goodHead
	if c.Visitors > 0 {
		head = with("", "Cookie: csrftoken=abc; sessionid="+sessionKey(c.visitors%c.Visitors)+"\r\n")
	}
	c.visitors++
	return c.say(m, head)
}

// say writes what is small enough for any socket's buffer.
func (c *crowd) say(m *member, text string) error {
	if n, err := netpoll.Write(m.fd, []byte(text)); err != nil || n < len(text) {
		return fmt.Errorf("wrote %d bytes of %d: %w", n, len(text), err)
	}
	return nil
}

// pump lets things happen until something is so.
func (c *crowd) pump(until func() bool) error {
	last := time.Now()
	for !until() {
		var err error
		if c.events, err = c.poller.Wait(c.events, int(patience.Milliseconds())); err != nil {
			return err
		}
		now := time.Now()
		if len(c.events) == 0 && now.Sub(last) >= patience { // a signal is no event
			return errors.New("nothing happens any more")
		}
		if len(c.events) > 0 {
			last = now
		}
		for _, ev := range c.events {
			if err := c.event(ev); err != nil {
				return err
			}
		}
	}
	return nil
}

// event does what has become possible.
func (c *crowd) event(ev netpoll.Event) error {
	if ev.Token == stdinToken {
		c.stdin()
		return nil
	}
	m := c.members[uint32(ev.Token)]
	if m.gen != uint32(ev.Token>>32) || m.fd < 0 {
		return nil
	}
	if ev.Writable && !m.greeted {
		if err := c.greet(m); err != nil {
			return err
		}
	}
	if !ev.Readable {
		return nil
	}
	for m.fd >= 0 {
		n, err := netpoll.Read(m.fd, c.buf)
		switch {
		case errors.Is(err, netpoll.ErrAgain):
			return nil
		case err != nil || n == 0:
			netpoll.Close(m.fd)
			m.fd = -1
			return c.gone(m)
		}
		if err := c.hear(m, c.buf[:n]); err != nil {
			return err
		}
		if n < len(c.buf) && !ev.HungUp {
			return nil
		}
	}
	return nil
}

// hear takes the answer to the handshake, then what follows. The answer is so short that it comes whole.
func (c *crowd) hear(m *member, data []byte) error {
	if !m.open {
		head, rest, whole := bytes.Cut(data, []byte("\r\n\r\n"))
		if !whole || !strings.HasPrefix(string(head), "HTTP/1.1 101 ") {
			return fmt.Errorf("the handshake was answered %.40q", data)
		}
		m.open = true
		c.open++
		if err := c.opened(m); err != nil {
			return err
		}
		data = rest
	}
	if len(data) == 0 {
		return nil
	}
	return c.heard(m, data)
}

// hold opens connections until there are N.
func (c *crowd) hold(o crowdOrder) error {
	next := func(*member) error {
		if len(c.members) >= o.N {
			return nil
		}
		return c.connect(nil)
	}
	c.opened = next
	for range min(o.Window, o.N-len(c.members)) {
		if err := next(nil); err != nil {
			return err
		}
	}
	return c.pump(func() bool { return c.open >= o.N })
}

// leave closes all connections without a word.
func (c *crowd) leave() error {
	for _, m := range c.members {
		if m.fd >= 0 {
			netpoll.Close(m.fd)
			m.fd = -1
		}
	}
	c.members, c.open = nil, 0
	return nil
}

// churn opens and closes N connections, a Window at a time: handshake, close frame, the server's answer, the end.
func (c *crowd) churn(o crowdOrder) error {
	begun, ended := 0, 0
	goodbye := frame(fClose, closePayload(1000, ""))
	c.opened = func(m *member) error { return c.say(m, goodbye) }
	c.gone = func(m *member) error {
		if !m.open {
			return errors.New("the server hung up before it answered")
		}
		c.open--
		ended++
		if begun >= o.N {
			return nil
		}
		begun++
		return c.connect(m)
	}
	for _, m := range c.members[:min(o.Window, o.N, len(c.members))] {
		begun++
		if err := c.connect(m); err != nil {
			return err
		}
	}
	for range min(o.Window, o.N) - begun {
		begun++
		if err := c.connect(nil); err != nil {
			return err
		}
	}
	return c.pump(func() bool { return ended >= o.N })
}

// echo has each member say a message N times, each time when the last one has come back.
func (c *crowd) echo(o crowdOrder) error {
	message := frame(fText, repeat("x", o.Size))
	whole := len(message) - 4 // what comes back has no mask
	busy := len(c.members)
	c.heard = func(m *member, data []byte) error {
		m.got += len(data)
		if m.got < whole {
			return nil
		}
		m.got -= whole
		if m.left--; m.left > 0 {
			return c.say(m, message)
		}
		busy--
		return nil
	}
	for _, m := range c.members {
		m.left = o.N
		if err := c.say(m, message); err != nil {
			return err
		}
	}
	return c.pump(func() bool { return busy == 0 })
}

// listen writes a dot each time that Size bytes have come to all members together, until the parent says a word.
func (c *crowd) listen(o crowdOrder) error {
	total, done := 0, false
	c.heard = func(_ *member, data []byte) error {
		for total += len(data); total >= o.Size; total -= o.Size {
			if _, err := os.Stdout.WriteString("."); err != nil {
				return err
			}
		}
		return nil
	}
	c.stdin = func() {
		var b [1]byte
		_, err := unix.Read(0, b[:])
		done = err == nil
	}
	if err := c.poller.Add(0, stdinToken); err != nil {
		return err
	}
	if _, err := os.Stdout.WriteString("."); err != nil {
		return err
	}
	return errors.Join(c.pump(func() bool { return done }), c.poller.Remove(0))
}
