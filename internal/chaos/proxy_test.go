package chaos_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy passes TCP connections on to a target, which can be moved: those that are open stay where they are.
type proxy struct {
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	target string
	open   map[net.Conn]bool
}

// startProxy starts a proxy, which ends with the test.
func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
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
	for _, c := range conns {
		p.open[c] = true
	}
}

// pipe passes on what one end says until either is closed, and closes both.
func (p *proxy) pipe(from, to net.Conn) {
	_, _ = io.Copy(to, from) // that it ends is all there is to know
	_ = from.Close()
	_ = to.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, from)
}
