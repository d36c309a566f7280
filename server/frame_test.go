package server_test

import (
	"testing"

	"github.com/belleville/belleville/server"
)

func TestT26AMessageBehindTheHandshakeIsNotLost(t *testing.T) {
	onBoth(t, echoes, server.Config{}, func(t *testing.T, s *site) {
		whole := goodHead + frame(fText, "early") + frame(fText, "bird")
		for split := 1; split < len(whole); split += 7 {
			p := s.raw(t)
			p.say(whole[:split])
			p.say(whole[split:])
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
}
