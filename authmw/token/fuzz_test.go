package token_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// FuzzJWT checks that whatever stands in the Authorization header is answered, and lets in nobody whose token the
// key has not signed: the seeds alone do.
func FuzzJWT(f *testing.F) {
	text, err := os.ReadFile("testdata/jwt_drf.json")
	if err != nil {
		f.Fatal(err)
	}
	var all vectors
	if err := json.Unmarshal(text, &all); err != nil {
		f.Fatal(err)
	}
	signed := make(map[string]bool)
	for _, v := range all.Cases {
		if v.Config != "default" || v.Authorization == nil {
			continue
		}
		f.Add(latin1(*v.Authorization))
		if words := strings.Fields(*v.Authorization); len(words) > 1 {
			signed[signedPart(words[1])] = true
		}
	}
	cfg := all.Configs["default"].config(1712345678)
	v, err := token.NewJWT(everybody{}, cfg)
	if err != nil {
		f.Fatal(err)
	}
	a, err := token.New([]token.Scheme{{Name: "jwt", Verifier: v}}, token.Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string) {
		var s seen
		_, err := a.Wrap(s.app()).Open(t.Context(), webSocket(authorization(header)))
		if err != nil {
			if consumers.DenialOf(err).Status != 401 {
				t.Errorf("Open: %v, want 401", err)
			}
			return
		}
		if token.Of(s.scope) == nil {
			return
		}
		if words := strings.Fields(header); len(words) < 2 || !signed[signedPart(words[1])] {
			t.Errorf("%q got in", header)
		}
	})
}

// signedPart is what of a token the signature is for.
func signedPart(text string) string { return text[:max(0, strings.LastIndexByte(text, '.'))] }

// FuzzTicket checks that a ticket that Django has not signed lets in nobody, and that one is good for once.
func FuzzTicket(f *testing.F) {
	now := time.Unix(1712345678, 0)
	keys := djangocompat.NewKeys(siteKey)
	mint := func(v any, salt string, at time.Time) string {
		text, err := djangocompat.Dumps(keys, v, djangocompat.Compress, djangocompat.SignerConfig{Salt: salt, Now: clock(at)})
		if err != nil {
			f.Fatal(err)
		}
		return text
	}
	good := make(map[string]bool)
	for _, v := range []any{int64(114), "114", map[string]any{"user_id": int64(114), "x": strings.Repeat("a", 500)}, nil, []any{int64(1)}} {
		text := mint(v, "belleville.ticket", now)
		good[text] = true
		f.Add(text)
	}
	f.Add(mint(int64(114), "belleville.ticket", now.Add(-time.Hour)))
	f.Add(mint(int64(114), "belleville.ticket", now.Add(time.Hour)))
	f.Add(mint(int64(114), "x", now))
	f.Add("::")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := token.NewTickets(everybody{}, keys, token.TicketConfig{SignedConfig: token.SignedConfig{Now: clock(now)}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			_, err := v.Verify(t.Context(), text, "a")
			if _, refused := errors.AsType[*token.Refusal](err); err != nil && !refused {
				t.Errorf("Verify: %v, want a refusal", err)
			}
			if err == nil && (i > 0 || !good[text]) {
				t.Errorf("%q got in for the %d. time", text, i+1)
			}
		}
	})
}
