package djangocompat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

var (
	errNotUTF8 = errors.New("djangocompat: a text to be stored is not valid UTF-8")
	errTooDeep = errors.New("djangocompat: a value to be stored is nested too deeply")
)

const hexDigits = "0123456789abcdef"

// AppendJSON appends the JSON text of v as Python's json.dumps writes it for Django: ASCII, no spaces, a
// float always with a point or an exponent. A map is written in the order of its keys. What is not in the
// package's table of Go values is written as encoding/json would, in ASCII.
func AppendJSON(dst []byte, v any) ([]byte, error) { return appendJSON(dst, v, 0) }

func appendJSON(b []byte, v any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return appendQuoted(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case uint64:
		return strconv.AppendUint(b, v, 10), nil
	case *big.Int:
		if v != nil {
			return v.Append(b, 10), nil
		}
	case float64:
		return appendFloat(b, v), nil
	case []any:
		return appendList(b, v, depth)
	case map[string]any:
		return appendDict(b, v, depth)
	}
	return appendForeign(b, v)
}

func appendList(b []byte, l []any, depth int) ([]byte, error) {
	b = append(b, '[')
	var err error
	for i, v := range l {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendJSON(b, v, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendDict(b []byte, m map[string]any, depth int) ([]byte, error) {
	b = append(b, '{')
	var err error
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendQuoted(b, key); err != nil {
			return nil, err
		}
		if b, err = appendJSON(append(b, ':'), m[key], depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendForeign appends a value that encoding/json knows better.
func appendForeign(b []byte, v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("djangocompat: a value of type %T has no JSON form", v)
	}
	text := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	return appendASCII(b, text)
}

// appendASCII appends text with escapes for what is not ASCII.
func appendASCII[T string | []byte](b []byte, text T) ([]byte, error) {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			b = append(b, c)
			i++
			continue
		}
		r, size := wideRune(text[i:])
		if size == 0 {
			return nil, errNotUTF8
		}
		b = appendRuneEscape(b, r)
		i += size
	}
	return b, nil
}

// wideRune reads a character that is not ASCII, or half a surrogate pair. The size is 0 if it is neither.
func wideRune[T string | []byte](s T) (rune, int) {
	var first [utf8.UTFMax]byte
	n := copy(first[:], s)
	r, size := utf8.DecodeRune(first[:n])
	if r != utf8.RuneError || size > 1 {
		return r, size
	}
	if n >= 3 && first[0] == 0xED && first[1]&0xE0 == 0xA0 && first[2]&0xC0 == 0x80 {
		return 0xD000 | rune(first[1]&0x3F)<<6 | rune(first[2]&0x3F), 3
	}
	return 0, 0
}

func appendRuneEscape(b []byte, r rune) []byte {
	if r > 0xFFFF {
		hi, lo := utf16.EncodeRune(r)
		return appendUnitEscape(appendUnitEscape(b, hi), lo)
	}
	return appendUnitEscape(b, r)
}

func appendUnitEscape(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// appendQuoted appends s as a JSON string.
func appendQuoted(b []byte, s string) ([]byte, error) {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := wideRune(s[i:])
			if size == 0 {
				return nil, errNotUTF8
			}
			b = appendRuneEscape(b, r)
			i += size
			continue
		}
		b = appendQuotedByte(b, c)
		i++
	}
	return append(b, '"'), nil
}

func appendQuotedByte(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	case '\f':
		return append(b, '\\', 'f')
	case '\b':
		return append(b, '\\', 'b')
	}
	if c < ' ' || c == 0x7F {
		return appendUnitEscape(b, rune(c))
	}
	return append(b, c)
}

// appendFloat appends f as Python's repr does.
func appendFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	if !bytes.ContainsRune(b[start:], '.') {
		b = append(b, ".0"...)
	}
	return b
}
