package server

import (
	"strings"
	"testing"

	"github.com/belleville/belleville/consumers"
)

// A consumer may say too much before anything was written. Even then the client is told first that it is a WebSocket.
func TestAClientThatIsTooSlowAtOnceHasItsHandshakeAnswered(t *testing.T) {
	l := newLab(Config{QueueBytes: 1000, MaxMessage: 1000})
	b := &bench{wakeups: make(chan struct{}, 1), ended: make(chan struct{})}
	place, _ := l.server.admission.admit()
	b.conn = l.server.newConn(b, place)
	b.conn.setPhaseLocked(deciding) // nobody else knows it
	if err := b.Answer(consumers.Response{Status: 101}); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		_ = b.Send(consumers.Message{Kind: consumers.Binary, Data: make([]byte, 900)}, nil) // it fails at last
	}
	b.settle(t)
	head, frames, _ := strings.Cut(string(b.written), "\r\n\r\n")
	if want := string(closeFrame(consumers.CloseTryAgainLater, "too slow")); !strings.HasPrefix(head, "HTTP/1.1 101 ") || frames != want {
		t.Errorf("the client is told %q and %q, want 101 and the close frame", head, frames)
	}
}
