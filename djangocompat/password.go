package djangocompat

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash"
	"strconv"
	"strings"
)

// ErrPasswordFormat means that an encoded password is in no form that this package checks.
var ErrPasswordFormat = errors.New("djangocompat: unknown password format")

const (
	// defaultIterations is Django 5.2's.
	defaultIterations = 1_000_000
	// maxIterations bounds what a stored password may cost. It is far beyond any default.
	maxIterations = 20_000_000

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
// second or so of one processor. Python: django.contrib.auth.hashers.make_password.
func HashPassword(password string, cfg PasswordConfig) string {
	n := cfg.Iterations
	if n <= 0 {
		n = defaultIterations
	}
	return pbkdf2Hasher{"pbkdf2_sha256", sha256.New}.encode(password, randomText(saltSize, saltDigits), n)
}

// UnusablePassword returns what stands in the user table for a user who cannot log in by password.
// Python: django.contrib.auth.hashers.make_password(None).
func UnusablePassword() string { return unusable + randomText(unusedChars, saltDigits) }

// PasswordUsable reports whether encoded can be anyone's password.
// Python: django.contrib.auth.hashers.is_password_usable.
func PasswordUsable(encoded string) bool { return !strings.HasPrefix(encoded, unusable) }

// CheckPassword reports whether password is the one in encoded, from the user table: pbkdf2_sha256 or
// pbkdf2_sha1. An unusable password is nobody's; one in another form is ErrPasswordFormat. It takes as long
// as making encoded took. Python: django.contrib.auth.hashers.check_password.
func CheckPassword(password, encoded string) (bool, error) {
	if !PasswordUsable(encoded) {
		return false, nil
	}
	algorithm, _, _ := strings.Cut(encoded, "$")
	switch algorithm {
	case "pbkdf2_sha256":
		return pbkdf2Hasher{algorithm, sha256.New}.verify(password, encoded)
	case "pbkdf2_sha1":
		return pbkdf2Hasher{algorithm, sha1.New}.verify(password, encoded)
	}
	return false, ErrPasswordFormat
}

// pbkdf2Hasher is Django's PBKDF2PasswordHasher or PBKDF2SHA1PasswordHasher.
type pbkdf2Hasher struct {
	algorithm string
	digest    func() hash.Hash
}

// encode returns algorithm$iterations$salt$hash, or "" if the salt or the iterations are impossible.
func (h pbkdf2Hasher) encode(password, salt string, iterations int) string {
	key, err := pbkdf2.Key(h.digest, password, []byte(salt), iterations, h.digest().Size())
	if err != nil {
		return ""
	}
	return h.algorithm + "$" + strconv.Itoa(iterations) + "$" + salt + "$" + base64.StdEncoding.EncodeToString(key)
}

func (h pbkdf2Hasher) verify(password, encoded string) (bool, error) {
	fields := strings.SplitN(encoded, "$", 4)
	if len(fields) < 4 || fields[2] == "" {
		return false, ErrPasswordFormat
	}
	n, err := ParseIntPK(fields[1]) // Python's int()
	iterations, _ := n.Int64()
	if err != nil || iterations < 0 || iterations > maxIterations {
		return false, ErrPasswordFormat
	}
	if iterations == 0 {
		iterations = defaultIterations // as Django's "or"
	}
	again := h.encode(password, fields[2], int(iterations))
	return again != "" && subtle.ConstantTimeCompare([]byte(again), []byte(encoded)) == 1, nil
}
