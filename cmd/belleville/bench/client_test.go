package bench

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// recording is a connection that reads what is given, and keeps what is written.
type recording struct {
	net.Conn
	in  io.Reader
	out bytes.Buffer
}

func (r *recording) Read(b []byte) (int, error)       { return r.in.Read(b) }
func (r *recording) Write(b []byte) (int, error)      { return r.out.Write(b) }
func (r *recording) SetWriteDeadline(time.Time) error { return nil }

// clientOf is a client to which a server says this.
func clientOf(said string) (*client, *recording) {
	r := &recording{in: strings.NewReader(said)}
	return &client{conn: r, in: bufio.NewReaderSize(r, bufferSize)}, r
}

func TestNext(t *testing.T) {
	long := strings.Repeat("a", 3000)
	tests := []struct {
		name, said string
		want       []string
		end        string
	}{
		{"a text", "\x81\x02hi", []string{"hi"}, "EOF"},
		{"nothing is a message too", "\x81\x00\x82\x01b", []string{"", "b"}, "EOF"},
		{"one longer than the buffer", "\x81\x7e\x0b\xb8" + long, []string{long}, "EOF"},
		{"fragments, with a ping between them", "\x01\x01a\x89\x01p\x80\x01b", []string{"ab"}, "EOF"},
		{"a close frame", "\x88\x02\x03\xf4", nil, "closed with 1012"},
		{"a close frame without a code", "\x88\x00", nil, "closed with 1005"},
		{"a close code that is none", "\x88\x02\x00\x01", nil, "protocol: a close code that is none"},
		{"a mask", "\x81\x81", nil, "protocol: a masked frame"},
		{"a reserved bit", "\xc1\x01a", nil, "protocol: a reserved bit"},
		{"an unknown opcode", "\x83\x01a", nil, "protocol: an unknown opcode"},
		{"a fragmented ping", "\x09\x01a", nil, "protocol: a control frame that is none"},
		{"a long ping", "\x89\x7e\x01\x00", nil, "protocol: a control frame that is none"},
		{"a continuation of nothing", "\x80\x01a", nil, "protocol: fragments in disorder"},
		{"a second beginning", "\x01\x01a\x81\x01b", nil, "protocol: fragments in disorder"},
		{"a length that is none", "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", nil, "protocol: a length that is none"},
		{"an end in the middle", "\x81\x05hi", nil, "EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := clientOf(tt.said)
			var err error
			for _, want := range append(tt.want, "") {
				var got []byte
				if got, err = c.next(); err == nil && string(got) != want {
					t.Errorf("got %.40q, want %.40q", got, want)
				}
			}
			if err == nil || err.Error() != tt.end {
				t.Errorf("it ends with %v, want %s", err, tt.end)
			}
		})
	}
}

func TestALongMessageIsCut(t *testing.T) {
	c, _ := clientOf("\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x00" + strings.Repeat("x", 1<<20) + "\x81\x01y")
	got, err := c.next()
	if err != nil || len(got) != maxKept {
		t.Fatalf("%d bytes, error %v, want %d", len(got), err, maxKept)
	}
	if got, err = c.next(); err != nil || string(got) != "y" {
		t.Errorf("then %.40q, error %v, want y", got, err)
	}
}

func TestAPingIsAnswered(t *testing.T) {
	c, r := clientOf("\x89\x03abc")
	if _, err := c.next(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	out := r.out.Bytes()
	if len(out) != 9 || out[0] != 0x8a || out[1] != 0x83 {
		t.Fatalf("answered % x, want a masked pong of 3 bytes", out)
	}
	for i := range 3 {
		if out[6+i]^out[2+i] != "abc"[i] {
			t.Errorf("answered % x, want abc", out)
		}
	}
}

func TestReadAnswer(t *testing.T) {
	long := "X-Long: " + strings.Repeat("a", 5000) + "\r\n"
	tests := []struct {
		name, said string
		want       answer
		err        error
	}{
		{"what counts is found", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSEC-WebSocket-accept:  k=\r\n\r\n", answer{101, "k=", false}, nil},
		{"a refusal", "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nForbidden", answer{status: 403}, nil},
		{"a header that is longer than the buffer", "HTTP/1.1 101 x\r\n" + long + "Sec-WebSocket-Accept: k\r\n\r\n", answer{101, "k", false}, nil},
		{"an extension", "HTTP/1.1 101 x\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", answer{101, "", true}, nil},
		{"another protocol", "SSH-2.0-x\r\n", answer{}, errNoAnswer},
		{"a status that is none", "HTTP/1.1 9999 x\r\n\r\n", answer{status: 9999}, errNoAnswer},
		{"a head without an end", "HTTP/1.1 101 x\r\n" + strings.Repeat(long, 20), answer{status: 101}, errNoAnswer},
		{"an end before the end", "HTTP/1.1 101 x\r\nA: b", answer{status: 101}, io.EOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readAnswer(bufio.NewReaderSize(strings.NewReader(tt.said), bufferSize))
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %+v, %v, want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func FuzzNext(f *testing.F) {
	f.Add([]byte("\x01\x01a\x89\x01p\x80\x01b\x88\x02\x03\xe8"))
	f.Fuzz(func(t *testing.T, said []byte) {
		c, _ := clientOf(string(said))
		for n := 0; ; n++ {
			message, err := c.next()
			if err != nil {
				return
			}
			if len(message) > max(maxKept, len(said)) || n > len(said) {
				t.Fatalf("%d messages, the last of %d bytes, of %d bytes", n, len(message), len(said))
			}
		}
	})
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: k\r\n\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		a, err := readAnswer(bufio.NewReaderSize(bytes.NewReader(said), bufferSize))
		if err == nil && (a.status < 100 || a.status > 599 || len(a.accept) > bufferSize) {
			t.Errorf("got %+v", a)
		}
	})
}
