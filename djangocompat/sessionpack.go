package djangocompat

import (
	"encoding/hex"
	"strings"
)

// phrases are what the sessions of all who are logged in have in common. In a packed text, which is ASCII otherwise, the
// byte firstPhrase+i stands for the i-th of them. The last is followed by a digest in hexadecimal digits, of which the
// bytes stand there.
var phrases = [...]string{
	`"` + AuthUserIDKey + `":"`,
	`"` + AuthBackendKey + `":"django.contrib.auth.backends.ModelBackend"`,
	`"` + AuthBackendKey + `":"`,
	`"` + AuthHashKey + `":"`,
}

const (
	firstPhrase = 0x80
	hashPhrase  = byte(len(phrases) - 1)
	digestSize  = 32
)

// Compact returns the same data in as little memory as it can be kept in for long, where that is less: the session of
// somebody who is logged in and did nothing yet takes a third. Whoever reads it unpacks it each time.
func (d SessionData) Compact() SessionData {
	if d.dict == nil || d.dict.places != nil || d.dict.packed {
		return d
	}
	packed := pack(d.dict.text)
	if len(packed) == len(d.dict.text) {
		return d
	}
	return SessionData{dict: &sessionDict{text: packed, size: d.dict.size, packed: true}}
}

// pack replaces the phrases in an ASCII text.
func pack(text string) string {
	var few [256]byte // what a login leaves fits
	b := few[:0]
	for text != "" {
		code, n := phraseOf(text)
		if n == 0 {
			b = append(b, text[0])
			text = text[1:]
			continue
		}
		b = append(b, firstPhrase+code)
		if code == hashPhrase {
			b, _ = hex.AppendDecode(b, []byte(text[n:n+2*digestSize])) // they are digits
			n += 2 * digestSize
		}
		text = text[n:]
	}
	return string(b)
}

// phraseOf returns the phrase that a text begins with, and how long it is; 0 for none.
func phraseOf(text string) (code byte, n int) {
	if text[0] != '"' {
		return 0, 0
	}
	for i, phrase := range phrases {
		rest, ok := strings.CutPrefix(text, phrase)
		if ok && (byte(i) != hashPhrase || startsWithDigest(rest)) {
			return byte(i), len(phrase)
		}
	}
	return 0, 0
}

// startsWithDigest reports whether a text begins with the digits of a digest, as Python writes them.
func startsWithDigest(text string) bool {
	if len(text) < 2*digestSize {
		return false
	}
	for i := range 2 * digestSize {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// unpack is the reverse of pack.
func unpack(packed string) string {
	b := make([]byte, 0, 256)
	for i := 0; i < len(packed); i++ {
		c := packed[i]
		if c < firstPhrase {
			b = append(b, c)
			continue
		}
		b = append(b, phrases[c-firstPhrase]...)
		if c-firstPhrase == hashPhrase {
			b = hex.AppendEncode(b, []byte(packed[i+1:i+1+digestSize]))
			i += digestSize
		}
	}
	return string(b)
}
