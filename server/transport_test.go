package server_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
)

// transports are the ways to serve a connection: each promise is kept by both.
var transports = []struct {
	name string
	wrap func(net.Listener) net.Listener
}{
	{"raw sockets", func(l net.Listener) net.Listener { return l }},
	{"portable", func(l net.Listener) net.Listener { return struct{ net.Listener }{l} }}, // hides the descriptor
}

// onBoth runs a test on each transport.
func onBoth(t *testing.T, app func() consumers.Application, cfg server.Config, test func(*testing.T, *site)) {
	t.Helper()
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			l, err := server.Listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			test(t, serveOn(t, tr.wrap(l), app(), cfg))
		})
	}
}

// echoes is an Application that echoes.
func echoes() consumers.Application { return consumers.New(func() *echo { return new(echo) }) }

// peer is a client that says exactly what it is told to, byte by byte.
type peer struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

// patience is how long a peer waits for what must come.
const patience = 15 * time.Second

// raw connects without a handshake.
func (s *site) raw(t *testing.T) *peer {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &peer{t, c, bufio.NewReader(c)}
}

// goodHead is an opening handshake with nothing wrong.
const goodHead = "GET /ws/ HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// say writes bytes.
func (p *peer) say(b string) {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, b); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

// answer reads an HTTP answer and its body.
func (p *peer) answer() (*http.Response, string) {
	p.t.Helper()
	r, err := http.ReadResponse(p.r, nil)
	if err != nil {
		p.t.Fatalf("read the answer: %v", err)
	}
	body := ""
	if r.StatusCode != http.StatusSwitchingProtocols {
		b, _ := io.ReadAll(r.Body)
		body = string(b)
	}
	return r, body
}

// open does the opening handshake.
func (s *site) open(t *testing.T) *peer {
	t.Helper()
	p := s.raw(t)
	p.say(goodHead)
	if r, _ := p.answer(); r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status = %d, want 101", r.StatusCode)
	}
	return p
}

// frame makes a client's frame: first is its first byte, the mask is fixed.
func frame(first byte, payload string) string {
	mask := [4]byte{0x11, 0x22, 0x33, 0x44}
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return string(b)
}

// The first bytes of whole frames, and of a fragment.
const (
	fText   = 0x81
	fBinary = 0x82
	fClose  = 0x88
	fPing   = 0x89
	fPong   = 0x8a
	fBegin  = 0x01
	fMore   = 0x00
	fEnd    = 0x80
)

// read reads one frame of the server.
func (p *peer) read() (first byte, payload string) {
	p.t.Helper()
	first, payload, err := p.tryRead()
	if err != nil {
		p.t.Fatalf("read a frame: %v", err)
	}
	return first, payload
}

// tryRead is read for a frame that may not come.
func (p *peer) tryRead() (first byte, payload string, err error) {
	var h [2]byte
	if _, err := io.ReadFull(p.r, h[:]); err != nil {
		return 0, "", err
	}
	n := uint64(h[1])
	switch h[1] {
	case 126:
		var b [2]byte
		_, err = io.ReadFull(p.r, b[:])
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		_, err = io.ReadFull(p.r, b[:])
		n = binary.BigEndian.Uint64(b[:])
	}
	if err != nil {
		return 0, "", err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(p.r, b)
	return h[0], string(b), err
}

// wantClosed reads until the server's close frame, and the end of the stream behind it.
func (p *peer) wantClosed(code uint16) {
	p.t.Helper()
	for {
		first, payload, err := p.tryRead()
		if err != nil {
			p.t.Fatalf("the stream ended without a close frame (%v), want code %d", err, code)
		}
		if first != fClose {
			continue
		}
		got := uint16(1005)
		if len(payload) >= 2 {
			got = binary.BigEndian.Uint16([]byte(payload))
		}
		if got != code {
			p.t.Errorf("close code = %d, want %d", got, code)
		}
		break
	}
	if rest, err := io.ReadAll(p.r); err != nil || len(rest) > 0 {
		p.t.Errorf("behind the close frame came %d bytes, %v; want the end of the stream", len(rest), err)
	}
}

// closePayload is the payload of a close frame.
func closePayload(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}

// repeat is strings.Repeat.
func repeat(s string, n int) string { return strings.Repeat(s, n) }

// quiet is a logger for tests that provoke errors.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// heap returns how much memory is in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
