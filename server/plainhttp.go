package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/belleville/belleville/consumers"
)

// idleTimeout is how long a client of plain HTTP may keep a connection without a request.
const idleTimeout = 75 * time.Second

// serveHTTP hands a connection to net/http, with the bytes that were read. It is called by the owner, who is
// not one any more afterwards.
func (s *Server) serveHTTP(c *conn) {
	early := c.in.tail
	nc, err := c.driver.detach(c)
	t := s.admission.move(&c.ticket) // the counts go with the connection
	c.mu.Lock()
	c.phase = gone
	c.mu.Unlock()
	c.in = nil
	if err != nil {
		s.admission.release(&t)
		s.metrics.connections.Dec()
		return
	}
	hc := &handedConn{Conn: nc, early: early, ticket: t, peer: peerAddr(nc, c.opening.peer)}
	hc.release = func() {
		s.admission.release(&hc.ticket)
		s.metrics.connections.Dec()
	}
	s.handed.hand(hc)
}

// peerAddr returns the address of a connection's client, which a proxy may have told.
func peerAddr(nc net.Conn, client netip.AddrPort) net.Addr {
	if !client.IsValid() {
		return nc.RemoteAddr()
	}
	return net.TCPAddrFromAddrPort(client)
}

// handedKey is the key of a request's handedConn in its context.
type handedKey struct{}

// handedConn is a connection that turned out to be plain HTTP.
type handedConn struct {
	net.Conn
	early   []byte // read before it was known
	peer    net.Addr
	ticket  ticket
	release func()
	once    sync.Once
}

// Read implements net.Conn.
func (hc *handedConn) Read(b []byte) (int, error) {
	if len(hc.early) > 0 {
		n := copy(b, hc.early)
		if hc.early = hc.early[n:]; len(hc.early) == 0 {
			hc.early = nil
		}
		return n, nil
	}
	return hc.Conn.Read(b)
}

// RemoteAddr implements net.Conn.
func (hc *handedConn) RemoteAddr() net.Addr { return hc.peer }

// Close implements net.Conn.
func (hc *handedConn) Close() error {
	hc.once.Do(hc.release)
	return hc.Conn.Close()
}

// handedListener gives net/http the connections that are meant for it.
type handedListener struct {
	conns  chan net.Conn // bounded; where it is full, whoever hands waits in a goroutine of its own
	closed chan struct{}
	once   sync.Once
}

// newHandedListener returns a listener without connections.
func newHandedListener() *handedListener {
	return &handedListener{conns: make(chan net.Conn, 64), closed: make(chan struct{})}
}

// hand gives a connection to whoever accepts.
func (l *handedListener) hand(c net.Conn) {
	select {
	case l.conns <- c:
		return
	default:
	}
	go func() { // ends when net/http takes it, or the server ends
		select {
		case l.conns <- c:
		case <-l.closed:
			_ = c.Close()
		}
	}()
}

// Accept implements net.Listener.
func (l *handedListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *handedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *handedListener) Addr() net.Addr { return &net.TCPAddr{} }

// maxStreams is how many requests one connection of HTTP/2 may have at a time.
const maxStreams = 100

// newHTTPServer returns the server of all that is no WebSocket.
func (s *Server) newHTTPServer() *http.Server {
	return &http.Server{
		Handler:           http.HandlerFunc(s.plain),
		ReadHeaderTimeout: s.cfg.Load().HandshakeTimeout,
		IdleTimeout:       idleTimeout,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: s.cfg.Load().WriteTimeout},
		MaxHeaderBytes:    s.cfg.Load().MaxHead,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, handedKey{}, c)
		},
		ErrorLog: slog.NewLogLogger(discard{}, slog.LevelDebug),
	}
}

// discard drops what net/http would log, which is what clients did wrong.
type discard struct{ slog.Handler }

// Enabled implements slog.Handler.
func (discard) Enabled(context.Context, slog.Level) bool { return false }

