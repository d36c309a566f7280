package djangocompat

import (
	"crypto/rand"
	"strings"
	"unicode/utf8"
)

const (
	sessionKeySize   = 32
	sessionKeyDigits = "abcdefghijklmnopqrstuvwxyz0123456789"
)

// NewSessionKey returns a session key that nobody can guess: 32 characters of a-z and 0-9.
func NewSessionKey() string { return randomText(sessionKeySize, sessionKeyDigits) }

// randomText returns n characters of alphabet, each as likely as any other.
func randomText(n int, alphabet string) string {
	text := make([]byte, 0, n)
	limit := 256 - 256%len(alphabet) // a byte from here on would favour the first characters
	var random [64]byte
	for {
		_, _ = rand.Read(random[:]) // never fails
		for _, b := range random {
			if int(b) >= limit {
				continue
			}
			text = append(text, alphabet[int(b)%len(alphabet)])
			if len(text) == n {
				return string(text)
			}
		}
	}
}

// PlausibleSessionKey reports whether a session may be stored under key: 8 to 40 characters that a column
// can hold. Anything else need not be looked up. Python: SessionBase._validate_session_key.
func PlausibleSessionKey(key string) bool {
	return len(key) >= 8 && len(key) <= 40*utf8.UTFMax && strings.IndexByte(key, 0) < 0 &&
		utf8.ValidString(key) && utf8.RuneCountInString(key) >= 8 && utf8.RuneCountInString(key) <= 40
}
