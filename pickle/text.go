package pickle

import (
	"strings"
	"unicode/utf8"
)

// validText reports whether b is UTF-8, in which surrogates may be encoded too, as in Python's
// "surrogatepass".
func validText(b []byte) bool {
	for !utf8.Valid(b) {
		i := 0
		for {
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n <= 1 {
				break
			}
			i += n
		}
		if _, ok := surrogate(b[i:]); !ok {
			return false
		}
		b = b[i+3:]
	}
	return true
}

// surrogate reads a surrogate that is encoded in three bytes.
func surrogate(b []byte) (rune, bool) {
	if len(b) < 3 || b[0] != 0xed || b[1] < 0xa0 || b[1] > 0xbf || b[2]&0xc0 != 0x80 {
		return 0, false
	}
	return 0xd000 | rune(b[1]&0x3f)<<6 | rune(b[2]&0x3f), true
}

// appendCodePoint is utf8.AppendRune for surrogates too.
func appendCodePoint(b []byte, r rune) []byte {
	if 0xd800 <= r && r <= 0xdfff {
		return append(b, 0xed, byte(r>>6&0x3f|0x80), byte(r&0x3f|0x80))
	}
	return utf8.AppendRune(b, r)
}

// codePoints are the code points of a str, surrogates included.
func codePoints(s string) []rune {
	points := make([]rune, 0, len(s))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			r, _ = surrogate([]byte(s[i:min(i+3, len(s))]))
			n = 3
		}
		points = append(points, r)
		i += n
	}
	return points
}

// rawUnicodeEscape reads the argument of UNICODE: Latin-1 with \uXXXX and \UXXXXXXXX.
// Python: the codec raw-unicode-escape.
func rawUnicodeEscape(line []byte) (string, error) {
	var text []byte
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c != '\\' || i+1 == len(line) {
			text = utf8.AppendRune(text, rune(c))
			continue
		}
		i++
		digits := 0
		switch line[i] {
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		default:
			text = utf8.AppendRune(append(text, '\\'), rune(line[i]))
			continue
		}
		r, ok := hexNumber(line[i+1:], digits)
		if !ok || r > utf8.MaxRune {
			return "", malformed("UNICODE has a bad escape")
		}
		text = appendCodePoint(text, r)
		i += digits
	}
	return string(text), nil
}

// hexNumber reads n hexadecimal digits.
func hexNumber(b []byte, n int) (rune, bool) {
	if len(b) < n {
		return 0, false
	}
	value := uint32(0)
	for _, c := range b[:n] {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if digit < 0 || c < '0' {
			return 0, false
		}
		value = value<<4 | uint32(digit)
	}
	return rune(value & 0x7fffffff), value <= utf8.MaxRune
}

// quotedString reads the argument of STRING, a string literal of Python 2, which has to be ASCII.
// Python: codecs.escape_decode.
func quotedString(line []byte) (string, error) {
	if len(line) < 2 || line[0] != line[len(line)-1] || line[0] != '\'' && line[0] != '"' {
		return "", malformed("STRING is not quoted")
	}
	line = line[1 : len(line)-1]
	var text []byte
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c == '\\' {
			n := 0
			if text, n = appendEscape(text, line[i+1:]); n == 0 {
				return "", malformed("STRING has a bad escape")
			}
			i += n
			continue
		}
		text = append(text, c)
	}
	return asciiText(text)
}

// appendEscape appends what the escape after a backslash means, and returns its length, or 0.
func appendEscape(text, rest []byte) ([]byte, int) {
	if len(rest) == 0 {
		return text, 0
	}
	const letters, meanings = `\'"abfnrtv`, "\\'\"\a\b\f\n\r\t\v"
	c := rest[0]
	if i := strings.IndexByte(letters, c); i >= 0 {
		return append(text, meanings[i]), 1
	}
	if c == 'x' {
		r, ok := hexNumber(rest[1:], 2)
		if !ok {
			return text, 0
		}
		return append(text, byte(r)), 3
	}
	octal, n := 0, 0
	for n < min(3, len(rest)) && '0' <= rest[n] && rest[n] <= '7' {
		octal = octal<<3 | int(rest[n]-'0')
		n++
	}
	if n == 0 {
		return append(text, '\\', c), 1
	}
	return append(text, byte(octal)), n
}

// asciiText makes a str of Python 2 one of Python 3, which pickle.loads does for ASCII only.
func asciiText(b []byte) (string, error) {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return "", malformed("a string of Python 2 is not ASCII")
		}
	}
	return string(b), nil
}
