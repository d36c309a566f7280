package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The bounds of a client.
const (
	bufferSize   = 2 << 10  // what is read at once
	maxHead      = 64 << 10 // bytes of the answer to a handshake
	maxKept      = 64 << 10 // bytes of a message that are looked at; a longer one is read and cut
	goodbyeWait  = 2 * time.Second
	writeTimeout = 10 * time.Second
)

// client is one connection. It is written for itself, apart from the server's code, so that they cannot be wrong
// in the same way.
type client struct {
	// Set at birth, never changed.
	index int
	conn  net.Conn

	// Owned by the one who reads.
	in    *bufio.Reader
	kept  []byte  // of a message that is not whole, or does not fit into in
	last  []int64 // the latest number of each sender
	heard int64   // the latest number of our own
	got   int64   // messages of the run

	// Shared with whoever writes.
	mu  sync.Mutex // guards out, and whole frames on conn
	out []byte
}

// open connects the client with this number. An error is a [failure], unless ctx is done.
func (t *target) open(ctx context.Context, index int) (*client, error) {
	limited, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	conn, err := t.dial(limited, index)
	if err != nil {
		return nil, dialFailure(err)
	}
	c := &client{index: index, conn: conn, in: bufio.NewReaderSize(conn, bufferSize)}
	stop := context.AfterFunc(limited, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	if err := c.handshake(t); err != nil {
		stop()
		_ = conn.Close()
		return nil, readFailure(err, "handshake")
	}
	if !stop() { // the last moment
		_ = conn.Close()
		return nil, &failure{"handshake: timed out"}
	}
	return c, nil
}

// handshake asks for a WebSocket and reads the answer, RFC 6455 §4.1.
func (c *client) handshake(t *target) error {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	key := base64.StdEncoding.EncodeToString(nonce[:])
	head := make([]byte, 0, len(t.head)+256)
	head = append(append(head, t.head...), "Sec-WebSocket-Key: "...)
	head = append(append(head, key...), "\r\n"...)
	if len(t.cookies) > 0 {
		head = append(append(append(head, "Cookie: "...), t.cookies[c.index%len(t.cookies)]...), "\r\n"...)
	}
	if _, err := c.conn.Write(append(head, "\r\n"...)); err != nil {
		return err
	}
	a, err := readAnswer(c.in)
	if err != nil {
		return err
	}
	if a.status != 101 {
		return &failure{fmt.Sprintf("status %d", a.status)}
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 §4.2.2
	if a.accept != base64.StdEncoding.EncodeToString(sum[:]) {
		return errNoAnswer
	}
	if a.extension {
		return &failure{"handshake: an extension that was not asked for"}
	}
	return nil
}

// answer is what counts in the answer to a handshake.
type answer struct {
	status    int
	accept    string
	extension bool
}

// errNoAnswer is an answer that does not open a WebSocket.
var errNoAnswer = &failure{"handshake: no WebSocket's answer"}

// readAnswer reads the head of an answer.
func readAnswer(r *bufio.Reader) (a answer, err error) {
	line, left, err := readLine(r, maxHead)
	if err != nil {
		return a, err
	}
	protocol, rest, _ := strings.Cut(line, " ")
	number, _, _ := strings.Cut(rest, " ")
	if a.status, err = strconv.Atoi(number); err != nil || protocol != "HTTP/1.1" || a.status < 100 || a.status > 599 {
		return a, errNoAnswer
	}
	for {
		if line, left, err = readLine(r, left); err != nil || line == "" {
			return a, err
		}
		name, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(name) {
		case "sec-websocket-accept":
			a.accept = strings.TrimSpace(value)
		case "sec-websocket-extensions":
			a.extension = true
		}
	}
}

// readLine reads a line, of which there may be so many bytes, and returns how many are left then. Of a line that
// is longer than the buffer it returns the beginning: none that counts is.
func readLine(r *bufio.Reader, left int) (line string, rest int, err error) {
	for first, whole := true, false; !whole; first = false {
		part, err := r.ReadSlice('\n')
		if left -= len(part); left < 0 {
			return "", 0, errNoAnswer
		}
		if whole = err == nil; !whole && err != bufio.ErrBufferFull {
			return "", left, err
		}
		if first {
			line = string(part)
		}
	}
	return strings.TrimRight(line, "\r\n"), left, nil
}

// next returns the next message, which is good until the call after. It answers pings, and the close frame that it
// returns as a failure.
func (c *client) next() ([]byte, error) {
	c.kept = c.kept[:0]
	begun := false
	for {
		h, err := readHead(c.in)
		if err != nil {
			return nil, err
		}
		if h.opcode >= opClose {
			if err := c.control(h); err != nil {
				return nil, err
			}
			continue
		}
		if begun != (h.opcode == opContinuation) {
			return nil, &failure{"protocol: fragments in disorder"}
		}
		if !begun && h.final && h.length <= bufferSize {
			payload, err := c.in.Peek(int(h.length))
			if err == nil {
				_, err = c.in.Discard(len(payload)) // it stays where it is until the next read
			}
			return payload, err
		}
		begun = true
		if err := c.keep(h.length); err != nil || h.final {
			return c.kept, err
		}
	}
}

// keep reads a payload, and keeps what there is room for.
func (c *client) keep(length uint64) error {
	for length > 0 {
		n := min(length, bufferSize)
		part, err := c.in.Peek(int(min(n, uint64(max(1, c.in.Buffered())))))
		if err != nil {
			return err
		}
		c.kept = append(c.kept, part[:min(len(part), maxKept-len(c.kept))]...)
		if _, err := c.in.Discard(len(part)); err != nil {
			return err
		}
		length -= uint64(len(part))
	}
	return nil
}

// control takes a control frame.
func (c *client) control(h frameHead) error {
	var b [maxControl]byte
	payload := b[:h.length]
	if _, err := io.ReadFull(c.in, payload); err != nil {
		return err
	}
	switch h.opcode {
	case opPing:
		return c.write(opPong, payload)
	case opClose:
		_ = c.write(opClose, payload[:min(2, len(payload))])
		return closeFailure(payload)
	}
	return nil
}

// write sends one frame.
func (c *client) write(opcode byte, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = appendFrame(c.out[:0], opcode, payload)
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := c.conn.Write(c.out)
	return err
}

// leave ends the connection as RFC 6455 §7.1.2 has it: a close frame, the server's, and the server's end. The client
// must have no reader any more.
func (c *client) leave() error {
	defer c.conn.Close()
	_ = c.conn.SetReadDeadline(time.Now().Add(goodbyeWait))
	if err := c.write(opClose, []byte{1000 >> 8, 1000 & 0xff}); err != nil {
		return err
	}
	for {
		_, err := c.next()
		if f, ok := err.(*failure); ok && strings.HasPrefix(f.kind, "closed with ") {
			_, err := io.Copy(io.Discard, io.LimitReader(c.in, maxKept))
			return err
		}
		if err != nil {
			return err
		}
	}
}

// printable reports whether a text can stand in a head: visible characters of ASCII, and spaces.
func printable(text string) bool {
	return !bytes.ContainsFunc([]byte(text), func(r rune) bool { return r < ' ' || r > '~' })
}
