package server_test

import (
	"fmt"
	"testing"

	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/server"
)

func TestT26AMessageBehindTheHandshakeIsNotLost(t *testing.T) {
	onBoth(t, echoes, server.Config{}, func(t *testing.T, s *site) {
		whole := goodHead + frame(fText, "early") + frame(fText, "bird")
		for split := range len(whole) + 1 { // 0: all at once; the last: byte by byte
			p := s.raw(t)
			switch split {
			case 0:
				p.say(whole)
			case len(whole):
				for i := range len(whole) {
					p.say(whole[i : i+1])
				}
			default:
				p.say(whole[:split])
				p.say(whole[split:])
			}
			if r, _ := p.answer(); r.StatusCode != 101 {
				t.Fatalf("status = %d, want 101", r.StatusCode)
			}
			for _, want := range []string{"early", "bird"} {
				if _, got := p.read(); got != want {
					t.Fatalf("split at %d: message = %q, want %q", split, got, want)
				}
			}
			_ = p.Close()
		}
	})
	chaos.Row(t, chaos.Holds(!t.Failed()), "T26", "messages behind a handshake, split at each byte, at once, and byte by byte", fmt.Sprint("failed: ", t.Failed()), "all delivered")
}
