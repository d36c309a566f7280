package djangocompat

import (
	"crypto/subtle"
	"encoding/hex"
)

// HashVerdict says what a session auth hash is worth.
type HashVerdict uint8

// The verdicts on a session auth hash.
const (
	HashWrong    HashVerdict = iota // the password has changed, or the key
	HashCurrent                     // made with SECRET_KEY
	HashFallback                    // made with one of SECRET_KEY_FALLBACKS
)

const authHashSalt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"

// SessionAuthHash returns what login() writes into a session as _auth_user_hash: a digest of the stored,
// encoded password. It is "" without a key. Python: AbstractBaseUser.get_session_auth_hash.
func SessionAuthHash(keys Keys, password string) string { return authHash(keys, password, SHA256) }

// LegacySessionAuthHash is SessionAuthHash as Django before 3.1 has it.
func LegacySessionAuthHash(keys Keys, password string) string { return authHash(keys, password, SHA1) }

func authHash(keys Keys, password string, a Algorithm) string {
	if keys.IsZero() {
		return ""
	}
	w := workspaces.Get().(*workspace)
	defer w.release()
	w.text = append(w.text[:0], password...)
	pool := keys.pools(purpose{salt: authHashSalt, algorithm: a})[0]
	return string(hex.AppendEncode(w.sig[:0], pool.sum(w.mac[:0], w.text)))
}

// VerifySessionAuthHash says whether hash, from a session, belongs to the stored, encoded password. How
// long it takes tells nothing about either. Python: the check in django.contrib.auth.get_user.
func VerifySessionAuthHash(keys Keys, password, hash string) HashVerdict {
	return verifyAuthHash(keys, password, hash, SHA256)
}

// VerifyLegacyAuthHash is VerifySessionAuthHash for the SHA-1 hashes of Django before 3.1, which 3.1 and
// 3.2 still accept. Python: AbstractBaseUser._legacy_get_session_auth_hash.
func VerifyLegacyAuthHash(keys Keys, password, hash string) HashVerdict {
	return verifyAuthHash(keys, password, hash, SHA1)
}

func verifyAuthHash(keys Keys, password, hash string, a Algorithm) HashVerdict {
	w := workspaces.Get().(*workspace)
	defer w.release()
	w.text = append(w.text[:0], password...)
	var claim [64]byte
	if len(hash) > len(claim) {
		return HashWrong
	}
	got := append(claim[:0], hash...)
	verdict := HashWrong
	for i, pool := range keys.pools(purpose{salt: authHashSalt, algorithm: a}) {
		if pool == nil {
			continue
		}
		want := hex.AppendEncode(w.sig[:0], pool.sum(w.mac[:0], w.text))
		if subtle.ConstantTimeCompare(got, want) == 0 || verdict != HashWrong {
			continue
		}
		verdict = HashFallback
		if i == 0 {
			verdict = HashCurrent
		}
	}
	return verdict
}
