package djangocompat

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ParseJSON reads a JSON text as Python's json.loads reads Latin-1: a byte that is not ASCII is a
// character, NaN and the infinities are numbers. See the package's table for the Go values.
func ParseJSON(text []byte) (any, error) {
	ascii, ok := asciiJSON(string(text))
	if !ok {
		return nil, ErrMalformed
	}
	return jsonValue(ascii), nil
}

// asciiJSON checks a JSON text and returns it with the characters escaped that are not ASCII.
func asciiJSON(text string) (string, bool) {
	s := jsonScanner{text: text}
	s.space()
	if !s.value() {
		return "", false
	}
	s.space()
	if s.pos != len(text) {
		return "", false
	}
	if s.wide {
		text = escapeLatin1(text)
	}
	return text, true
}

// escapeLatin1 escapes the bytes that are not ASCII; they are in strings, and not behind a backslash.
func escapeLatin1(text string) string {
	var b strings.Builder
	b.Grow(len(text) + 64)
	for i := range len(text) {
		if c := text[i]; c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			b.WriteString(`\u00`)
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// jsonValue makes the Go value of a JSON text that a jsonScanner has checked and that is ASCII.
func jsonValue(text string) any {
	r := jsonReader{text}
	r.space()
	return r.value()
}

// jsonReader reads checked JSON from the front of rest.
type jsonReader struct{ rest string }

func (r *jsonReader) space() { r.rest = strings.TrimLeft(r.rest, " \t\n\r") }

func (r *jsonReader) value() any {
	switch r.rest[0] {
	case '"':
		return unquoteJSON(r.quoted())
	case '{':
		return r.dict()
	case '[':
		return r.list()
	}
	end := strings.IndexAny(r.rest, ",]} \t\n\r")
	if end < 0 {
		end = len(r.rest)
	}
	word := r.rest[:end]
	r.rest = r.rest[end:]
	switch word {
	case "null":
		return nil
	case "true":
		return true
	case "false":
		return false
	default:
		return jsonNumber(word)
	}
}

// quoted takes a string off, with its quotes.
func (r *jsonReader) quoted() string {
	i := 1
	for r.rest[i] != '"' {
		if r.rest[i] == '\\' {
			i++
		}
		i++
	}
	q := r.rest[:i+1]
	r.rest = r.rest[i+1:]
	return q
}

// more takes off what stands between two elements, or the end; it reports whether another element follows.
func (r *jsonReader) more() bool {
	r.space()
	c := r.rest[0]
	if c == ',' || c == ']' || c == '}' {
		r.rest = r.rest[1:]
		r.space()
	}
	return c != ']' && c != '}'
}

func (r *jsonReader) list() []any {
	l := []any{}
	r.rest = r.rest[1:]
	for r.more() {
		l = append(l, r.value())
	}
	return l
}

func (r *jsonReader) dict() map[string]any {
	m := map[string]any{}
	r.rest = r.rest[1:]
	for r.more() {
		key := unquoteJSON(r.quoted())
		r.space()
		r.rest = r.rest[1:]
		r.space()
		m[key] = r.value()
	}
	return m
}

func jsonNumber(word string) any {
	switch word {
	case "NaN":
		return math.NaN()
	case "Infinity":
		return math.Inf(1)
	case "-Infinity":
		return math.Inf(-1)
	}
	if n, err := strconv.ParseInt(word, 10, 64); err == nil {
		return n
	}
	if strings.ContainsAny(word, ".eE") {
		f, _ := strconv.ParseFloat(word, 64) // out of range is an infinity, as in Python
		return f
	}
	n, _ := new(big.Int).SetString(word, 10)
	return n
}

// unquoteJSON returns the text in a checked JSON string. Half a surrogate pair becomes the three bytes
// that UTF-8 would have for it.
func unquoteJSON(quoted string) string {
	s := quoted[1 : len(quoted)-1]
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for ; i >= 0; i = strings.IndexByte(s, '\\') {
		b = append(b, s[:i]...)
		s = s[i+1:]
		switch c := s[0]; c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			b, s = appendEscaped(b, s)
			continue
		default:
			b = append(b, c)
		}
		s = s[1:]
	}
	return string(append(b, s...))
}

// appendEscaped appends the character of the escape that s begins with, of two escapes if they are a pair,
// and returns what follows.
func appendEscaped(b []byte, s string) ([]byte, string) {
	r, _ := hex4(s[1:])
	s = s[5:]
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(b, r), s
	}
	if strings.HasPrefix(s, `\u`) {
		low, _ := hex4(s[2:])
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return utf8.AppendRune(b, pair), s[6:]
		}
	}
	return append(b, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0xBF, 0x80|byte(r)&0xBF), s
}
