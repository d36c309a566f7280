package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// minRSA is the length in bits of the shortest RSA key that is taken.
const minRSA = 1024

// staticKey returns the key of the configured algorithm. Texts of the parser are not passed on: they may quote a key.
func staticKey(cfg JWTConfig) (any, error) {
	if strings.HasPrefix(cfg.Algorithm, "HS") {
		return secretKey(cfg)
	}
	if cfg.VerifyingKey == "" {
		return nil, &SettingError{"verifying_key", "it is missing: " + cfg.Algorithm + " needs a public key", "copy VERIFYING_KEY from SIMPLE_JWT, or set jwk_url"}
	}
	pem := []byte(cfg.VerifyingKey)
	var key any
	var err error
	switch cfg.Algorithm[:2] {
	case "RS", "PS":
		key, err = jwt.ParseRSAPublicKeyFromPEM(pem)
	case "ES":
		key, err = jwt.ParseECPublicKeyFromPEM(pem)
	default:
		key, err = jwt.ParseEdPublicKeyFromPEM(pem)
	}
	if err != nil || !keyFits(cfg.Algorithm, key) {
		return nil, &SettingError{"verifying_key", "it is no public key for " + cfg.Algorithm + ", in PEM", "copy VERIFYING_KEY from SIMPLE_JWT, with its lines of dashes"}
	}
	return key, nil
}

// secretKey returns the key of an HS algorithm. What is a public key elsewhere is no secret.
func secretKey(cfg JWTConfig) (any, error) {
	secret := cfg.SigningKey.Reveal()
	switch {
	case secret == "":
		return nil, &SettingError{"signing_key", "it is missing: " + cfg.Algorithm + " needs a secret", "copy SIGNING_KEY from SIMPLE_JWT"}
	case strings.Contains(secret, "-----BEGIN "), strings.HasPrefix(secret, "ssh-"):
		return nil, &SettingError{"signing_key", "it is a key for another algorithm than " + cfg.Algorithm, "set algorithm, and its verifying_key"}
	case cfg.VerifyingKey != "":
		return nil, &SettingError{"verifying_key", "it is set, and " + cfg.Algorithm + " has none", "take it out, or set algorithm"}
	}
	return []byte(secret), nil
}

// errKeyKind means that keys of a set are of another kind than the algorithm's.
var errKeyKind = errors.New("token: no key is for this algorithm")

// keyFits reports whether a public key is one for the algorithm.
func keyFits(algorithm string, key any) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return (strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")) && key.N.BitLen() >= minRSA
	case *ecdsa.PublicKey:
		bits := map[string]int{"ES256": 256, "ES384": 384, "ES512": 521}[algorithm]
		return bits != 0 && key.Curve.Params().BitSize == bits
	case ed25519.PublicKey:
		return algorithm == "EdDSA" && len(key) == ed25519.PublicKeySize
	default:
		return false
	}
}
