package broker_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// wire is a client that knows nothing but the protocol.
type wire struct {
	net.Conn
	in *bufio.Reader
}

func dial(t testing.TB, address string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &wire{conn, bufio.NewReader(conn)}
}

// encode returns a command as it is sent.
func encode(args ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b.String()
}

// do sends a command and returns its answer: an array in brackets, a text in quotes, an error with its first word alone,
// since the others are for people.
func (w *wire) do(t testing.TB, args ...string) string {
	t.Helper()
	w.write(t, encode(args...))
	return w.read(t)
}

func (w *wire) write(t testing.TB, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// read returns the next answer.
func (w *wire) read(t testing.TB) string {
	t.Helper()
	if err := w.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	s, err := w.parse()
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return s
}

func (w *wire) parse() (string, error) {
	line, err := w.in.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, rest := line[0], strings.TrimSuffix(line[1:], "\r\n")
	n, _ := strconv.Atoi(rest) // of the kinds that have a number
	switch kind {
	case '$':
		if n < 0 {
			return "nil", nil
		}
		b := make([]byte, n+2)
		_, err := io.ReadFull(w.in, b)
		return strconv.Quote(string(b[:n])), err
	case '*':
		if n < 0 {
			return "nil array", nil
		}
		parts := make([]string, n)
		for i := range parts {
			if parts[i], err = w.parse(); err != nil {
				return "", err
			}
		}
		return "[" + strings.Join(parts, " ") + "]", nil
	case '-':
		word, _, _ := strings.Cut(rest, " ")
		return "-" + word, nil
	}
	return line[:1] + rest, nil
}
