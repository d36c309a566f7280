package server_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/belleville/belleville/server"
)

func TestHandshakesThatComeTooFastAreAskedToComeLater(t *testing.T) {
	onBoth(t, echoes, server.Config{HandshakeRate: 1, HandshakeBurst: 3}, func(t *testing.T, s *site) {
		refused := 0
		for range 6 {
			p := s.raw(t)
			p.say(goodHead)
			r, _ := p.answer()
			if r.StatusCode == 429 && r.Header.Get("Retry-After") != "" {
				refused++
			} else if r.StatusCode != 101 {
				t.Fatalf("status = %d, Retry-After %q", r.StatusCode, r.Header.Get("Retry-After"))
			}
		}
		if refused < 2 { // a slow machine gives time for one more
			t.Errorf("%d of 6 were refused, want 3", refused)
		}
	})
}

// Nothing of a client that sends too fast is lost, it is only slower; who is beside it does not notice.
func TestT33AFloodOfMessagesIsSlowedDown(t *testing.T) {
	onBoth(t, echoes, server.Config{MessageRate: 100, MessageBurst: 50}, func(t *testing.T, s *site) {
		flooder, witness := s.open(t), s.open(t)
		start, flood := time.Now(), ""
		for i := range 150 {
			flood += frame(fText, fmt.Sprint(i))
		}
		flooder.say(flood)
		witness.say(frame(fText, "hi"))
		if _, got := witness.read(); got != "hi" {
			t.Fatalf("message = %q, want hi", got)
		}
		for i := range 150 {
			if _, got := flooder.read(); got != fmt.Sprint(i) {
				t.Fatalf("message = %q, want %d", got, i)
			}
		}
		if took := time.Since(start); took < 800*time.Millisecond {
			t.Errorf("150 messages took %v, want a second at least", took)
		}
	})
}
