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

// encoded returns a command as it is sent.
func encoded(args ...string) string {
	return string(appendBulks(nil, args)) // which is an answer's form too
}
