package djangocompat

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const (
	bcryptSize   = 60 // characters of $2b$12$, the salt and the hash
	bcryptSalt   = 22
	bcryptDigits = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

	// maxBCryptRounds bounds what a stored password may cost: 16 times Django's default, some seconds.
	maxBCryptRounds = 16

	// maxBCryptPassword is how much of a password bcrypt looks at.
	maxBCryptPassword = 72
)

// bcryptHasher is Django's BCryptSHA256PasswordHasher or BCryptPasswordHasher.
type bcryptHasher struct {
	algorithm string
	prepare   func(password string) []byte // what bcrypt is given
	rounds    int
}

func newBCryptHasher(algorithm string, prepare func(string) []byte, cfg HasherConfig) (hasher, error) {
	if cfg.BCryptRounds < bcrypt.MinCost || cfg.BCryptRounds > maxBCryptRounds {
		return nil, &HasherError{algorithm, "has an impossible number of rounds"}
	}
	return bcryptHasher{algorithm, prepare, cfg.BCryptRounds}, nil
}

// hexOfSHA256 is what BCryptSHA256PasswordHasher gives to bcrypt.
func hexOfSHA256(password string) []byte {
	sum := sha256.Sum256([]byte(password))
	return hex.AppendEncode(nil, sum[:])
}

// firstBytes is what BCryptPasswordHasher gives to bcrypt, as far as that looks.
func firstBytes(password string) []byte {
	return []byte(password[:min(len(password), maxBCryptPassword)])
}

// input returns what bcrypt is given for password. Django's library refuses a NUL anywhere.
func (h bcryptHasher) input(password string) ([]byte, error) {
	if h.algorithm == "bcrypt" && strings.IndexByte(password, 0) >= 0 {
		return nil, &PasswordError{h.algorithm, ErrPasswordNUL}
	}
	return h.prepare(password), nil
}

func (h bcryptHasher) encode(password string) (string, error) {
	input, err := h.input(password)
	if err != nil {
		return "", err
	}
	hash, err := bcrypt.GenerateFromPassword(input, h.rounds)
	if err != nil {
		return "", &PasswordError{h.algorithm, ErrPasswordMalformed}
	}
	hash[2] = 'b' // of inputs that short, 2a and 2b make the same
	return h.algorithm + "$" + string(hash), nil
}

func (h bcryptHasher) open(encoded string) (sealed, error) {
	hash := encoded[len(h.algorithm):]
	malformed := &PasswordError{h.algorithm, ErrPasswordMalformed}
	if len(hash) != 1+bcryptSize || hash[0] != '$' {
		return nil, malformed
	}
	hash = hash[1:]
	switch hash[:4] {
	case "$2a$", "$2b$", "$2y$":
	default:
		return nil, malformed
	}
	tens, ones := hash[4]-'0', hash[5]-'0'
	if tens > 9 || ones > 9 || hash[6] != '$' || strings.Trim(hash[7:], bcryptDigits) != "" {
		return nil, malformed
	}
	s := bcryptSealed{h, hash, int(tens)*10 + int(ones)}
	switch {
	case s.rounds < bcrypt.MinCost || s.rounds > bcrypt.MaxCost:
		return nil, malformed
	case s.rounds > maxBCryptRounds:
		return nil, &PasswordError{h.algorithm, ErrPasswordCost}
	}
	return s, nil
}

// bcryptSealed is what a bcryptHasher wrote.
type bcryptSealed struct {
	hasher bcryptHasher
	hash   string // "$2b$12$" and so on, in the right form
	rounds int
}

func (s bcryptSealed) verify(password string) (bool, error) {
	input, err := s.hasher.input(password)
	if err != nil {
		return false, err
	}
	err = bcrypt.CompareHashAndPassword([]byte(s.hash), input)
	switch {
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	case err != nil:
		return false, &PasswordError{s.hasher.algorithm, ErrPasswordMalformed}
	}
	return s.canonical(), nil
}

// canonical reports whether the salt is written as bcrypt writes it, with no bits set beyond its 128: Django
// compares the texts.
func (s bcryptSealed) canonical() bool {
	return strings.IndexByte(bcryptDigits, s.hash[7+bcryptSalt-1])&0x0F == 0
}

func (s bcryptSealed) outdated() bool { return s.rounds != s.hasher.rounds }

func (s bcryptSealed) harden(password string) {
	for more := 1<<max(0, s.hasher.rounds-s.rounds) - 1; more > 0; more-- {
		_, _ = s.verify(password)
	}
}
