package djangocompat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

func TestSecretsAreNeverPrinted(t *testing.T) {
	const text = "s3cr3t-text"
	type config struct {
		Secret djangocompat.Secret
		Keys   djangocompat.Keys
		secret djangocompat.Secret
		keys   djangocompat.Keys
	}
	c := config{djangocompat.NewSecret(text), djangocompat.NewKeys(text, text), djangocompat.NewSecret(text), djangocompat.NewKeys(text)}
	djangocompat.SessionAuthHash(c.keys, "fill the cache")
	codec := djangocompat.SessionCodec{Keys: c.Keys}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %p"} {
		for _, v := range []any{c, &c, c.Secret, &c.Secret, c.Keys, c.secret, c.keys, codec, []djangocompat.Secret{c.Secret}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	fmt.Fprintln(&out, c.Secret.String(), c.Secret.GoString(), c.Keys.String(), c.Keys.GoString())
	logger := slog.New(slog.NewJSONHandler(&out, nil))
	logger.Info("m", "c", c, "secret", c.Secret, "keys", c.Keys)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "c", c, "secret", c.Secret, "keys", c.Keys)
	encoded, err := json.Marshal(map[string]any{"c": c, "s": c.Secret, "k": &c.Keys})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(encoded)

	for _, leak := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%X", text), "[115 51"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in what was printed", leak)
		}
	}
	if c.Secret.Reveal() != text {
		t.Errorf("Reveal = %q", c.Secret.Reveal())
	}
}

func TestSecretText(t *testing.T) {
	var s djangocompat.Secret
	if !s.IsZero() || s.Reveal() != "" {
		t.Error("the zero Secret is not empty")
	}
	if err := s.UnmarshalText([]byte("x")); err != nil || s.Reveal() != "x" || s.IsZero() {
		t.Errorf("UnmarshalText: %v, %q", err, s.Reveal())
	}
	if !s.Equal(djangocompat.NewSecret("x")) || s.Equal(djangocompat.NewSecret("y")) {
		t.Error("Equal does not compare the texts")
	}
}

// An empty key would verify what anybody can sign.
func TestEmptyKeysVerifyNothing(t *testing.T) {
	for _, keys := range []djangocompat.Keys{{}, djangocompat.NewKeys(""), djangocompat.NewKeys("", "")} {
		if !keys.IsZero() {
			t.Error("IsZero = false")
		}
		codec := djangocompat.SessionCodec{Keys: keys}
		if text, err := codec.Encode(djangocompat.SessionData{}); err == nil {
			t.Errorf("Encode = %q, want an error", text)
		}
		if _, err := djangocompat.NewSigner(keys, djangocompat.SignerConfig{}); err == nil {
			t.Error("NewSigner: no error")
		}
		if got := djangocompat.SessionAuthHash(keys, "p"); got != "" {
			t.Errorf("SessionAuthHash = %q, want none", got)
		}
		checkVerdict(t, djangocompat.VerifySessionAuthHash(keys, "p", ""), djangocompat.HashWrong)
	}
	forged := fmt.Sprintf("%x", djangocompat.SaltedHMAC(
		"django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash", "p", "", djangocompat.SHA256,
	))
	checkVerdict(t, djangocompat.VerifySessionAuthHash(djangocompat.NewKeys("k", ""), "p", forged), djangocompat.HashWrong)
}

// A keyring remembers what it derived for some salts; the others must work as well.
func TestKeysOfManySalts(t *testing.T) {
	keys := djangocompat.NewKeys("new", "old")
	old := djangocompat.NewKeys("old")
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			cfg := djangocompat.SignerConfig{Salt: fmt.Sprintf("salt %d", i)}
			before, err := djangocompat.NewSigner(old, cfg)
			if err != nil {
				t.Error(err)
				return
			}
			after, err := djangocompat.NewSigner(keys, cfg)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := after.Unsign(before.Sign("v")); err != nil || got != "v" {
				t.Errorf("salt %d: Unsign = %q, %v", i, got, err)
			}
		})
	}
	wg.Wait()
}
