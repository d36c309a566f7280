package djangocompat

import (
	"bytes"
	"cmp"
	"crypto/hmac"
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

// hash returns algorithm$iterations$salt$hash.
func (h pbkdf2Hasher) hash(password, salt string, iterations int) string {
	key := h.derive(password, salt, iterations)
	return h.algorithm + "$" + strconv.Itoa(iterations) + "$" + salt + "$" + base64.StdEncoding.EncodeToString(key)
}

// stretch is how many iterations are done at once: what a processor does in 200 to 600 µs. Each time that the hash gives
// way, Go wakes a thread for a processor that has nothing to do, and that one looks for work.
const stretch = 1024

// derive returns the key that PBKDF2 makes, as long as a digest. Unlike crypto/pbkdf2 it gives way after each stretch,
// since a hash takes as long as a thousand messages: Go would take the processor from it after 10 ms only, and the
// kernel after a few, and whoever has a message to pass on would wait for that.
func (h pbkdf2Hasher) derive(password, salt string, iterations int) []byte {
	secret := make([]byte, max(len(password), h.digest().BlockSize())) // the zeros that HMAC adds: without them FIPS mode refuses what is short
	copy(secret, password)
	prf := hmac.New(h.digest, secret)
	prf.Write([]byte(salt))
	prf.Write([]byte{0, 0, 0, 1}) // the first block of the key, which is the only one
	last := prf.Sum(nil)
	key := bytes.Clone(last)
	for i := 1; i < iterations; i++ {
		if i%stretch == 0 {
			giveWay()
		}
		prf.Reset()
		prf.Write(last)
		last = prf.Sum(last[:0])
		subtle.XORBytes(key, key, last)
	}
	return key
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
	return equalTexts(again, s.encoded), nil
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
