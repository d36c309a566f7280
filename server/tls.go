package server

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/belleville/belleville/consumers"
)

// withTLSDefaults returns a copy of what a listener's TLS is to be like. The protocol is agreed on in the TLS
// handshake: WebSockets come over HTTP/1.1, plain requests over that or HTTP/2.
func withTLSDefaults(given *tls.Config) *tls.Config {
	if given == nil {
		return nil
	}
	c := given.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	if len(c.NextProtos) == 0 {
		c.NextProtos = []string{"h2", "http/1.1"}
	}
	return c
}

// frontConn is the outer end of a TLS connection: what was read of it belongs to TLS, and the address is the client's,
// whoever has passed it on.
type frontConn struct {
	net.Conn
	early   []byte // came together with a proxy's header
	peer    net.Addr
	ticket  ticket
	once    sync.Once
	release func() // nil unless the connection is nobody else's to count
}

// Read implements net.Conn.
func (f *frontConn) Read(b []byte) (int, error) {
	if len(f.early) > 0 {
		n := copy(b, f.early)
		if f.early = f.early[n:]; len(f.early) == 0 {
			f.early = nil
		}
		return n, nil
	}
	return f.Conn.Read(b)
}

// RemoteAddr implements net.Conn.
func (f *frontConn) RemoteAddr() net.Addr { return f.peer }

// Close implements net.Conn.
func (f *frontConn) Close() error {
	if f.release != nil {
		f.once.Do(f.release)
	}
	return f.Conn.Close()
}

// greet makes the TLS handshake on a goroutine of the connection's own, within the time that a request head has too.
func (ss *streams) greet(nc net.Conn, t ticket) {
	s := ss.server
	if !ss.note(nc) {
		_ = nc.Close()
		s.admission.release(&t)
		return
	}
	f := &frontConn{Conn: nc, peer: nc.RemoteAddr(), ticket: t}
	tc, err := s.secured(f)
	if !ss.forget(nc) && err == nil {
		err = net.ErrClosed // the server drains
	}
	switch {
	case err != nil:
		s.metrics.broken.WithLabelValues("tls").Inc()
		_ = nc.Close()
		s.admission.release(&f.ticket)
	case tc.ConnectionState().NegotiatedProtocol == "h2":
		s.metrics.connections.Inc()
		f.release = func() {
			s.admission.release(&f.ticket)
			s.metrics.connections.Dec()
		}
		s.handed.hand(tc)
	default:
		if st := ss.add(tc, s.admission.move(&f.ticket)); st != nil {
			st.run()
		}
	}
}

// secured reads what stands before the TLS handshake, and makes that.
func (s *Server) secured(f *frontConn) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Load().HandshakeTimeout)
	defer cancel()
	_ = f.SetDeadline(time.Now().Add(s.cfg.Load().HandshakeTimeout))
	if s.announces(addrOf(f.peer).Addr()) {
		early, client, err := readProxyHeader(f.Conn)
		if err != nil {
			return nil, err
		}
		f.early = early
		if client.IsValid() {
			f.peer = net.TCPAddrFromAddrPort(client)
		}
		if !s.trusts(client.Addr()) && !s.admission.locate(&f.ticket, client.Addr()) {
			s.answered(consumers.Response{Status: 429, Reason: consumers.ReasonLimit})
			return nil, errProxyHeader
		}
	}
	tc := tls.Server(f, s.cfg.Load().TLS)
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	_ = f.SetDeadline(time.Time{})
	return tc, nil
}

// note remembers a connection that is in its TLS handshake. It reports false where there is no time for one.
func (ss *streams) note(nc net.Conn) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.closed || ss.server.draining.Load() {
		return false
	}
	ss.greeted[nc] = struct{}{}
	return true
}

// forget forgets a connection that was noted, and reports whether it still was.
func (ss *streams) forget(nc net.Conn) (noted bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	_, noted = ss.greeted[nc]
	delete(ss.greeted, nc)
	return noted
}

// cutGreeted closes the connections that are in their TLS handshakes.
func (ss *streams) cutGreeted() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for nc := range ss.greeted {
		_ = nc.Close()
		delete(ss.greeted, nc)
	}
}
