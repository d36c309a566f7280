package djangocompat_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

type passwordInput struct {
	Password *string `json:"password"`
	Encoded  *string `json:"encoded"`
	Hashers  string  `json:"hashers"`
	Hasher   string  `json:"hasher"`
}

type passwordExpect struct {
	Check       *bool  `json:"check_password"`
	Rehash      bool   `json:"rehash_on_success"`
	Usable      bool   `json:"is_password_usable"`
	Algorithm   string `json:"algorithm"`
	MustUpdate  *bool  `json:"must_update"`
	Raises      string `json:"raises"`
	EncodeFails string `json:"encode_raises"`
	StartsWith  string `json:"starts_with"`
	Length      int    `json:"length"`
}

type passwordVector = vector[passwordInput, passwordExpect]

// TestPasswordVectors checks each case of passwords.json, for the newest Django that it holds for.
func TestPasswordVectors(t *testing.T) {
	for _, v := range vectors[passwordInput, passwordExpect](t, "passwords.json", "") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel() // some of Django's work factors are a second of work
			switch {
			case v.Expect.StartsWith != "":
				got := djangocompat.UnusablePassword()
				if got[:1] != v.Expect.StartsWith || len(got) != v.Expect.Length || djangocompat.PasswordUsable(got) {
					t.Errorf("UnusablePassword = %q, want %d characters that begin with %q", got, v.Expect.Length, v.Expect.StartsWith)
				}
			case v.Expect.EncodeFails != "":
				h := newHashers(t, djangocompat.HasherConfig{Hashers: []string{"bcrypt"}, BCryptRounds: 4})
				if got, err := h.Hash(*v.Input.Password); !errors.Is(err, djangocompat.ErrPasswordNUL) {
					t.Errorf("Hash = %q, %v, want ErrPasswordNUL", got, err)
				}
			default:
				checkPasswordVector(t, v)
			}
		})
	}
}

func checkPasswordVector(t *testing.T, v passwordVector) {
	t.Helper()
	h := newHashers(t, hashersOf(v))
	password, encoded := "", "" // there is no None here: a NULL column reads as an empty text
	if v.Input.Encoded != nil {
		encoded = *v.Input.Encoded
	}
	if got := djangocompat.PasswordUsable(encoded); got != v.Expect.Usable {
		t.Errorf("PasswordUsable(%q) = %v, want %v", encoded, got, v.Expect.Usable)
	}
	if v.Input.Password != nil { // check_password(None) is false; the empty password is not right either
		password = *v.Input.Password
	} else if strings.Contains(v.Name, "/empty/") {
		t.Fatal("the empty password would be right")
	}
	got, err := h.Check(password, encoded)
	info, infoErr := h.Identify(encoded)
	if info.Algorithm != v.Expect.Algorithm {
		t.Errorf("Identify(%q) = %q, want %q", encoded, info.Algorithm, v.Expect.Algorithm)
	}
	if v.Expect.Raises != "" {
		if got != djangocompat.PasswordWrong || !errors.Is(err, djangocompat.ErrPasswordFormat) && encoded != "" {
			t.Errorf("Check = %v, %v, want PasswordWrong and ErrPasswordFormat: Django raises %s", got, err, v.Expect.Raises)
		}
		return
	}
	want := djangocompat.PasswordWrong
	switch {
	case *v.Expect.Check && v.Expect.Rehash:
		want = djangocompat.PasswordOutdated
	case *v.Expect.Check:
		want = djangocompat.PasswordRight
	}
	if got != want {
		t.Errorf("Check = %v, %v, want %v", got, err, want)
	}
	if v.Expect.MustUpdate != nil && infoErr == nil && info.Outdated != *v.Expect.MustUpdate {
		t.Errorf("Identify says outdated = %v, want %v", info.Outdated, *v.Expect.MustUpdate)
	}
	if want != djangocompat.PasswordWrong && (err != nil || infoErr != nil) {
		t.Errorf("errors %v, %v, want none", err, infoErr)
	}
}

// hashersOf returns what the case says of PASSWORD_HASHERS. Where the default work factor is not what the case
// is about, a smaller one makes for shorter tests: all that is encoded at 1000 iterations is outdated either way.
func hashersOf(v passwordVector) djangocompat.HasherConfig {
	cfg := djangocompat.HasherConfig{Django: v.Django[len(v.Django)-1]}
	if v.Input.Hashers == "all" {
		cfg.Hashers = []string{
			"PBKDF2PasswordHasher", "PBKDF2SHA1PasswordHasher", "Argon2PasswordHasher",
			"BCryptSHA256PasswordHasher", "BCryptPasswordHasher", "MD5PasswordHasher",
		}
		if cfg.Django >= "4" {
			cfg.Hashers = append(cfg.Hashers, "ScryptPasswordHasher")
		}
		if cfg.Django < "5.1" {
			cfg.Hashers = append(cfg.Hashers, "SHA1PasswordHasher", "UnsaltedSHA1PasswordHasher", "UnsaltedMD5PasswordHasher")
		}
		for i, class := range cfg.Hashers {
			cfg.Hashers[i] = "django.contrib.auth.hashers." + class
		}
	}
	switch {
	case !strings.HasPrefix(v.Name, "defaults_of_version/pbkdf2"):
		cfg.Iterations = 1001
	case slices.Equal(v.Django, []string{"4.2"}):
		cfg.Iterations = 480_000 // in the snapshot that answered; 4.2 itself has 600,000
	}
	return cfg
}

func newHashers(tb testing.TB, cfg djangocompat.HasherConfig) *djangocompat.PasswordHashers {
	tb.Helper()
	h, err := djangocompat.NewPasswordHashers(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}
