package djangocompat_test

import (
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

type hashInput struct {
	SecretKey string   `json:"secret_key"`
	Fallbacks []string `json:"secret_key_fallbacks"`
	Password  string   `json:"password"`
	Algorithm string   `json:"algorithm"`
}

type hashExpect struct {
	Hash       string   `json:"session_auth_hash"`
	LegacySHA1 string   `json:"legacy_sha1_hash"`
	Fallbacks  []string `json:"fallback_hashes"`
}

// TestAuthHashVectors checks session auth hashes: of the current key, of the fallbacks, of Django 3.1 with
// DEFAULT_HASHING_ALGORITHM = "sha1" and before.
func TestAuthHashVectors(t *testing.T) {
	for _, v := range vectors[hashInput, hashExpect](t, "auth_hash.json", "hash/") {
		t.Run(v.Name, func(t *testing.T) {
			in, want := v.Input, v.Expect
			keys := djangocompat.NewKeys(in.SecretKey, in.Fallbacks...)
			if in.Algorithm == "sha1" {
				want.LegacySHA1, want.Hash = want.Hash, djangocompat.SessionAuthHash(keys, in.Password)
			}
			if got := djangocompat.SessionAuthHash(keys, in.Password); got != want.Hash {
				t.Errorf("SessionAuthHash = %s, want %s", got, want.Hash)
			}
			checkVerdict(t, djangocompat.VerifySessionAuthHash(keys, in.Password, want.Hash), djangocompat.HashCurrent)
			checkVerdict(t, djangocompat.VerifySessionAuthHash(keys, in.Password+"x", want.Hash), djangocompat.HashWrong)
			checkVerdict(t, djangocompat.VerifySessionAuthHash(keys, in.Password, want.Hash+" "), djangocompat.HashWrong)
			for _, hash := range want.Fallbacks {
				checkVerdict(t, djangocompat.VerifySessionAuthHash(keys, in.Password, hash), djangocompat.HashFallback)
			}
			if want.LegacySHA1 != "" {
				if got := djangocompat.LegacySessionAuthHash(keys, in.Password); got != want.LegacySHA1 {
					t.Errorf("LegacySessionAuthHash = %s, want %s", got, want.LegacySHA1)
				}
				checkVerdict(t, djangocompat.VerifyLegacyAuthHash(keys, in.Password, want.LegacySHA1), djangocompat.HashCurrent)
				checkVerdict(t, djangocompat.VerifySessionAuthHash(keys, in.Password, want.LegacySHA1), djangocompat.HashWrong)
			}
		})
	}
}

func checkVerdict(t *testing.T, got, want djangocompat.HashVerdict) {
	t.Helper()
	if got != want {
		t.Errorf("verdict = %v, want %v", got, want)
	}
}
