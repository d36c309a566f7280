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

type passwordInput struct {
	Password *string `json:"password"`
	Encoded  *string `json:"encoded"`
}

type passwordExpect struct {
	Check      *bool  `json:"check_password"`
	Usable     bool   `json:"is_password_usable"`
	Raises     string `json:"raises"`
	StartsWith string `json:"starts_with"`
	Length     int    `json:"length"`
}

// TestPasswordVectors checks the PBKDF2 passwords of passwords.json, and what no hasher knows.
func TestPasswordVectors(t *testing.T) {
	other := exceptions{
		"malformed/none":         "there is no None here; a NULL column reads as an empty text",
		"malformed_default/none": "there is no None here; a NULL column reads as an empty text",
	}
	for _, v := range vectors[passwordInput, passwordExpect](t, "passwords.json", "") {
		t.Run(v.Name, func(t *testing.T) {
			other.skip(t, v.Name)
			if v.Expect.StartsWith != "" {
				got := djangocompat.UnusablePassword()
				if got[:1] != v.Expect.StartsWith || len(got) != v.Expect.Length || djangocompat.PasswordUsable(got) {
					t.Errorf("UnusablePassword = %q, want %d characters that begin with %q", got, v.Expect.Length, v.Expect.StartsWith)
				}
				return
			}
			checkPassword(t, v.Input, v.Expect)
		})
	}
}

func checkPassword(t *testing.T, in passwordInput, want passwordExpect) {
	t.Helper()
	if got := djangocompat.PasswordUsable(*in.Encoded); got != want.Usable {
		t.Errorf("PasswordUsable(%q) = %v, want %v", *in.Encoded, got, want.Usable)
	}
	if in.Password == nil {
		return // check_password(None) is false; there is no None here
	}
	got, err := djangocompat.CheckPassword(*in.Password, *in.Encoded)
	switch {
	case want.Raises != "" && err == nil:
		t.Errorf("CheckPassword = %v, nil, want an error: Django raises %s", got, want.Raises)
	case want.Check != nil && got != *want.Check:
		t.Errorf("CheckPassword = %v, %v, want %v", got, err, *want.Check)
	}
}
