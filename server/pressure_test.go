//go:build unix

package server_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/server"
)

// counter is a consumer that can be held up in Connect and in Receive, and sees that nothing is lost.
type counter struct {
	accept, goOn <-chan struct{}
	wrong        chan<- error
	next         *atomic.Uint32
}

func (c *counter) Connect(_ context.Context, conn *consumers.Conn) error {
	<-c.accept
	return conn.Accept()
}

func (c *counter) Receive(_ context.Context, _ *consumers.Conn, m consumers.Message) error {
	<-c.goOn
	if n := c.next.Load(); len(m.Data) < 4 || binary.BigEndian.Uint32(m.Data) != n {
		select {
		case c.wrong <- fmt.Errorf("message %d is another one", n):
		default:
		}
	}
	c.next.Add(1)
	return nil
}

func (c *counter) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// smallBuffers makes the kernel keep little for the connections of a listener.
func smallBuffers(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<10)
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 4<<10)
	})
}

// A client's bytes for which nobody has time stay in the kernel, which then holds the client back; nothing is
// lost when somebody takes them.
func TestAClientIsHeldBack(t *testing.T) {
	const (
		messages = 1024
		size     = 1024
		most     = 512 << 10 // what server and kernel may hold; all there is is 1 MiB
	)
	tests := []struct {
		name   string
		accept bool // only Receive is held up
	}{
		{"before its handshake is answered", false},
		{"while its consumer is busy", true},
	}
	for _, tt := range tests {
		for _, tr := range transports {
			t.Run(tt.name+", "+tr.name, func(t *testing.T) {
				l, err := (&net.ListenConfig{Control: smallBuffers}).Listen(t.Context(), "tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				accept, goOn, wrong := make(chan struct{}), make(chan struct{}), make(chan error, 1)
				if tt.accept {
					close(accept)
				}
				var next atomic.Uint32
				app := consumers.New(func() *counter { return &counter{accept, goOn, wrong, &next} })
				s := serveOn(t, tr.wrap(l), app, server.Config{HandshakeTimeout: patience})
				p := s.raw(t)
				_ = p.Conn.(*net.TCPConn).SetWriteBuffer(16 << 10)
				p.say(goodHead)
				var sent atomic.Int64
				go func() { // ends when all is sent, or the connection
					w := bufio.NewWriterSize(p.Conn, size)
					payload := make([]byte, size)
					for n := range uint32(messages) {
						binary.BigEndian.PutUint32(payload, n)
						if _, err := io.WriteString(w, frame(fBinary, string(payload))); err != nil {
							return
						}
						sent.Add(size)
					}
					_ = w.Flush()
				}()
				eventually(t, "the client stands still", standsStill(&sent))
				if n := sent.Load(); n == 0 || n > most {
					t.Errorf("the client could send %d bytes, want some and less than %d", n, most)
				}
				if !tt.accept {
					close(accept)
				}
				close(goOn)
				eventually(t, "all messages", func() bool { return next.Load() == messages })
				select {
				case err := <-wrong:
					t.Error(err)
				default:
				}
			})
		}
	}
}

// standsStill returns a condition that holds when n has been the same for a while.
func standsStill(n *atomic.Int64) func() bool {
	last, since := int64(-1), time.Now()
	return func() bool {
		if now := n.Load(); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 150*time.Millisecond
	}
}

func TestT32AClientThatPingsAndDoesNotReadIsClosed(t *testing.T) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			l, err := (&net.ListenConfig{Control: smallBuffers}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := serveOn(t, tr.wrap(l), echoes(), server.Config{WriteTimeout: 300 * time.Millisecond})
			p := s.open(t)
			_ = p.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
			before, written := heap(), 0
			pings := repeat(frame(fPing, repeat("p", 125)), 1000)
			for err == nil {
				var n int
				n, err = io.WriteString(p.Conn, pings)
				written += n
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the server took %d bytes of pings from a client that does not read, and did not close", written)
			}
			if grown := heap() - before; grown > 4<<20 {
				t.Errorf("%d bytes of pings made the heap grow by %d bytes", written, grown)
			}
		})
	}
	chaos.Row(t, chaos.Holds(!t.Failed()), "T32", "a client pings without end and reads nothing", fmt.Sprint("failed: ", t.Failed()), "closed, and the heap grew by less than 4 MiB")
}
