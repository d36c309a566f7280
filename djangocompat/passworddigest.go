package djangocompat

import (
	"encoding/hex"
	"errors"
	"hash"
	"strings"
	"unicode/utf8"
)

// digestHasher is Django's MD5PasswordHasher or SHA1PasswordHasher.
type digestHasher struct {
	algorithm string
	digest    func() hash.Hash
	minSalt   int
}

func (h digestHasher) encode(password string) (string, error) {
	return h.hash(password, newSalt()), nil
}

// hash returns algorithm$salt$hash.
func (h digestHasher) hash(password, salt string) string {
	return h.algorithm + "$" + salt + "$" + hexDigest(h.digest, salt+password)
}

func hexDigest(digest func() hash.Hash, text string) string {
	d := digest()
	_, _ = d.Write([]byte(text)) // a hash.Hash takes everything
	return hex.EncodeToString(d.Sum(nil))
}

func (h digestHasher) open(encoded string) (sealed, error) {
	fields := strings.SplitN(encoded, "$", 3)
	if len(fields) < 3 || fields[1] == "" {
		return nil, &PasswordError{h.algorithm, ErrPasswordMalformed}
	}
	return digestSealed{h, encoded, fields[1]}, nil
}

// digestSealed is what a digestHasher wrote.
type digestSealed struct {
	hasher  digestHasher
	encoded string
	salt    string
}

func (s digestSealed) verify(password string) (bool, error) {
	return equalTexts(s.hasher.hash(password, s.salt), s.encoded), nil
}

func (s digestSealed) outdated() bool { return utf8.RuneCountInString(s.salt) < s.hasher.minSalt }

func (digestSealed) harden(string) {}

// unsaltedHasher is Django's UnsaltedMD5PasswordHasher or UnsaltedSHA1PasswordHasher.
type unsaltedHasher struct {
	prefix string // may stand before the hash
	digest func() hash.Hash
}

func (h unsaltedHasher) encode(password string) (string, error) {
	return h.prefix + hexDigest(h.digest, password), nil
}

func (h unsaltedHasher) open(encoded string) (sealed, error) {
	return unsaltedSealed{h, strings.TrimPrefix(encoded, h.prefix)}, nil
}

// unsaltedSealed is what an unsaltedHasher wrote.
type unsaltedSealed struct {
	hasher unsaltedHasher
	hash   string
}

func (s unsaltedSealed) verify(password string) (bool, error) {
	return equalTexts(hexDigest(s.hasher.digest, password), s.hash), nil
}

func (unsaltedSealed) outdated() bool { return false }

func (unsaltedSealed) harden(string) {}

var errReadOnly = errors.New("djangocompat: this hasher only reads")

// reader is a hasher that makes no new passwords.
type reader struct{ hasher }

func (reader) encode(string) (string, error) { return "", errReadOnly }
