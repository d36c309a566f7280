package djangocompat

import (
	"errors"
	"iter"
	"strings"
	"unicode/utf8"
)

// ErrTooManyCookies means that a Cookie header is larger than a browser makes it.
var ErrTooManyCookies = errors.New("djangocompat: too many cookies")

const (
	maxCookieBytes = 64 << 10
	maxCookies     = 1000
)

// ParseCookie reads the value of a Cookie header as Django does, except that a header that is too large is
// refused. The bytes of header are Latin-1 characters; what is returned is UTF-8. The last of equal names
// wins; a cookie without "=" has the name "". Python: django.http.cookie.parse_cookie.
func ParseCookie(header string) (map[string]string, error) {
	if len(header) > maxCookieBytes || strings.Count(header, ";") >= maxCookies {
		return nil, ErrTooManyCookies
	}
	cookies := make(map[string]string)
	for name, value := range rawCookies(header) {
		cookies[fromLatin1(name)] = fromLatin1(unquoteCookie(value))
	}
	return cookies, nil
}

// CookieValue returns what ParseCookie has under name, without a map; whatever the size of header.
func CookieValue(header, name string) (value string, ok bool) {
	for v := range CookieValues(header, name) {
		value, ok = v, true
	}
	return value, ok
}

// CookieValues walks over the values under name in a Cookie header. A browser sends one. More than one may
// be the sign of a cookie that another site under the same domain has set.
func CookieValues(header, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for raw, value := range rawCookies(header) {
			if raw == name || fromLatin1(raw) == name {
				if !yield(fromLatin1(unquoteCookie(value))) {
					return
				}
			}
		}
	}
}

// rawCookies walks over the names and values in a Cookie header as they stand there.
func rawCookies(header string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for more := true; more; {
			var chunk string
			chunk, header, more = strings.Cut(header, ";")
			name, value, ok := strings.Cut(chunk, "=")
			if !ok {
				name, value = "", chunk
			}
			name, value = trimLatin1(name), trimLatin1(value)
			if (name != "" || value != "") && !yield(name, value) {
				return
			}
		}
	}
}

// trimLatin1 is Python's str.strip for Latin-1 bytes.
func trimLatin1(s string) string {
	for s != "" && isLatin1Space(s[0]) {
		s = s[1:]
	}
	for s != "" && isLatin1Space(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func isLatin1Space(c byte) bool {
	return c == ' ' || '\t' <= c && c <= '\r' || 0x1C <= c && c <= 0x1F || c == 0x85 || c == 0xA0
}

// fromLatin1 returns the UTF-8 text of Latin-1 bytes.
func fromLatin1(s string) string {
	wide := 0
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			wide++
		}
	}
	if wide == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+wide)
	for i := range len(s) {
		b = utf8.AppendRune(b, rune(s[i]))
	}
	return string(b)
}

// unquoteCookie takes the quotes and escapes off a quoted value, byte by byte.
// Python: http.cookies._unquote.
func unquoteCookie(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for s != "" {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i == len(s)-1 {
			break
		}
		b = append(b, s[:i]...)
		c, size := cookieEscape(s[i:])
		b = append(b, c)
		s = s[i+size:]
	}
	return string(append(b, s...))
}

// cookieEscape reads the escape that s begins with: three octal digits, or any byte but a line feed.
func cookieEscape(s string) (c byte, size int) {
	if len(s) >= 4 && isOctal(s[1], '3') && isOctal(s[2], '7') && isOctal(s[3], '7') {
		return (s[1]-'0')<<6 | (s[2]-'0')<<3 | (s[3] - '0'), 4
	}
	if s[1] == '\n' {
		return '\\', 1
	}
	return s[1], 2
}

func isOctal(c, last byte) bool { return '0' <= c && c <= last }