// plain serves one request of plain HTTP.
func (s *Server) plain(w http.ResponseWriter, r *http.Request) {
	h := headOf(r)
	if h.exceeds(s.cfg.Load()) {
		w.Header().Set("Connection", "close")
		s.refuseHTTP(w, r, &consumers.Denial{Status: http.StatusRequestHeaderFieldsTooLarge, Reason: consumers.ReasonMalformed})
		return
	}
	if h.wantsUpgrade() && r.ProtoMajor == 1 {
		s.upgradeHijacked(w, h)
		return
	}
	scope, err := s.scope(h, peerOf(r.RemoteAddr))
	if err != nil {
		s.refuseHTTP(w, r, &consumers.Denial{Status: http.StatusBadRequest, Reason: consumers.ReasonMalformed})
		return
	}
	t := ticketOf(r.Context().Value(handedKey{}))
	if !s.rates.Load().allow(scope.Client.Addr(), s.clock.now()) || t != nil && !s.admission.locate(t, scope.Client.Addr()) {
		s.refuseHTTP(w, r, &consumers.Denial{Status: http.StatusTooManyRequests, Header: retryAfter(), Reason: consumers.ReasonLimit})
		return
	}
	boundBody(w, r)
	scope.Type = consumers.TypeHTTP
	scope.Scheme = strings.Replace(scope.Scheme, "ws", "http", 1)
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		scope.Server = addrOf(a)
	}
	scope.Set(consumers.ReporterKey{}, s)
	instance, err := s.openApplication(r.Context(), scope)
	if err != nil {
		s.refuseHTTP(w, r, err)
		return
	}
	exchange, ok := instance.(*consumers.Exchange)
	if !ok {
		consumers.Abandon(instance)
		s.refuseHTTP(w, r, &consumers.Denial{Status: http.StatusUpgradeRequired, Header: offer(r)})
		return
	}
	exchange.ServeHTTP(w, r)
}

// offer returns the fields that answer a plain request for a WebSocket. In HTTP/2 there are no such fields. RFC 9110
// §15.5.22, RFC 9113 §8.2.2.
func offer(r *http.Request) http.Header {
	switch {
	case r.ProtoMajor != 1:
		return nil
	case r.Close, r.ProtoMinor == 0, r.ContentLength != 0: // net/http ends a connection where "close" stands first
		return http.Header{"Upgrade": {"websocket"}, "Connection": {"close", "Upgrade"}}
	}
	return http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}}
}

// ticketOf returns the place in the counts of a connection that net/http serves.
func ticketOf(c any) *ticket {
	switch c := c.(type) {
	case *handedConn:
		return &c.ticket
	case *tls.Conn:
		if f, ok := c.NetConn().(*frontConn); ok {
			return &f.ticket
		}
	}
	return nil
}

// denyHTTP answers a request with what an error of the application stands for.
func (s *Server) denyHTTP(w http.ResponseWriter, err error) {
	d := consumers.DenialOf(err)
	if d.Status == http.StatusInternalServerError {
		s.report(err)
	}
	status := denialStatus(d)
	s.refused(status, d.Reason)
	for name, values := range d.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	body := d.Body
	if body == nil {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		body = []byte(http.StatusText(status) + "\n")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}

// headOf returns the head of a request that net/http read, with the fields that it keeps apart.
func headOf(r *http.Request) *head {
	h := &head{method: r.Method, target: r.RequestURI, minor: r.ProtoMinor}
	if r.Host != "" {
		h.fields = append(h.fields, consumers.HeaderField{Name: "host", Value: r.Host})
	}
	for _, coding := range r.TransferEncoding {
		h.fields = append(h.fields, consumers.HeaderField{Name: "transfer-encoding", Value: coding})
	}
	for name, values := range r.Header {
		if strings.Contains(name, "_") {
			continue
		}
		for _, v := range values {
			h.fields = append(h.fields, consumers.HeaderField{Name: strings.ToLower(name), Value: v})
		}
	}
	return h
}

// exceeds reports whether a head is larger than it may be, which net/http, where it reads one, does not look at so
// closely.
func (h *head) exceeds(limits *Config) bool {
	size := len(h.method) + len(h.target) + len("  HTTP/1.1\r\n\r\n")
	for _, f := range h.fields {
		size += len(f.Name) + len(f.Value) + len(":\r\n")
	}
	return len(h.fields) > limits.MaxHeaders || size > limits.MaxHead
}

// upgradeHijacked takes a connection back from net/http, as when a proxy keeps one for several requests and
// the last of them is a WebSocket's. A raw socket goes to a loop again, and costs what others cost; anything else, such
// as TLS, stays on the portable transport.
func (s *Server) upgradeHijacked(w http.ResponseWriter, h *head) {
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.denyHTTP(w, err)
		return
	}
	_ = nc.SetDeadline(time.Time{})
	early := buffered(rw.Reader)
	hc, ok := nc.(*handedConn)
	if !ok {
		_ = nc.Close()
		return
	}
	hc.once.Do(func() {}) // the counts go on with the new connection
	s.metrics.connections.Dec()
	early = append(early, hc.early...)
	s.mu.Lock()
	pools := s.pools
	s.mu.Unlock()
	if s.rejoin(pools, hc, early, h) {
		return
	}
	pool := pools[0].(*streams)
	st := pool.add(hc.Conn, s.admission.move(&hc.ticket))
	if st == nil {
		return
	}
	st.c.from(addrOf(hc.RemoteAddr()))
	st.c.keep(early)
	s.handshake(st.c, h)
	pool.running.Go(st.run)
}

// buffered returns what a reader has read ahead.
func buffered(r *bufio.Reader) []byte {
	b := make([]byte, r.Buffered())
	_, _ = io.ReadFull(r, b) // it is there
	return b
}
