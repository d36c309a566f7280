package djangocompat

import (
	"crypto/sha256"
	"errors"
	"strings"
)

var (
	// ErrPasswordFormat means that an encoded password cannot be checked. Every *PasswordError is one.
	ErrPasswordFormat = errors.New("djangocompat: unknown password format")

	// ErrPasswordHasher means that the hasher is not one of PASSWORD_HASHERS.
	ErrPasswordHasher = errors.New("hasher is not enabled")

	// ErrPasswordMalformed means that what the hasher wrote is damaged.
	ErrPasswordMalformed = errors.New("malformed")

	// ErrPasswordCost means that the encoded password asks for more work than this package does.
	ErrPasswordCost = errors.New("asks for too much work")

	// ErrPasswordUnsupported means that Django checks such a password, given the right library, and this
	// package does not: crypt.
	ErrPasswordUnsupported = errors.New("not supported")

	// ErrPasswordNUL means that a password with a NUL in it was given to bcrypt, which knows no such.
	ErrPasswordNUL = errors.New("NUL in a password")
)

// A PasswordError says why an encoded password cannot be checked. It never holds a part of it.
type PasswordError struct {
	// Algorithm names the hasher as Django does, or the variant that is not supported; it is "" if the
	// encoded password names none that Django ships.
	Algorithm string
	// Err is one of the errors above.
	Err error
}

// Error implements error.
func (e *PasswordError) Error() string {
	if e.Algorithm == "" {
		return ErrPasswordFormat.Error()
	}
	return "djangocompat: " + e.Algorithm + " password: " + e.Err.Error()
}

// Unwrap makes errors.Is find Err.
func (e *PasswordError) Unwrap() error { return e.Err }

// Is makes errors.Is(e, ErrPasswordFormat) true.
func (e *PasswordError) Is(target error) bool { return target == ErrPasswordFormat }

const (
	saltSize    = 22 // characters, 128 bits
	saltDigits  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	unusable    = "!"
	unusedChars = 40
)

// PasswordConfig says how HashPassword encodes. The zero PasswordConfig is Django's default.
type PasswordConfig struct {
	// Iterations is the work factor of PBKDF2. Default: 1,000,000, Django 5.2's.
	Iterations int
}

// HashPassword encodes password for the user table as pbkdf2_sha256, with a salt of its own. It takes a
// second or so of one processor. [PasswordHashers] knows the other hashers.
// Python: django.contrib.auth.hashers.make_password.
func HashPassword(password string, cfg PasswordConfig) string {
	n := cfg.Iterations
	if n <= 0 {
		n = newest().iterations()
	}
	return pbkdf2Hasher{algorithm: "pbkdf2_sha256", digest: sha256.New}.hash(password, newSalt(), n)
}

func newSalt() string { return randomText(saltSize, saltDigits) }

// UnusablePassword returns what stands in the user table for a user who cannot log in by password.
// Python: django.contrib.auth.hashers.make_password(None).
func UnusablePassword() string { return unusable + randomText(unusedChars, saltDigits) }

// PasswordUsable reports whether encoded can be anyone's password.
// Python: django.contrib.auth.hashers.is_password_usable.
func PasswordUsable(encoded string) bool { return !strings.HasPrefix(encoded, unusable) }

// CheckPassword reports whether password is the one in encoded, from the user table, where that was made by
// one of the hashers that Django enables by default. An unusable password is nobody's; what cannot be checked
// is a *PasswordError, and answered at once: a login, which must not tell who has an account, is
// [PasswordHashers.Check]. Python: django.contrib.auth.hashers.check_password.
func CheckPassword(password, encoded string) (bool, error) {
	if !PasswordUsable(encoded) {
		return false, nil
	}
	hashers, err := NewPasswordHashers(HasherConfig{})
	if err != nil {
		return false, err
	}
	_, s, err := hashers.open(encoded)
	if err != nil {
		return false, err
	}
	return s.verify(password)
}
