package djangocompat

import "strings"

const (
	csrfSecretSize = 32
	csrfTokenSize  = 2 * csrfSecretSize
)

// NewCSRFSecret returns a secret that nobody can guess, for a visitor who has none.
func NewCSRFSecret() string { return randomText(csrfSecretSize, saltDigits) }

// MaskCSRF returns a token for a form: the secret under a mask that is another one each time, so that a
// compressed page does not tell it (BREACH). It returns "" if secret is none.
// Python: django.middleware.csrf._mask_cipher_secret.
func MaskCSRF(secret string) string {
	if len(secret) != csrfSecretSize || !isCSRFText(secret) {
		return ""
	}
	mask := NewCSRFSecret()
	return mask + shiftCSRF(secret, mask, 1)
}

// UnmaskCSRF returns the secret of a token. Python: django.middleware.csrf._unmask_cipher_token.
func UnmaskCSRF(token string) (secret string, ok bool) {
	if len(token) != csrfTokenSize || !isCSRFText(token) {
		return "", false
	}
	return shiftCSRF(token[csrfSecretSize:], token[:csrfSecretSize], -1), true
}

// shiftCSRF moves each character of text by that of mask, forwards or backwards through the alphabet.
func shiftCSRF(text, mask string, direction int) string {
	out := make([]byte, len(text))
	for i := range len(text) {
		n := csrfIndex(text[i]) + direction*csrfIndex(mask[i]) + len(saltDigits)
		out[i] = saltDigits[n%len(saltDigits)]
	}
	return string(out)
}

// csrfIndex returns the place of c among the letters, small ones first, and then the digits.
func csrfIndex(c byte) int {
	switch {
	case c >= 'a':
		return int(c - 'a')
	case c >= 'A':
		return int(c-'A') + 26
	default:
		return int(c-'0') + 52
	}
}

func isCSRFText(s string) bool { return strings.Trim(s, saltDigits) == "" }
