package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/djangocompat"
)

// keyPairs are keys for the algorithms.
type keyPairs struct {
	rsa *rsa.PrivateKey
	ec  map[string]*ecdsa.PrivateKey
	ed  ed25519.PrivateKey
}

func newKeyPairs(t testing.TB) keyPairs {
	t.Helper()
	var k keyPairs
	var err error
	if k.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	k.ec = make(map[string]*ecdsa.PrivateKey)
	for name, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		if k.ec[name], err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	if _, k.ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	return k
}

// pair returns the keys of an algorithm.
func (k keyPairs) pair(algorithm string) (private any, public crypto.PublicKey) {
	switch algorithm[:2] {
	case "RS", "PS":
		return k.rsa, k.rsa.Public()
	case "ES":
		return k.ec[algorithm], k.ec[algorithm].Public()
	default:
		return k.ed, k.ed.Public()
	}
}

// publicPEM writes a public key as settings.py has it.
func publicPEM(t testing.TB, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// access are the claims of an access token of user 114.
func access(more ...any) jwt.MapClaims {
	now := time.Now()
	c := jwt.MapClaims{
		"token_type": "access", "exp": now.Add(5 * time.Minute).Unix(), "iat": now.Add(-time.Second).Unix(), "jti": "0123456789abcdef",
		"user_id": 114,
	}
	for i := 0; i < len(more); i += 2 {
		c[more[i].(string)] = more[i+1]
	}
	return c
}

// sign makes a token.
func sign(t testing.TB, algorithm string, key any, claims jwt.MapClaims, header ...any) string {
	t.Helper()
	made := jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), claims)
	for i := 0; i < len(header); i += 2 {
		made.Header[header[i].(string)] = header[i+1]
	}
	text, err := made.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestAlgorithms checks that a token of each algorithm is taken where that is configured, and nowhere else.
func TestAlgorithms(t *testing.T) {
	b, keys := newBed(t), newKeyPairs(t)
	verifiers, tokens := make(map[string]*token.JWT), make(map[string]string)
	for _, a := range token.Algorithms() {
		if strings.HasPrefix(a, "HS") {
			verifiers[a] = b.newJWT(t, token.JWTConfig{Algorithm: a})
			tokens[a] = sign(t, a, []byte(siteKey), access())
			continue
		}
		private, public := keys.pair(a)
		verifiers[a] = b.newJWT(t, token.JWTConfig{Algorithm: a, VerifyingKey: publicPEM(t, public)})
		tokens[a] = sign(t, a, private, access())
	}
	for configured, v := range verifiers {
		for made, text := range tokens {
			if configured != made {
				wantReason(t, v, text, token.BadAlgorithm)
				continue
			}
			id, err := v.Verify(t.Context(), text, "a")
			if err != nil || id.User.Username != "ann3zg" {
				t.Errorf("%s: %v", made, err)
			}
			wantReason(t, v, text[:len(text)-8]+strings.Repeat("A", 8), token.BadSignature)
		}
	}
}

// TestConfusion checks that a public key is no secret, whatever a token says.
func TestConfusion(t *testing.T) {
	b, keys := newBed(t), newKeyPairs(t)
	public := publicPEM(t, keys.rsa.Public())
	v := b.newJWT(t, token.JWTConfig{Algorithm: "RS256", VerifyingKey: public})
	wantReason(t, v, sign(t, "HS256", []byte(public), access()), token.BadAlgorithm)
	forged := sign(t, "HS256", []byte(public), access(), "alg", "RS256")
	wantReason(t, v, forged, token.BadSignature)
	none := sign(t, "none", jwt.UnsafeAllowNoneSignatureType, access())
	wantReason(t, v, none, token.BadAlgorithm)
	wantReason(t, b.newJWT(t, token.JWTConfig{}), none, token.BadAlgorithm)
	for _, cfg := range []token.JWTConfig{
		{Algorithm: "none"},
		{Algorithm: "HS256", SigningKey: djangocompat.NewSecret(public)},
		{Algorithm: "RS256", VerifyingKey: siteKey},
		{Algorithm: "ES256", VerifyingKey: public},
		{Algorithm: "ES256", VerifyingKey: publicPEM(t, keys.ec["ES384"].Public())},
	} {
		if _, err := token.NewJWT(b.store, cfg); err == nil || strings.Contains(err.Error(), siteKey) {
			t.Errorf("NewJWT of %s: %v", cfg.Algorithm, err)
		}
	}
}

func TestBlacklistAndRevocation(t *testing.T) {
	b := newBed(t)
	b.blacklist(t, "bad")
	v := b.newJWT(t, token.JWTConfig{Blacklist: true})
	key := []byte(siteKey)
	if _, err := v.Verify(t.Context(), sign(t, "HS256", key, access("jti", "good")), "a"); err != nil {
		t.Errorf("a token that is not in the blacklist: %v", err)
	}
	wantReason(t, v, sign(t, "HS256", key, access("jti", "bad")), token.Revoked)
	wantReason(t, v, sign(t, "HS256", key, access("jti", 5)), token.Malformed)
	wantReason(t, v, sign(t, "HS256", key, access("jti", "a\x00b", "user_id", 4)), token.UnknownUser)
	checked := b.newJWT(t, token.JWTConfig{CheckRevokeToken: true})
	sum := "D189514B36275B5C49334DB961F35162" // of ann's password, by simplejwt
	if _, err := checked.Verify(t.Context(), sign(t, "HS256", key, access("hash_password", sum)), "a"); err != nil {
		t.Errorf("a token of today's password: %v", err)
	}
	b.exec(t, "UPDATE auth_user SET password = 'another' WHERE id = 114")
	wantReason(t, checked, sign(t, "HS256", key, access("hash_password", sum)), token.Revoked)
}

