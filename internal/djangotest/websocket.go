package djangotest

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	_ "embed"

	"github.com/belleville/belleville/internal/parts"
)

//go:embed client.py
var clientScript string

// A Socket is a WebSocket that is held by Python's websockets library until the test ends.
type Socket struct {
	// Status is 101, or what the server refused the handshake with.
	Status int
	// Subprotocol is what the server chose.
	Subprotocol string

	orders  *os.File
	answers *bufio.Reader
	pipe    *os.File
}

// A clientAnswer is a line that client.py prints.
type clientAnswer struct {
	Status      int     `json:"status"`
	Subprotocol string  `json:"subprotocol"`
	Text        *string `json:"text"`
	Base64      *string `json:"base64"`
	Closed      int     `json:"closed"`
	Reason      string  `json:"reason"`

	line []byte // as it was printed
}

// Connect opens a WebSocket at a ws:// URL with header, such as Cookie and Origin, in the handshake. A refusal is no
// failure: see the Socket's Status. Without the library it skips the test, or fails it in CI.
func Connect(t testing.TB, url string, header http.Header) *Socket {
	t.Helper()
	python, err := findPython(t.Context(), websockets)
	parts.Need(t, "Python's websockets", err)
	pairs := [][2]string{}
	for name, values := range header {
		for _, value := range values {
			pairs = append(pairs, [2]string{name, value})
		}
	}
	headers, err := json.Marshal(pairs)
	if err != nil {
		t.Fatal(err)
	}
	stdin, orders := pipe(t)
	answers, stdout := pipe(t)
	log := createLog(t, "Python's websockets")
	cmd := exec.Command(python, "-c", clientScript, url, string(headers))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, log
	process, err := parts.Start(parts.Account{}, cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := process.Kill(); err != nil {
			t.Error(err)
		}
	})
	stdin.Close() // both are Python's now, so that its end is seen
	stdout.Close()
	s := &Socket{orders: orders, pipe: answers, answers: bufio.NewReader(answers)}
	first := s.answer(t)
	s.Status, s.Subprotocol = first.Status, first.Subprotocol
	return s
}

// Send sends a text message.
func (s *Socket) Send(t testing.TB, text string) {
	t.Helper()
	s.order(t, "send", text)
}

// Receive waits for the next message, which must be text.
func (s *Socket) Receive(t testing.TB) string {
	t.Helper()
	a := s.order(t, "receive")
	if a.Text == nil {
		t.Fatalf("received no text but %s", a.line)
	}
	return *a.Text
}

// ReceiveBinary waits for the next message, which must be binary.
func (s *Socket) ReceiveBinary(t testing.TB) []byte {
	t.Helper()
	a := s.order(t, "receive")
	if a.Base64 == nil {
		t.Fatalf("received no binary message but %s", a.line)
	}
	message, err := base64.StdEncoding.DecodeString(*a.Base64)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// ReceiveClose waits until the server closes the connection, before which it must send no message.
func (s *Socket) ReceiveClose(t testing.TB) (code int, reason string) {
	t.Helper()
	a := s.order(t, "receive")
	if a.Closed == 0 {
		t.Fatalf("received no close but %s", a.line)
	}
	return a.Closed, a.Reason
}

// Close closes the connection and returns the code that the server answered with.
func (s *Socket) Close(t testing.TB, code int, reason string) int {
	t.Helper()
	return s.order(t, "close", code, reason).Closed
}

// order tells Python what to do and returns its answer.
func (s *Socket) order(t testing.TB, words ...any) clientAnswer {
	t.Helper()
	line, err := json.Marshal(words)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.orders.Write(append(line, '\n')); err != nil {
		t.Fatalf("Python's websockets: %v", err)
	}
	return s.answer(t)
}

func (s *Socket) answer(t testing.TB) clientAnswer {
	t.Helper()
	if err := s.pipe.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	line, err := s.answers.ReadBytes('\n')
	if err != nil {
		t.Fatalf("Python's websockets: %v", err)
	}
	a := clientAnswer{line: line}
	if err := json.Unmarshal(line, &a); err != nil {
		t.Fatalf("Python's websockets: %v", err)
	}
	return a
}
