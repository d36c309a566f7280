package broker

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhoTakesTooLongIsCutOff(t *testing.T) {
	tests := []struct {
		name     string
		password string
		send     string
		after    time.Duration // 0 for never
	}{
		{"a client that is quiet stays", "", "PING\r\n", 0},
		{"half a command", "", "*2\r\n$4\r\nEC", commandTime},
		{"a client that sends more and more while it waits", "", encoded("BZPOPMIN", "k", "0") + strings.Repeat("PING\r\n", 2*mostAhead), commandTime},
		{"a stranger that is quiet", "sesame", "", strangerTime},
		{"a stranger that only talks", "sesame", "PING\r\nPING\r\n", strangerTime},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { cutOff(t, tt.password, tt.send, tt.after) })
		})
	}
}

// cutOff wants a client with which nothing happens after what it sends to be cut off after a time.
func cutOff(t *testing.T, password, send string, after time.Duration) {
	l, err := New(Config{Password: password})
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	l.welcome(theirs)
	began := time.Now()
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, ours)
		ended <- err
	}()
	go func() { _, _ = io.WriteString(ours, send) }() // not all of it may be taken
	select {
	case err := <-ended:
		if took := time.Since(began); took != after || err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("cut off after %v, %v, want after %v", took, err, after)
		}
	case <-time.After(time.Hour):
		if after != 0 {
			t.Errorf("still there after an hour, want it cut off after %v", after)
		}
	}
	_ = ours.Close()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestTenThousandClientsAndNoMore holds as many clients as are allowed, all of which are answered.
func TestTenThousandClientsAndNoMore(t *testing.T) {
	const most = 10_000
	l, err := New(Config{MaxClients: most})
	if err != nil {
		t.Fatal(err)
	}
	conns := make([]net.Conn, most)
	for i := range conns {
		ours, theirs := net.Pipe()
		conns[i] = ours
		l.welcome(theirs)
	}
	answer := make([]byte, len("+PONG\r\n"))
	for i, conn := range conns {
		if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "+PONG\r\n" {
			t.Fatalf("client %d was answered %q, %v", i, answer, err)
		}
	}
	ours, theirs := net.Pipe()
	go l.welcome(theirs)
	if text, err := io.ReadAll(ours); string(text) != "-ERR max number of clients reached\r\n" {
		t.Errorf("one more was told %q, %v", text, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if n := l.clientCount(); n != 0 {
		t.Errorf("%d clients are left after Close", n)
	}
}

// encoded returns a command as it is sent.
func encoded(args ...string) string {
	return string(appendBulks(nil, args)) // which is an answer's form too
}
