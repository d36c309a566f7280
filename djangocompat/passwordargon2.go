package djangocompat

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"

	oldargon2 "github.com/belleville/belleville/djangocompat/internal/argon2"
)

const (
	argon2Algorithm = "argon2"
	argon2Size      = 32 // bytes of a hash; Django's library made 16 before its version 21.2
	oldArgon2Size   = 16

	// The bounds of what a stored password may cost: 512 MiB of memory, some 20 times the work of Django's
	// default, and so many goroutines.
	maxArgon2Memory  = 512 << 10 // KiB
	maxArgon2Work    = 4 << 20   // KiB times passes
	maxArgon2Threads = 64

	// What Django's library asks of a hash and its salt, in bytes; and more than anybody writes.
	minArgon2Hash, minArgon2Salt, maxArgon2Bytes = 4, 8, 1024
)

// argon2Cost is what argon2 is told to cost.
type argon2Cost struct{ memory, time, threads int }

func (c argon2Cost) check() error {
	switch {
	case c.time < 1 || c.threads < 1 || c.memory < 8:
		return ErrPasswordMalformed
	case c.memory > maxArgon2Memory || c.threads > maxArgon2Threads || c.time > maxArgon2Work/c.memory:
		return ErrPasswordCost
	case c.memory < 8*c.threads:
		return ErrPasswordMalformed
	}
	return nil
}

// argon2Hasher is Django's Argon2PasswordHasher. It writes argon2id of version 19, and reads the other varieties and
// version 16, too.
type argon2Hasher struct {
	cost    argon2Cost
	minSalt int
}

func newArgon2Hasher(cfg HasherConfig) (hasher, error) {
	h := argon2Hasher{argon2Cost{cfg.Argon2Memory, cfg.Argon2Time, cfg.Argon2Threads}, cfg.minSalt}
	if h.cost.check() != nil {
		return nil, &HasherError{argon2Algorithm, "has an impossible cost"}
	}
	return h, nil
}

func (h argon2Hasher) encode(password string) (string, error) {
	s := argon2Sealed{hasher: h, variety: "argon2id", cost: h.cost, salt: []byte(newSalt()), hash: make([]byte, argon2Size)}
	enc := base64.RawStdEncoding
	return fmt.Sprintf("%s$%s$v=19$m=%d,t=%d,p=%d$%s$%s", argon2Algorithm, s.variety, h.cost.memory, h.cost.time, h.cost.threads,
		enc.EncodeToString(s.salt), enc.EncodeToString(s.key(password))), nil
}

func (h argon2Hasher) open(encoded string) (sealed, error) {
	malformed := &PasswordError{argon2Algorithm, ErrPasswordMalformed}
	fields := strings.Split(encoded, "$")
	if len(fields) < 5 {
		return nil, malformed
	}
	s := argon2Sealed{hasher: h, variety: fields[1]}
	version := "v=16" // before version 19 none was written
	if len(fields) == 6 {
		version = fields[2]
		fields = append(fields[:2:2], fields[3:]...)
	}
	if _, known := argon2Varieties[s.variety]; !known || len(fields) != 5 || version != "v=16" && version != "v=19" {
		return nil, malformed
	}
	s.old = version == "v=16"
	if !s.cost.parse(fields[2]) {
		return nil, malformed
	}
	if err := s.cost.check(); err != nil {
		return nil, &PasswordError{argon2Algorithm, err}
	}
	var ok1, ok2 bool
	s.salt, ok1 = strictBase64(fields[3])
	s.hash, ok2 = strictBase64(fields[4])
	if !ok1 || !ok2 || len(s.salt) < minArgon2Salt || len(s.hash) < minArgon2Hash {
		return nil, malformed
	}
	return s, nil
}

// parse reads "m=102400,t=2,p=8".
func (c *argon2Cost) parse(text string) bool {
	parts := strings.Split(text, ",")
	if len(parts) != 3 {
		return false
	}
	for i, part := range []struct {
		name  string
		value *int
	}{{"m=", &c.memory}, {"t=", &c.time}, {"p=", &c.threads}} {
		digits, ok := strings.CutPrefix(parts[i], part.name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || digits != strconv.FormatUint(n, 10) {
			return false
		}
		*part.value = int(n)
	}
	return true
}

// strictBase64 decodes what is written as argon2 writes it.
func strictBase64(text string) ([]byte, bool) {
	if len(text) > maxArgon2Bytes || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	return b, err == nil
}

// argon2Sealed is what an argon2Hasher wrote.
type argon2Sealed struct {
	hasher  argon2Hasher
	variety string // one of argon2Varieties
	old     bool   // version 16
	cost    argon2Cost
	salt    []byte
	hash    []byte
}

var argon2Varieties = map[string]oldargon2.Variety{"argon2d": oldargon2.D, "argon2i": oldargon2.I, "argon2id": oldargon2.ID}

// key returns the hash of password, as long as s.hash.
func (s argon2Sealed) key(password string) []byte {
	time, memory, size := uint32(s.cost.time), uint32(s.cost.memory), uint32(len(s.hash))
	switch {
	case s.old || s.variety == "argon2d":
		p := oldargon2.Params{
			Variety: argon2Varieties[s.variety], Version: oldargon2.Version19,
			Time: time, Memory: memory, Lanes: uint32(s.cost.threads), Size: size, Pause: giveWay,
		}
		if s.old {
			p.Version = oldargon2.Version16
		}
		return p.Key([]byte(password), s.salt)
	case s.variety == "argon2i":
		return argon2.Key([]byte(password), s.salt, time, memory, uint8(s.cost.threads), size)
	default:
		return argon2.IDKey([]byte(password), s.salt, time, memory, uint8(s.cost.threads), size)
	}
}

func (s argon2Sealed) verify(password string) (bool, error) {
	return equalTexts(string(s.key(password)), string(s.hash)), nil
}

// outdated goes by the parameters and the salt. Which of the two lengths of hash is up to date depends on the
// version of Django's library: both are.
func (s argon2Sealed) outdated() bool {
	return s.variety != "argon2id" || s.old || s.cost != s.hasher.cost || len(s.salt) < s.hasher.minSalt ||
		len(s.hash) != argon2Size && len(s.hash) != oldArgon2Size
}

func (argon2Sealed) harden(string) {} // as in Django
