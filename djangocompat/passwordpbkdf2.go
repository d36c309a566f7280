package djangocompat

import (
	"cmp"
	"crypto/pbkdf2"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxIterations bounds what a stored password may cost. It is far beyond any default.
const maxIterations = 20_000_000

// pbkdf2Hasher is Django's PBKDF2PasswordHasher or PBKDF2SHA1PasswordHasher.
type pbkdf2Hasher struct {
	algorithm  string
	digest     func() hash.Hash
	iterations int
	minSalt    int
}

func newPBKDF2Hasher(algorithm string, digest func() hash.Hash, cfg HasherConfig) (hasher, error) {
	if cfg.Iterations < 1 || cfg.Iterations > maxIterations {
		return nil, &HasherError{algorithm, "has an impossible number of iterations"}
	}
	return pbkdf2Hasher{algorithm, digest, cfg.Iterations, cfg.minSalt}, nil
}

func (h pbkdf2Hasher) encode(password string) (string, error) {
	return h.hash(password, newSalt(), h.iterations), nil
}

// hash returns algorithm$iterations$salt$hash, or "" if the salt or the iterations are impossible.
func (h pbkdf2Hasher) hash(password, salt string, iterations int) string {
	key, err := pbkdf2.Key(h.digest, password, []byte(salt), iterations, h.digest().Size())
	if err != nil {
		return ""
	}
	return h.algorithm + "$" + strconv.Itoa(iterations) + "$" + salt + "$" + base64.StdEncoding.EncodeToString(key)
}

func (h pbkdf2Hasher) open(encoded string) (sealed, error) {
	fields := strings.SplitN(encoded, "$", 4)
	if len(fields) < 4 || fields[2] == "" {
		return nil, &PasswordError{h.algorithm, ErrPasswordMalformed}
	}
	n, err := parseCost(fields[1], maxIterations)
	if err != nil {
		return nil, &PasswordError{h.algorithm, err}
	}
	return pbkdf2Sealed{h, encoded, fields[2], n}, nil
}

// pbkdf2Sealed is what a pbkdf2Hasher wrote.
type pbkdf2Sealed struct {
	hasher     pbkdf2Hasher
	encoded    string
	salt       string
	iterations int // 0 stands for the hasher's, as in Django
}

func (s pbkdf2Sealed) verify(password string) (bool, error) {
	again := s.hasher.hash(password, s.salt, cmp.Or(s.iterations, s.hasher.iterations))
	return again != "" && equalTexts(again, s.encoded), nil
}

func (s pbkdf2Sealed) outdated() bool {
	return s.iterations != s.hasher.iterations || utf8.RuneCountInString(s.salt) < s.hasher.minSalt
}

func (s pbkdf2Sealed) harden(password string) {
	if more := s.hasher.iterations - s.iterations; more > 0 && s.iterations > 0 {
		s.hasher.hash(password, s.salt, more)
	}
}

// parseCost reads a number as Django does, by Python's int().
func parseCost(text string, limit int) (int, error) {
	digits, negative, ok := pythonDigits(text, 10)
	if !ok {
		return 0, ErrPasswordMalformed
	}
	n, err := strconv.Atoi(digits)
	switch {
	case negative && n != 0:
		return 0, ErrPasswordMalformed
	case err != nil || n > limit:
		return 0, ErrPasswordCost
	}
	return n, nil
}

// equalTexts compares in a time that does not tell how much is equal.
func equalTexts(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
