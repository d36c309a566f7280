package channellayer

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
)

// secret is what nobody guesses in the name of a channel: 96 bits.
type secret [12]byte

// newSecret returns another one each time.
func newSecret() (s secret) {
	_, _ = rand.Read(s[:]) // it never fails
	return s
}

// TailLen is how many characters follow the prefix in the name of a channel that [Local.Open] opens.
const TailLen = 22

// tails are those characters: the secret and the slot, so that whoever has a name finds the channel without a table
// of names. Each bit counts, so that a channel has no second name.
var tails = base64.RawURLEncoding.Strict()

// nameOf returns the name of the channel in a slot.
func nameOf(prefix string, key secret, slot uint32) string {
	var raw [len(key) + 4]byte
	binary.BigEndian.PutUint32(raw[copy(raw[:], key[:]):], slot)
	var tail [TailLen]byte
	tails.Encode(tail[:], raw[:])
	return prefix + string(tail[:])
}

// parseName returns what nameOf has made a name of. It reports false for one that it did not make.
func parseName(name string) (prefix string, key secret, slot uint32, ok bool) {
	var raw [len(key) + 4]byte
	at := len(name) - TailLen
	if at < 0 {
		return "", key, 0, false
	}
	if _, err := tails.Decode(raw[:], []byte(name[at:])); err != nil {
		return "", key, 0, false
	}
	n := copy(key[:], raw[:])
	return name[:at], key, binary.BigEndian.Uint32(raw[n:]), true
}
