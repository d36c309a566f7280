package djangocompat

import (
	"math/big"
	"strings"
)

const base62Digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// FormatBase62 writes n as Django's timestamps are. Python: django.core.signing.b62_encode.
func FormatBase62(n *big.Int) string { return strings.Map(swapCase, n.Text(62)) }

// ParseBase62 reads what FormatBase62 writes; as in Django, "-" alone is 0.
// Python: django.core.signing.b62_decode.
func ParseBase62(text string) (*big.Int, error) {
	digits := strings.TrimPrefix(text, "-")
	if !base62Valid(digits) || text == "" {
		return nil, ErrMalformed
	}
	n, ok := new(big.Int), true
	if digits != "" {
		n, ok = n.SetString(strings.Map(swapCase, digits), 62)
	}
	if !ok {
		return nil, ErrMalformed
	}
	if len(digits) < len(text) {
		n.Neg(n)
	}
	return n, nil
}

func base62Valid(digits string) bool {
	for _, r := range digits {
		if !strings.ContainsRune(base62Digits, r) {
			return false
		}
	}
	return true
}

// swapCase turns Go's order of digits, in which the small letters come first, into Django's and back.
func swapCase(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z':
		return r - 'a' + 'A'
	case 'A' <= r && r <= 'Z':
		return r - 'A' + 'a'
	}
	return r
}

func appendBase62(dst []byte, n int64) []byte {
	var digits [12]byte
	i := len(digits)
	negative := n < 0
	u := uint64(n)
	if negative {
		u = -u
	}
	for {
		i--
		digits[i] = base62Digits[u%62]
		if u /= 62; u == 0 {
			break
		}
	}
	if negative {
		i--
		digits[i] = '-'
	}
	return append(dst, digits[i:]...)
}

// farTime is so far away that it makes no difference how far.
const farTime = int64(1) << 40

// parseTimestamp reads the seconds of a signed time; one beyond farTime is cut to it.
func parseTimestamp(text []byte) (int64, bool) {
	if len(text) == 0 {
		return 0, false
	}
	digits := text
	if text[0] == '-' {
		digits = text[1:]
	}
	var n int64
	for _, c := range digits {
		d := strings.IndexByte(base62Digits, c)
		if d < 0 {
			return 0, false
		}
		n = min(n*62+int64(d), farTime)
	}
	if len(digits) < len(text) {
		n = -n
	}
	return n, true
}
