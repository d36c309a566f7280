package token_test

import (
	"crypto"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// TestNothingIsTold provokes every reason to refuse, and every mistake in a configuration, and looks for keys and
// tokens in what is said: errors, answers, metrics.
func TestNothingIsTold(t *testing.T) {
	b, keys := newBed(t), newKeyPairs(t)
	b.blacklist(t, "listed")
	public, secret := publicPEM(t, keys.rsa.Public()), []byte(siteKey)
	hs := func(more ...any) string { return sign(t, "HS256", secret, access(more...)) }
	now := time.Now()
	jwt := b.newJWT(t, token.JWTConfig{Audience: []string{"chat"}, Blacklist: true})
	key := token.NewAuthToken(b.store, token.AuthTokenConfig{})
	tickets := b.tickets(t, token.TicketConfig{})
	used := b.dumps(t, int64(114), "belleville.ticket")
	if _, err := tickets.Verify(t.Context(), used, "a"); err != nil {
		t.Fatal(err)
	}
	server := newKeySet(t)
	server.publish(t, map[string]crypto.PublicKey{"one": keys.rsa.Public()})
	fetched := b.newJWT(t, token.JWTConfig{Algorithm: "RS256", JWKURL: server.URL})
	chat := []any{"aud", "chat"}
	presented := []struct {
		want token.Reason
		v    token.Verifier
		text string
	}{
		{token.Malformed, jwt, "canary-malformed." + siteKey},
		{token.TooLarge, jwt, strings.Repeat("canary-large-", 1000)},
		{token.BadAlgorithm, jwt, sign(t, "HS512", secret, access())},
		{token.BadSignature, jwt, sign(t, "HS256", []byte("canary-other-key"), access())},
		{token.Expired, jwt, hs("exp", now.Add(-time.Hour).Unix())},
		{token.NotYet, jwt, hs("nbf", now.Add(time.Hour).Unix())},
		{token.WrongType, jwt, hs("token_type", "canary-type", "aud", "chat")},
		{token.WrongAudience, jwt, hs("aud", "canary-audience")},
		{token.UnknownUser, jwt, hs(append(chat, "user_id", "canary-user")...)},
		{token.Revoked, jwt, hs(append(chat, "jti", "listed")...)},
		{token.Inactive, key, bobsKey},
		{token.UnknownUser, key, "canary-key-0123456789"},
		{token.NoUser, tickets, b.dumps(t, map[string]any{"canary": "canary-value"}, "belleville.ticket")},
		{token.Spent, tickets, used},
	}
	reg := prometheus.NewRegistry()
	var said strings.Builder
	var tokens []string
	reasons := make(map[token.Reason]bool)
	for _, p := range presented {
		tokens = append(tokens, p.text)
		if len(p.text) <= token.MaxSize {
			_, err := p.v.Verify(t.Context(), p.text, "a")
			refusal, ok := errors.AsType[*token.Refusal](err)
			if !ok || refusal.Reason != p.want {
				t.Errorf("%v: %v", p.want, err)
			}
			fmt.Fprintf(&said, "%v %+v %#v\n", err, err, err)
		}
		reasons[p.want] = true
		a := authenticator(t, token.Config{Registerer: reg}, token.Scheme{Name: "a", Verifier: p.v, Keywords: []string{"Bearer"}})
		_, err := a.Wrap(new(seen).app()).Open(t.Context(), webSocket(authorization("Bearer "+p.text)))
		fmt.Fprintf(&said, "%v %+v %+v\n", err, err, consumers.DenialOf(err))
		fmt.Fprintf(&said, "%v %+v %#v\n", a, p.v, jwt)
	}
	unknown := eventually(t, fetched, sign(t, "RS256", keys.rsa, access(), "kid", "canary-kid"))
	fmt.Fprintf(&said, "%v %+v %#v\n", unknown, unknown, unknown)
	if refusal, ok := errors.AsType[*token.Refusal](unknown); ok {
		reasons[refusal.Reason] = true
	}
	for r := token.Malformed; r <= token.Spent; r++ {
		if _, ok := reasons[r]; !ok {
			t.Errorf("%v is not provoked", r)
		}
	}
	for _, cfg := range []token.JWTConfig{
		{Algorithm: "canary-algorithm"},
		{Leeway: -1, SigningKey: djangocompat.NewSecret(siteKey)},
		{},
		{SigningKey: djangocompat.NewSecret(public)},
		{SigningKey: djangocompat.NewSecret(siteKey), VerifyingKey: "canary-pem"},
		{Algorithm: "RS256"},
		{Algorithm: "RS256", VerifyingKey: "canary-pem"},
		{Algorithm: "RS256", JWKURL: "http://canary-user:canary-password@example.com/"},
		{JWKURL: "https://canary-host/"},
	} {
		_, err := token.NewJWT(b.store, cfg)
		if err == nil {
			t.Errorf("NewJWT takes %s", cfg.Algorithm)
		}
		fmt.Fprintf(&said, "%v %+v\n", err, err)
	}
	fmt.Fprint(&said, gathered(t, reg))
	wantUntold(t, said.String(), append(tokens, siteKey, public[40:80], annsKey, "canary"))
}

// gathered returns the metrics as text.
func gathered(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(families)
}

// wantUntold checks that no secret, and no longer part of one, was said.
func wantUntold(t *testing.T, said string, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		for part := range strings.SplitSeq(secret, ".") {
			if len(part) > 5 && strings.Contains(said, part[:min(len(part), 24)]) && !strings.HasPrefix(part, "eyJhbGciOi") {
				t.Errorf("a secret that begins with %q is said", part[:6])
			}
		}
	}
}
