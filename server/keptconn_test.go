package server_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/belleville/belleville/server"
)

// What comes behind a plain request is read by net/http, which allows for more than a server of WebSockets may.
func TestT25HeadsOfKeptConnections(t *testing.T) {
	const plain = "GET /x HTTP/1.1\r\nHost: example.com\r\n\r\n"
	tests := []struct {
		name string
		say  string
		want int
	}{
		{"a good one", goodHead, 101},
		{"as many fields as there may be", with("", repeat("X-A: b\r\n", 95)), 101},
		{"a field too many", with("", repeat("X-A: b\r\n", 96)), 431},
		{"a plain request with a field too many", "GET /x HTTP/1.1\r\nHost: example.com\r\n" + repeat("X-A: b\r\n", 100) + "\r\n", 431},
		{"a head as large as it may be", with("", "X-A: "+repeat("b", 16<<10-len(goodHead)-len("X-A: \r\n"))+"\r\n"), 101},
		{"a head that is too large", with("", "X-A: "+repeat("b", 16<<10-len(goodHead)-len("X-A: \r\n")+100)+"\r\n"), 431},
		{"a body", with("", "Content-Length: 5\r\n") + "hello", 400},
		{"a chunked body", with("", "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n0\r\n\r\n", 400},
		{"two keys", with("", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 400},
		{"POST", with("GET", "POST"), 405},
	}
	onBoth(t, echoes, server.Config{}, func(t *testing.T, s *site) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p := s.raw(t)
				p.say(plain)
				first, err := http.ReadResponse(p.r, nil)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, first.Body)
				p.say(tt.say)
				r, _ := p.answer()
				if r.StatusCode != tt.want {
					t.Errorf("status = %d, want %d", r.StatusCode, tt.want)
				}
				if open := r.StatusCode == http.StatusSwitchingProtocols; r.Close == open {
					t.Errorf("the answer of status %d ends the connection: %v", r.StatusCode, r.Close)
				}
			})
		}
	})
}
