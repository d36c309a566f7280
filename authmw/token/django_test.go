package token_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/sessionstore"
)

// djangosCase is a token and whom Django lets in with it: nobody with 0.
type djangosCase struct {
	Name, Kind, Text string
	User             int64
}

// askSite makes a Django site in a database, and returns its tokens.
func askSite(t *testing.T, database, algorithm, signingKey, verifyingKey string) []djangosCase {
	t.Helper()
	python, err := pythonWith("rest_framework_simplejwt", "rest_framework")
	parts.Need(t, "Django REST framework", err)
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), python, "-W", "ignore", "testdata/site.py", database, algorithm, signingKey, verifyingKey)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("Django: %v: %s", err, stderr.String())
	}
	var cases []djangosCase
	if err := json.Unmarshal(out, &cases); err != nil {
		t.Fatalf("Django said %d bytes: %v", len(out), err)
	}
	if len(cases) < 35 {
		t.Fatalf("Django made %d tokens", len(cases))
	}
	return cases
}

// pythonWith finds a Python that has these modules.
func pythonWith(modules ...string) (string, error) {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		script := "import sys, importlib.util\nassert all(importlib.util.find_spec(m) for m in sys.argv[1:])"
		if exec.Command(python, append([]string{"-c", script}, modules...)...).Run() == nil {
			return python, nil
		}
	}
	return "", fmt.Errorf("%w: Debian's packages python3-djangorestframework and python3-djangorestframework-simplejwt", parts.ErrMissing)
}

// TestDjangoSaysTheSame makes tokens with a real Django, and lets in whom it lets in.
func TestDjangoSaysTheSame(t *testing.T) {
	keys := newKeyPairs(t)
	for _, algorithm := range []string{"HS256", "RS256"} {
		t.Run(algorithm, func(t *testing.T) {
			signing, verifying := siteKey, ""
			cfg := token.JWTConfig{Algorithm: algorithm, TokenTypes: []string{"access", "sliding"}, Blacklist: true}
			if algorithm == "HS256" {
				cfg.SigningKey = djangocompat.NewSecret(siteKey)
			} else {
				private, public := keys.pair(algorithm)
				signing, verifying = privatePEM(t, private), publicPEM(t, public)
				cfg.VerifyingKey = verifying
			}
			path := filepath.Join(t.TempDir(), "db.sqlite3")
			cases := askSite(t, path, algorithm, signing, verifying)
			verifiers := djangosVerifiers(t, openStore(t, path), cfg)
			in := 0
			for _, c := range cases {
				t.Run(c.Name, func(t *testing.T) {
					id, err := verifiers[c.Kind].Verify(t.Context(), c.Text, "a")
					if _, refused := errors.AsType[*token.Refusal](err); err != nil && !refused {
						t.Fatal(err)
					}
					got := int64(0)
					if err == nil {
						got, _ = id.User.PK.Int64()
						in++
					}
					if got != c.User {
						t.Errorf("the user is %d (%v), Django says %d", got, err, c.User)
					}
				})
			}
			if in < 6 || in > len(cases)/2 {
				t.Errorf("%d of %d got in", in, len(cases))
			}
		})
	}
}

// djangosVerifiers are the verifiers for each kind of token that the site makes.
func djangosVerifiers(t *testing.T, store *sessionstore.Store, cfg token.JWTConfig) map[string]token.Verifier {
	t.Helper()
	jwt, err := token.NewJWT(store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := token.NewSigned(store, djangocompat.NewKeys(siteKey), token.SignedConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]token.Verifier{
		"simplejwt": jwt, "signed": signed, "authtoken": token.NewAuthToken(store, token.AuthTokenConfig{}),
	}
}

// privatePEM writes a private key as settings.py has it.
func privatePEM(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}
