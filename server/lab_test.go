package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"testing"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
	"github.com/gobwas/ws"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// lab is a server without a network, for connections that a test feeds by hand.
type lab struct{ server *Server }

func newLab(cfg Config) *lab {
	cfg.Logger = slog.New(slog.DiscardHandler)
	return &lab{New(nil, nil, cfg)}
}

// bench is one connection with its consumer, which keeps what it is told. The test is the connection's owner.
type bench struct {
	*conn
	wakeups chan struct{} // holds one where something is wanted
	written []byte
	passed  flow

	// The consumer's, until ended is closed.
	messages []consumers.Message
	code     consumers.CloseCode
	ended    chan struct{}
}

// open returns a connection whose handshake was accepted.
func (l *lab) open(t testing.TB) *bench {
	t.Helper()
	b := &bench{wakeups: make(chan struct{}, 1), ended: make(chan struct{})}
	app := consumers.New(func() *bench { return b })
	instance, err := app.Open(t.Context(), &consumers.Scope{Type: consumers.TypeWebSocket})
	if err != nil {
		t.Fatal(err)
	}
	place, _ := l.server.admission.admit()
	b.conn = l.server.newConn(b, place)
	b.conn.setPhaseLocked(deciding)
	b.socket = instance.(*consumers.Socket)
	l.server.consumers.Add(1)
	b.socket.Start(context.Background(), b.conn)
	b.settle(t)
	b.written = nil // the answer to the handshake
	return b
}

// Connect implements consumers.Consumer.
func (b *bench) Connect(_ context.Context, c *consumers.Conn) error { return c.Accept() }

// Receive implements consumers.Consumer.
func (b *bench) Receive(_ context.Context, _ *consumers.Conn, m consumers.Message) error {
	b.messages = append(b.messages, m)
	return nil
}

// Disconnect implements consumers.Consumer.
func (b *bench) Disconnect(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
	b.code = code
	close(b.ended)
	return nil
}

// attend implements driver.
func (b *bench) attend(*conn) {
	select {
	case b.wakeups <- struct{}{}:
	default:
	}
}

// local implements driver.
func (b *bench) local(*conn) netip.AddrPort { return netip.AddrPort{} }

// detach implements driver.
func (b *bench) detach(*conn) (net.Conn, error) { return nil, errors.ErrUnsupported }

// crew implements driver.
func (*bench) crew() *consumers.Crew { return nil }

// flow implements driver.
func (b *bench) flow() *flow { return &b.passed }

// carrier implements driver.
func (*bench) carrier() channellayer.Carrier { return nil }

// settle does what is wanted and writes what waits.
func (b *bench) settle(t testing.TB) {
	t.Helper()
	select {
	case <-b.wakeups:
		b.wanted()
	default:
	}
	var scratch [256]byte
	if done, err := b.flush(scratch[:], b.write); !done || err != nil {
		t.Fatalf("flush = %v, %v", done, err)
	}
	b.flushed()
}

// write takes what goes to the peer, and never more than a few bytes at a time.
func (b *bench) write(p []byte) (int, error) {
	n := min(len(p), 100)
	b.written = append(b.written, p[:n]...)
	return n, nil
}

// hear feeds bytes, and waits for the consumer where it wants to be waited for.
func (b *bench) hear(t testing.TB, data []byte) {
	t.Helper()
	more := b.feed(append([]byte(nil), data...))
	for !more {
		<-b.wakeups
		more = b.wanted()&wantRead != 0 && b.resume()
	}
	b.settle(t)
}

// finish ends the connection, and returns what the consumer was told and the code that the peer was sent, 0
// without a close frame.
func (b *bench) finish(t testing.TB) (messages []consumers.Message, told, sent consumers.CloseCode) {
	t.Helper()
	for p, _ := b.current(); p == open && b.deaf; p, _ = b.current() { // its consumer answers the last word
		<-b.wakeups
		b.wanted()
	}
	b.settle(t)
	b.release()
	<-b.ended
	for rest := b.written; len(rest) > 0; {
		h, size := serverHeader(t, rest)
		if h.OpCode == ws.OpClose {
			code, err := closeCode(rest[size : size+int(h.Length)])
			if err != nil {
				t.Errorf("a malformed close frame was sent")
			}
			sent = code
		}
		rest = rest[size+int(h.Length):]
	}
	return b.messages, b.code, sent
}

// serverHeader reads the header of an unmasked frame.
func serverHeader(t testing.TB, data []byte) (h ws.Header, size int) {
	t.Helper()
	r := &countingReader{data: data}
	h, err := ws.ReadHeader(r)
	if err != nil || h.Masked || int64(len(data)-r.read) < h.Length {
		t.Fatalf("what was sent is no whole frame: %v", err)
	}
	return h, r.read
}

// countingReader counts what is read of data.
type countingReader struct {
	data []byte
	read int
}

// Read implements io.Reader.
func (r *countingReader) Read(p []byte) (int, error) {
	n := copy(p, r.data[r.read:])
	r.read += n
	return n, nil
}

// registered returns what a counter has come to.
func registered(c prometheus.Counter) float64 { return testutil.ToFloat64(c) }
