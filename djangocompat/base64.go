package djangocompat

import (
	"bytes"
	"encoding/base64"
)

// appendBase64 appends data as Django's signing writes it: the URL alphabet, no padding.
func appendBase64(dst, data []byte) []byte {
	return base64.RawURLEncoding.AppendEncode(dst, data)
}

// appendDecodedBase64 appends what Django's signing reads: either alphabet, whatever else there is
// skipped. The padding that Django adds goes by the length of text with all that is skipped.
// Python: django.core.signing.b64_decode.
func appendDecodedBase64(dst, text []byte) ([]byte, bool) {
	// Go's decoder skips line ends, and goes by the length of what remains.
	if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		if out, err := base64.RawURLEncoding.AppendDecode(dst, text); err == nil {
			return out, true
		}
	}
	pad := -len(text) & 3
	return appendLaxBase64(dst, text, pad)
}

// appendStdBase64 appends what Python's b64decode reads: junk is skipped, padding is needed.
func appendStdBase64(dst, text []byte) ([]byte, bool) {
	for _, c := range text {
		if c == '-' || c == '_' {
			return appendLaxBase64(dst, bytes.Map(dropURLAlphabet, text), 0)
		}
	}
	return appendLaxBase64(dst, text, 0)
}

func dropURLAlphabet(r rune) rune {
	if r == '-' || r == '_' {
		return -1
	}
	return r
}

// appendLaxBase64 decodes text and then pad times "=", as binascii.a2b_base64 does when it is not strict:
// it goes by quadruples of the characters that it knows, and ends where a quadruple is padded in full.
func appendLaxBase64(dst, text []byte, pad int) ([]byte, bool) {
	var (
		quad uint32 // the bits of the characters since the last whole quadruple
		have int    // how many characters these are
		pads int
	)
	for i := range len(text) + pad {
		c := byte('=')
		if i < len(text) {
			c = text[i]
		}
		if c == '=' {
			if pads++; have >= 2 && have+pads >= 4 {
				return dst, true
			}
			continue
		}
		v, ok := base64Value(c)
		if !ok {
			continue
		}
		pads = 0
		quad = quad<<6 | v
		switch have++; have {
		case 2:
			dst = append(dst, byte(quad>>4))
		case 3:
			dst = append(dst, byte(quad>>2))
		case 4:
			dst = append(dst, byte(quad))
			have = 0
		}
	}
	return dst, have == 0
}

func base64Value(c byte) (uint32, bool) {
	switch {
	case 'A' <= c && c <= 'Z':
		return uint32(c - 'A'), true
	case 'a' <= c && c <= 'z':
		return uint32(c-'a') + 26, true
	case '0' <= c && c <= '9':
		return uint32(c-'0') + 52, true
	case c == '+' || c == '-':
		return 62, true
	case c == '/' || c == '_':
		return 63, true
	}
	return 0, false
}