func TestUsersWhoGoAway(t *testing.T) {
	b := newBed(t)
	v := b.newJWT(t, token.JWTConfig{})
	text := sign(t, "HS256", []byte(siteKey), access())
	if _, err := v.Verify(t.Context(), text, "a"); err != nil {
		t.Fatal(err)
	}
	b.exec(t, "UPDATE auth_user SET is_active = 0 WHERE id = 114")
	wantReason(t, v, text, token.Inactive)
	b.exec(t, "DELETE FROM authtoken_token")
	b.exec(t, "DELETE FROM auth_user")
	wantReason(t, v, text, token.UnknownUser)
}

// keySet is a server of public keys.
type keySet struct {
	*httptest.Server
	body  atomic.Pointer[[]byte]
	asked atomic.Int32
}

func newKeySet(t *testing.T) *keySet {
	t.Helper()
	s := new(keySet)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.asked.Add(1)
		body := s.body.Load()
		if body == nil {
			http.Error(w, "away", http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(*body)
	}))
	t.Cleanup(s.Close)
	return s
}

// publish makes the server serve keys under their ids.
func (s *keySet) publish(t *testing.T, keys map[string]crypto.PublicKey) {
	t.Helper()
	var set jwkset.JWKSMarshal
	for id, key := range keys {
		k, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: id, USE: jwkset.UseSig}})
		if err != nil {
			t.Fatal(err)
		}
		set.Keys = append(set.Keys, k.Marshal())
	}
	body, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	s.body.Store(&body)
}

// eventually verifies until the keys are there.
func eventually(t *testing.T, v token.Verifier, text string) error {
	t.Helper()
	for {
		_, err := v.Verify(t.Context(), text, "a")
		if !errors.Is(err, token.ErrUnavailable) {
			return err
		}
		select { // a fetch is under way; there is nothing to wait for but its end
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			return err
		}
	}
}

func TestKeySet(t *testing.T) {
	b, keys := newBed(t), newKeyPairs(t)
	other := newKeyPairs(t)
	server := newKeySet(t)
	public := map[string]crypto.PublicKey{"one": keys.rsa.Public(), "ec": keys.ec["ES256"].Public()}
	server.publish(t, public)
	var later atomic.Int64
	v := b.newJWT(t, token.JWTConfig{Algorithm: "RS256", JWKURL: server.URL, Now: func() time.Time {
		return time.Now().Add(time.Duration(later.Load()))
	}})
	one := sign(t, "RS256", keys.rsa, access(), "kid", "one")
	if err := eventually(t, v, one); err != nil {
		t.Fatalf("a key of the set: %v", err)
	}
	if err := eventually(t, v, sign(t, "RS256", keys.rsa, access())); err != nil {
		t.Errorf("a token without a key's name: %v", err)
	}
	for name, text := range map[string]string{
		"a key of another kind":        sign(t, "RS256", keys.rsa, access(), "kid", "ec"),
		"a key that there is not":      sign(t, "RS256", keys.rsa, access(), "kid", "../two"),
		"a key whose name is a number": sign(t, "RS256", keys.rsa, access(), "kid", 5),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := v.Verify(t.Context(), text, "a"); err == nil || errors.Is(err, token.ErrUnavailable) {
				t.Errorf("Verify: %v, want a refusal", err)
			}
		})
	}
	if asked := server.asked.Load(); asked != 1 {
		t.Errorf("the server was asked %d times for invented keys, want 1", asked)
	}
	public = maps.Clone(public)
	public["two"] = other.rsa.Public()
	server.publish(t, public)
	later.Store(int64(15 * time.Second))
	if err := eventually(t, v, sign(t, "RS256", other.rsa, access(), "kid", "two")); err != nil {
		t.Errorf("a key that is new: %v", err)
	}
	server.body.Store(nil)
	later.Store(int64(4 * time.Minute))
	for range 20 {
		if _, err := v.Verify(t.Context(), one, "a"); err != nil {
			t.Errorf("while the server is away: %v", err)
		}
	}
}

func TestKeysThatNeverCame(t *testing.T) {
	b, keys := newBed(t), newKeyPairs(t)
	large := newKeySet(t)
	body := []byte(`{"keys": [` + strings.Repeat(" ", 300<<10) + `]}`)
	large.body.Store(&body)
	gone := httptest.NewServer(http.RedirectHandler("http://192.0.2.1/keys", http.StatusFound))
	defer gone.Close()
	for name, url := range map[string]string{"an answer that is too large": large.URL, "a redirection off this machine": gone.URL, "nobody": "http://127.0.0.1:1/"} {
		t.Run(name, func(t *testing.T) {
			v := b.newJWT(t, token.JWTConfig{Algorithm: "RS256", JWKURL: url})
			text := sign(t, "RS256", keys.rsa, access(), "kid", "one")
			for range 3 {
				if _, err := v.Verify(t.Context(), text, "a"); !errors.Is(err, token.ErrUnavailable) {
					t.Errorf("Verify: %v, want ErrUnavailable", err)
				}
			}
		})
	}
}
