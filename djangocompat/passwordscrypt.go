package djangocompat

import (
	"cmp"
	"encoding/base64"
	"strconv"
	"strings"

	"golang.org/x/crypto/scrypt"
)

const (
	scryptAlgorithm = "scrypt"
	scryptSize      = 64 // bytes of a hash

	// The bounds of what a stored password may cost: 256 MiB of memory, and 128 times the work of Django's
	// default before 5.1.
	maxScryptMemory = 256 << 20
	maxScryptWork   = 1 << 24
)

// scryptCost is what scrypt is told to cost. Python: n, r and p of hashlib.scrypt.
type scryptCost struct{ n, r, p int }

// check reports what is wrong with a cost.
func (c scryptCost) check() error {
	switch {
	case c.n < 2 || c.n&(c.n-1) != 0 || c.r < 1 || c.p < 1:
		return ErrPasswordMalformed
	case c.r > maxScryptMemory/128/c.n, c.r > maxScryptMemory/128/c.p, c.p > maxScryptWork/(c.n*c.r):
		return ErrPasswordCost
	}
	return nil
}

// scryptHasher is Django's ScryptPasswordHasher.
type scryptHasher struct{ cost scryptCost }

func newScryptHasher(cfg HasherConfig) (hasher, error) {
	h := scryptHasher{scryptCost{cfg.ScryptN, cfg.ScryptR, cfg.ScryptP}}
	if h.cost.check() != nil {
		return nil, &HasherError{scryptAlgorithm, "has an impossible cost"}
	}
	return h, nil
}

func (h scryptHasher) encode(password string) (string, error) {
	return scryptSealed{salt: newSalt(), cost: h.cost}.hash(password)
}

func (h scryptHasher) open(encoded string) (sealed, error) {
	fields := strings.Split(encoded, "$")
	if len(fields) != 6 || fields[2] == "" {
		return nil, &PasswordError{scryptAlgorithm, ErrPasswordMalformed}
	}
	s := scryptSealed{hasher: h, encoded: encoded, salt: fields[2]}
	for _, part := range []struct {
		text  string
		value *int
	}{{fields[1], &s.cost.n}, {fields[3], &s.cost.r}, {fields[4], &s.cost.p}} {
		var err error
		if *part.value, err = parseCost(part.text, maxScryptWork); err != nil {
			return nil, &PasswordError{scryptAlgorithm, err}
		}
	}
	s.written = s.cost.n
	s.cost = scryptCost{cmp.Or(s.cost.n, h.cost.n), cmp.Or(s.cost.r, h.cost.r), cmp.Or(s.cost.p, h.cost.p)} // as Django's "or"
	if err := s.cost.check(); err != nil {
		return nil, &PasswordError{scryptAlgorithm, err}
	}
	return s, nil
}

// scryptSealed is what a scryptHasher wrote.
type scryptSealed struct {
	hasher  scryptHasher
	encoded string
	salt    string
	cost    scryptCost
	written int // what stands for n
}

// hash returns scrypt$N$salt$r$p$hash.
func (s scryptSealed) hash(password string) (string, error) {
	key, err := scrypt.Key([]byte(password), []byte(s.salt), s.cost.n, s.cost.r, s.cost.p, scryptSize)
	if err != nil {
		return "", &PasswordError{scryptAlgorithm, ErrPasswordMalformed}
	}
	return scryptAlgorithm + "$" + strconv.Itoa(s.cost.n) + "$" + s.salt + "$" + strconv.Itoa(s.cost.r) + "$" +
		strconv.Itoa(s.cost.p) + "$" + base64.StdEncoding.EncodeToString(key), nil
}

func (s scryptSealed) verify(password string) (bool, error) {
	again, err := s.hash(password)
	return err == nil && equalTexts(again, s.encoded), err
}

func (s scryptSealed) outdated() bool { return s.written != s.hasher.cost.n } // Django looks at nothing else

func (scryptSealed) harden(string) {} // as in Django
