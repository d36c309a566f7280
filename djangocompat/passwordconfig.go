package djangocompat

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"strconv"
	"strings"
)

// HasherConfig says how a site hashes passwords. The zero HasherConfig is Django 5.2's default.
type HasherConfig struct {
	// Django is the version of the site's Django, as "4.2". It says what is the default of the fields below,
	// and, before 3.2, that short salts are good. Default: "5.2".
	Django string
	// Hashers is PASSWORD_HASHERS, the preferred one first: the paths of Django's classes, or the names of
	// their algorithms, for a site whose own class differs in cost only. Default: as in that Django.
	Hashers []string
	// Iterations is the work factor of PBKDF2. Default: as in that Django.
	Iterations int
	// BCryptRounds is the work factor of bcrypt; one more doubles the work. Default: 12.
	BCryptRounds int
	// ScryptN is the work factor of scrypt, ScryptR its block size, ScryptP its parallelism.
	// Default: 16384, 8, and 5 (1 before Django 5.1).
	ScryptN, ScryptR, ScryptP int
	// Argon2Time is the number of passes of argon2, Argon2Memory its memory in KiB, Argon2Threads its
	// parallelism. Default: 2, 102400, 8.
	Argon2Time, Argon2Memory, Argon2Threads int

	minSalt int // goes with Django
}

// A HasherError is a hasher in a HasherConfig that cannot be used.
type HasherError struct {
	// Name is the hasher as it was configured.
	Name   string
	reason string
}

// Error implements error.
func (e *HasherError) Error() string {
	return "djangocompat: password hasher " + strconv.Quote(e.Name) + " " + e.reason
}

// version is a version of Django.
type version struct{ major, minor int }

func (v version) before(major, minor int) bool {
	return v.major < major || v.major == major && v.minor < minor
}

// SignsWithSHA1 reports whether a version of Django, as "3.0", is before 3.1: its sessions and its auth hashes
// have forms of their own, see SessionCodec.WriteLegacy and LegacySessionAuthHash. "" is a newer one.
func SignsWithSHA1(django string) bool {
	v, ok := parseVersion(django)
	return ok && v.before(3, 1)
}

// newest is the Django whose defaults count unless a site names its own.
func newest() version { return version{5, 2} }

// iterations returns the default work factor of PBKDF2.
func (v version) iterations() int {
	switch {
	case v.before(3, 0):
		return 150_000
	case v.before(3, 1):
		return 180_000
	case v.before(3, 2):
		return 216_000
	case v.before(4, 0):
		return 260_000
	case v.before(4, 1):
		return 320_000
	case v.before(4, 2):
		return 390_000
	case v.before(5, 0):
		return 600_000
	case v.before(5, 1):
		return 720_000
	case v.before(5, 2):
		return 870_000
	case v.before(6, 0):
		return 1_000_000
	}
	return 1_200_000
}

// scryptP returns the default parallelism of scrypt.
func (v version) scryptP() int {
	if v.before(5, 1) {
		return 1
	}
	return 5
}

// hashers returns the default PASSWORD_HASHERS.
func (v version) hashers() []string {
	list := []string{"pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256"}
	if v.before(4, 0) {
		return list
	}
	return append(list, "scrypt")
}

// minSalt returns the length in characters below which a salt makes a password outdated.
func (v version) minSalt() int {
	if v.before(3, 2) {
		return 0
	}
	return saltSize
}

// parseVersion reads "5.2", and "5.2.1" as the same.
func parseVersion(text string) (v version, ok bool) {
	major, rest, _ := strings.Cut(text, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, err1 := strconv.ParseUint(major, 10, 16)
	b, err2 := strconv.ParseUint(minor, 10, 16)
	return version{int(a), int(b)}, err1 == nil && err2 == nil
}

func (c HasherConfig) withDefaults() (HasherConfig, error) {
	v := newest()
	if c.Django != "" {
		var ok bool
		if v, ok = parseVersion(c.Django); !ok {
			return c, &HasherError{c.Django, "is for no version of Django"}
		}
	}
	c.minSalt = v.minSalt()
	if len(c.Hashers) == 0 {
		c.Hashers = v.hashers()
	}
	for _, field := range []struct {
		value *int
		usual int
	}{
		{&c.Iterations, v.iterations()},
		{&c.BCryptRounds, 12},
		{&c.ScryptN, 1 << 14},
		{&c.ScryptR, 8},
		{&c.ScryptP, v.scryptP()},
		{&c.Argon2Time, 2},
		{&c.Argon2Memory, 102_400},
		{&c.Argon2Threads, 8},
	} {
		if *field.value == 0 {
			*field.value = field.usual
		}
	}
	return c, nil
}

const cryptAlgorithm = "crypt"

// algorithmOf returns the algorithm of what stands in PASSWORD_HASHERS.
func algorithmOf(name string) (string, error) {
	class, isPath := strings.CutPrefix(name, "django.contrib.auth.hashers.")
	switch {
	case isPath:
		if algorithm := algorithmOfClass(class); algorithm != "" {
			return algorithm, nil
		}
	case shipped(name):
		return name, nil
	}
	return "", &HasherError{name, "is none that Django ships"}
}

func algorithmOfClass(class string) string {
	switch class {
	case "PBKDF2PasswordHasher":
		return "pbkdf2_sha256"
	case "PBKDF2SHA1PasswordHasher":
		return "pbkdf2_sha1"
	case "Argon2PasswordHasher":
		return "argon2"
	case "BCryptSHA256PasswordHasher":
		return "bcrypt_sha256"
	case "BCryptPasswordHasher":
		return "bcrypt"
	case "ScryptPasswordHasher":
		return "scrypt"
	case "MD5PasswordHasher":
		return "md5"
	case "SHA1PasswordHasher":
		return "sha1"
	case "UnsaltedSHA1PasswordHasher":
		return "unsalted_sha1"
	case "UnsaltedMD5PasswordHasher":
		return "unsalted_md5"
	case "CryptPasswordHasher":
		return cryptAlgorithm
	}
	return ""
}

// shipped reports whether algorithm is one that Django has, or had.
func shipped(algorithm string) bool {
	switch algorithm {
	case "pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "bcrypt", "scrypt",
		"md5", "sha1", "unsalted_sha1", "unsalted_md5", cryptAlgorithm:
		return true
	}
	return false
}

// newHasher makes the hasher of an algorithm, or refuses its cost.
func newHasher(algorithm string, cfg HasherConfig) (hasher, error) {
	switch algorithm {
	case "pbkdf2_sha256":
		return newPBKDF2Hasher(algorithm, sha256.New, cfg)
	case "pbkdf2_sha1":
		return newPBKDF2Hasher(algorithm, sha1.New, cfg)
	case "argon2":
		return newArgon2Hasher(cfg)
	case "bcrypt_sha256":
		return newBCryptHasher(algorithm, hexOfSHA256, cfg)
	case "bcrypt":
		return newBCryptHasher(algorithm, firstBytes, cfg)
	case "scrypt":
		return newScryptHasher(cfg)
	case "md5":
		return digestHasher{algorithm, md5.New, cfg.minSalt}, nil
	case "sha1":
		return reader{digestHasher{algorithm, sha1.New, cfg.minSalt}}, nil
	case "unsalted_sha1":
		return reader{unsaltedHasher{"sha1$$", sha1.New}}, nil
	case "unsalted_md5":
		return reader{unsaltedHasher{"md5$$", md5.New}}, nil
	}
	return nil, &HasherError{algorithm, "is not supported"}
}
