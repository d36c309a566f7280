package token_test

import (
	"context"
	"testing"

	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// BenchmarkHandshake opens an Application for a visitor with a token, whose user is known without a query.
func BenchmarkHandshake(b *testing.B) {
	keys := newKeyPairs(b)
	secret := []byte(siteKey)
	for _, bench := range []struct {
		name string
		cfg  token.JWTConfig
		text string
	}{
		{"HS256", token.JWTConfig{SigningKey: djangocompat.NewSecret(siteKey)}, sign(b, "HS256", secret, access())},
		{"RS256", token.JWTConfig{Algorithm: "RS256", VerifyingKey: publicPEM(b, keys.rsa.Public())}, sign(b, "RS256", keys.rsa, access())},
		{"EdDSA", token.JWTConfig{Algorithm: "EdDSA", VerifyingKey: publicPEM(b, keys.ed.Public())}, sign(b, "EdDSA", keys.ed, access())},
	} {
		b.Run(bench.name, func(b *testing.B) {
			v, err := token.NewJWT(everybody{}, bench.cfg)
			if err != nil {
				b.Fatal(err)
			}
			app := authenticator(b, token.Config{}, token.Scheme{Name: "jwt", Verifier: v}).Wrap(nowhere())
			scope := webSocket(authorization("Bearer " + bench.text))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := app.Open(b.Context(), scope); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("none", func(b *testing.B) {
		app := authenticator(b, token.Config{}, token.Scheme{Name: "a", Verifier: broken{}}).Wrap(nowhere())
		scope := webSocket()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := app.Open(b.Context(), scope); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// nowhere is an Application that opens nothing.
func nowhere() consumers.Application {
	return consumers.ApplicationFunc(func(context.Context, *consumers.Scope) (consumers.Instance, error) { return nil, nil })
}
