package djangocompat

import (
	"strings"
)

// PasswordVerdict says what a password is worth.
type PasswordVerdict uint8

// The verdicts on a password.
const (
	PasswordWrong PasswordVerdict = iota
	PasswordRight
	PasswordOutdated // right, and to be hashed anew: by another hasher, or at another cost
)

// PasswordInfo is what an encoded password says of itself.
type PasswordInfo struct {
	// Algorithm is Django's name of the hasher.
	Algorithm string
	// Outdated says that the same hasher would make it another way now: at another cost, or with a longer
	// salt. Python: BasePasswordHasher.must_update.
	Outdated bool
}

// PasswordHashers are a site's PASSWORD_HASHERS. They may be used concurrently. Each check takes one processor
// for a while, and with argon2 or scrypt as much memory as the site has chosen: the caller bounds how many run
// at once. Python: django.contrib.auth.hashers.
type PasswordHashers struct {
	preferred string // an algorithm
	enabled   map[string]hasher
}

// hasher is one of Django's password hashers, with the cost that the site has chosen.
type hasher interface {
	// encode hashes password with a salt of its own. It fails where bcrypt is given a NUL, and where the
	// hasher only reads.
	encode(password string) (string, error)
	// open takes encoded apart. It refuses what is malformed, or costs too much, and does no work yet.
	open(encoded string) (sealed, error)
}

// sealed is an encoded password, taken apart.
type sealed interface {
	// verify does the work, and reports whether password is the one.
	verify(password string) (bool, error)
	// outdated reports whether its hasher would make it another way now.
	outdated() bool
	// harden does as much work as verify lacks to what the hasher would do now.
	harden(password string)
}

// NewPasswordHashers makes the hashers of a site. It refuses, by name, a hasher that Django does not ship, one
// that is not supported, and a cost that is impossible or larger than Check would allow.
func NewPasswordHashers(cfg HasherConfig) (*PasswordHashers, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &PasswordHashers{enabled: make(map[string]hasher, len(cfg.Hashers))}
	for i, name := range cfg.Hashers {
		algorithm, err := algorithmOf(name)
		if err != nil {
			return nil, err
		}
		if h.enabled[algorithm], err = newHasher(algorithm, cfg); err != nil {
			return nil, err
		}
		if i == 0 {
			h.preferred = algorithm
		}
	}
	if _, reads := h.enabled[h.preferred].(reader); reads {
		return nil, &HasherError{h.preferred, "only reads what is old: put another hasher first"}
	}
	return h, nil
}

// Preferred returns the name of the algorithm that Hash uses.
func (h *PasswordHashers) Preferred() string { return h.preferred }

// Hash encodes password by the preferred hasher, with a salt of its own. It fails only where bcrypt is given a
// NUL. Python: make_password.
func (h *PasswordHashers) Hash(password string) (string, error) {
	return h.enabled[h.preferred].encode(password)
}

// Check says whether password is the one in encoded, from the user table, and whether the caller is to store
// what Hash makes of it. How long it takes does not tell whether encoded was an unusable password, or one that
// cannot be checked, which is PasswordWrong and a *PasswordError.
// Python: check_password(password, encoded, setter).
func (h *PasswordHashers) Check(password, encoded string) (PasswordVerdict, error) {
	if !PasswordUsable(encoded) {
		h.CheckDecoy()
		return PasswordWrong, nil
	}
	algorithm, s, err := h.open(encoded)
	if err != nil {
		h.CheckDecoy()
		return PasswordWrong, err
	}
	right, err := s.verify(password)
	if err != nil {
		h.CheckDecoy()
		return PasswordWrong, err
	}
	changed := algorithm != h.preferred
	switch {
	case right && (changed || s.outdated()):
		return PasswordOutdated, nil
	case right:
		return PasswordRight, nil
	case !changed && s.outdated():
		s.harden(password)
	}
	return PasswordWrong, nil
}

// CheckDecoy does the work that Check does for an up-to-date password, for a login under a name that nobody
// has. Python: ModelBackend.authenticate, which hashes the password of an unknown user.
func (h *PasswordHashers) CheckDecoy() { _, _ = h.Hash(randomText(unusedChars, saltDigits)) }

// Identify says which of the hashers made encoded. It does no work. Where encoded is damaged, the answer has the
// algorithm all the same. Python: identify_hasher.
func (h *PasswordHashers) Identify(encoded string) (PasswordInfo, error) {
	algorithm, s, err := h.open(encoded)
	if err != nil {
		return PasswordInfo{Algorithm: algorithm}, err
	}
	return PasswordInfo{algorithm, s.outdated()}, nil
}

// open finds the hasher of encoded, and takes it apart. The algorithm is "" unless it is enabled.
func (h *PasswordHashers) open(encoded string) (algorithm string, s sealed, err error) {
	name := encodedAlgorithm(encoded)
	own, ok := h.enabled[name]
	switch {
	case ok && len(encoded) > maxEncoded:
		return name, nil, &PasswordError{name, ErrPasswordMalformed}
	case ok:
		s, err = own.open(encoded)
		return name, s, err
	case name == cryptAlgorithm:
		return "", nil, &PasswordError{name, ErrPasswordUnsupported}
	case shipped(name):
		return "", nil, &PasswordError{name, ErrPasswordHasher}
	}
	return "", nil, &PasswordError{"", ErrPasswordHasher}
}

// maxEncoded is far beyond what any hasher writes, and what Django's column holds.
const maxEncoded = 4096

// encodedAlgorithm returns what encoded says of its algorithm, which may be anything. MD5 and SHA-1 without a
// salt have no name of their own in it.
func encodedAlgorithm(encoded string) string {
	switch {
	case len(encoded) == 32 && !strings.Contains(encoded, "$"),
		len(encoded) == 37 && strings.HasPrefix(encoded, "md5$$"):
		return "unsalted_md5"
	case len(encoded) == 46 && strings.HasPrefix(encoded, "sha1$$"):
		return "unsalted_sha1"
	}
	algorithm, _, _ := strings.Cut(encoded, "$")
	return algorithm
}
