package server_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/belleville/belleville/server"
)

func TestABurstDoesNotCloseWhoReads(t *testing.T) {
	onBoth(t, chatters, server.Config{}, func(t *testing.T, s *site) {
		var members []*websocket.Conn
		for range 3 {
			ws := s.dial(t, "/")
			ws.SetReadLimit(1 << 20)
			members = append(members, ws)
		}
		const messages, size = 6, 200_000
		heard := make(chan error, len(members))
		for _, ws := range members {
			go func() {
				for range messages {
					if _, _, err := ws.Read(t.Context()); err != nil {
						heard <- err
						return
					}
				}
				heard <- nil
			}()
		}
		block := []byte(repeat("x", size))
		for range messages {
			if err := members[0].Write(t.Context(), websocket.MessageText, block); err != nil {
				t.Fatal(err)
			}
		}
		for range members {
			if err := <-heard; err != nil {
				t.Errorf("a member that reads: %v", err)
			}
		}
	})
}

func TestNothingGoesBeforeTheAnswer(t *testing.T) {
	onBoth(t, echoes, server.Config{}, func(t *testing.T, s *site) {
		for range 50 {
			p := s.raw(t)
			p.say(goodHead + frame(fPing, "HTTP/1.1 200 OK"))
			if r, _ := p.answer(); r.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("status = %d, want 101", r.StatusCode)
			}
			if first, payload := p.read(); first != fPong || payload != "HTTP/1.1 200 OK" {
				t.Fatalf("frame = %#x %q, want the pong", first, payload)
			}
			_ = p.Close()
		}
	})
}

func TestARequestWithoutItsBodyIsAnsweredAndEnds(t *testing.T) {
	onBoth(t, echoes, server.Config{}, func(t *testing.T, s *site) {
		for _, length := range []string{"Content-Length: 9", "Transfer-Encoding: chunked"} {
			p := s.raw(t)
			p.say("POST / HTTP/1.1\r\nHost: example.com\r\n" + length + "\r\n\r\n")
			if r, _ := p.answer(); r.StatusCode != http.StatusUpgradeRequired {
				t.Errorf("%s: status = %d, want 426", length, r.StatusCode)
			}
			if _, err := io.Copy(io.Discard, p.r); err != nil {
				t.Errorf("%s: %v, want the end of the stream", length, err)
			}
		}
	})
}

func TestPlainHTTPCountsByAddress(t *testing.T) {
	onBoth(t, echoes, server.Config{MaxConnectionsPerAddress: 2}, func(t *testing.T, s *site) {
		one, two := s.raw(t), s.raw(t)
		for _, p := range []*peer{one, two} {
			p.say("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
			p.answer()
		}
		third := s.raw(t)
		if r, _ := third.answer(); r.StatusCode != http.StatusTooManyRequests {
			t.Errorf("the third got %d, want 429", r.StatusCode)
		}
	})
}

func TestADrainDoesNotWaitForAPeerThatDoesNotRead(t *testing.T) {
	cfg := server.Config{DrainTimeout: 500 * time.Millisecond, WriteTimeout: time.Hour}
	onBoth(t, echoes, cfg, func(t *testing.T, s *site) {
		p := s.open(t)
		block := frame(fBinary, repeat("x", 1<<16))
		stuffed := make(chan struct{})
		go func() { // until the server takes no more, as its own writes do not get through
			defer close(stuffed)
			for {
				_ = p.SetWriteDeadline(time.Now().Add(time.Second))
				if _, err := io.WriteString(p.Conn, block); err != nil {
					return
				}
			}
		}()
		<-stuffed
		s.cancel()
		select {
		case err := <-s.done:
			if err != nil && !errors.Is(err, server.ErrNotDrained) { // or the peer was given up before
				t.Errorf("Serve: %v", err)
			}
			s.done <- nil // for the end of the test
		case <-time.After(patience):
			t.Error("Serve waits for a peer that does not read")
		}
	})
}
