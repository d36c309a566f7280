package pglayer_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// proxy stands between a layer and Postgres.
type proxy struct {
	listener net.Listener
	target   string

	mu      sync.Mutex // guards the fields below
	conns   []*net.TCPConn
	swallow bool // whether connections that are made now get no answer
	stalled chan struct{}

	abandoned map[*net.TCPConn]bool // those whose bytes go nowhere
}

// startProxy starts a proxy to the database at a URL, and returns the URL of the database through it.
func startProxy(t *testing.T, databaseURL string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{listener: l, target: u.Host, abandoned: make(map[*net.TCPConn]bool)}
	u.Host = l.Addr().String()
	var serving sync.WaitGroup
	serving.Go(func() { p.serve(&serving) })
	t.Cleanup(func() {
		_ = l.Close()
		p.unstall()
		p.reset()
		serving.Wait()
	})
	return p, u.String()
}

func (p *proxy) serve(serving *sync.WaitGroup) {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		client := conn.(*net.TCPConn)
		p.keep(client)
		if p.swallows() {
			serving.Go(func() { _, _ = io.Copy(io.Discard, client) })
			continue
		}
		upstream, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		server := upstream.(*net.TCPConn)
		p.keep(server)
		serving.Go(func() { p.pass(client, server) })
		serving.Go(func() { p.pass(server, client) })
	}
}

// pass copies until an end is closed, and holds back while the proxy is stalled.
func (p *proxy) pass(from, to *net.TCPConn) {
	defer func() {
		if !p.isAbandoned(to) { // its end is not told
			_ = to.Close()
		}
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if wait := p.stall(nil); wait != nil {
			<-wait
		}
		if p.isAbandoned(from) && err == nil {
			continue
		}
		if _, writeErr := to.Write(buf[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

func (p *proxy) isAbandoned(c *net.TCPConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.abandoned[c]
}

func (p *proxy) keep(c *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, c)
}

func (p *proxy) swallows() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.swallow
}

// stall returns what to wait for, if anything. A chan that is given holds everything up from now on.
func (p *proxy) stall(until chan struct{}) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until != nil {
		p.stalled = until
	}
	return p.stalled
}

// swallowAll accepts and answers nothing, and lets nothing through on the connections that are there.
func (p *proxy) swallowAll() {
	p.stall(make(chan struct{}))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow = true
}

// abandon holds up the connections that are there for ever, and lets new ones pass.
func (p *proxy) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		p.abandoned[c] = true
	}
}

// unstall lets everything pass again.
func (p *proxy) unstall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow = false
	if p.stalled != nil {
		close(p.stalled)
		p.stalled = nil
	}
}

// reset breaks off all connections with RST.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
	p.conns = nil
}
