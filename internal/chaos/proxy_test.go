package chaos_test

import (
	"net"
	"sync"
	"testing"
)

// proxy passes TCP connections on to a target, which can be moved: those that are open stay where they are.
type proxy struct {
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	target   string
	open     map[net.Conn]bool // and whether what comes from it is passed on
	swallows bool              // whether nothing is passed on of connections that are made now
	links    int
}

// startProxy starts a proxy, which ends with the test.
func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	return startProxyAt(t, "127.0.0.1:0", target)
}

// startProxyAt is startProxy on an address.
func startProxyAt(t *testing.T, addr, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	must(t, err)
	p := &proxy{listener: listener, target: target, open: make(map[net.Conn]bool)}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.cut()
		p.running.Wait()
	})
	return p
}

func (p *proxy) url() string { return "redis://" + p.listener.Addr().String() + "/0" }

// move makes new connections go to another target.
func (p *proxy) move(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// reset breaks off the connections that are open with RST.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}

// silence lets nothing through any more on the connections that are open.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		p.open[c] = false
	}
}

// swallow lets nothing through on connections that are made until heal.
func (p *proxy) swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallows = true
}

// heal lets everything through on connections that are made from now on.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallows = false
}

// accepted returns how many connections were made.
func (p *proxy) accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.links
}

// passes reports whether what comes from a connection is passed on.
func (p *proxy) passes(from net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open[from]
}

// cut ends the connections that are open.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
}

func (p *proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target := p.target
		p.mu.Unlock()
		out, err := net.Dial("tcp", target)
		if err != nil {
			_ = in.Close()
			continue
		}
		p.note(in, out)
		p.running.Go(func() { p.pipe(in, out) })
		p.running.Go(func() { p.pipe(out, in) })
	}
}

func (p *proxy) note(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.links++
	for _, c := range conns {
		p.open[c] = !p.swallows
	}
}

// pipe passes on what one end says until either is closed, and closes both.
func (p *proxy) pipe(from, to net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && p.passes(from) {
			_, _ = to.Write(buf[:n]) // that it has ended is seen by the other direction
		}
		if err != nil {
			break // why does not matter
		}
	}
	_ = from.Close()
	_ = to.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, from)
}
