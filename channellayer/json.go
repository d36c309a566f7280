package channellayer

import (
	"encoding/base64"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendJSON appends v, an [Event] or one of the values in it, to dst as compact JSON in UTF-8 and returns the
// extended slice. Keys are sorted; floats look as in Python (1000.0, 1e+16); NaN and the infinities, which no
// browser parses, are null; []byte is base64; "<" and its like stay; what is not UTF-8 becomes U+FFFD.
// A value of another type, which no Event holds, is null.
func AppendJSON(dst []byte, v any) []byte {
	w := jsonWriter{dst: dst, comma: ",", colon: ":", nan: "null", inf: "null", negInf: "null"}
	w.value(v, 1)
	return w.dst
}

// AppendPythonJSON is [AppendJSON] in the bytes that json.dumps(v, sort_keys=True) has: ", " and ": " between
// values, ASCII alone, and NaN, Infinity and -Infinity, which JSON does not know. []byte, which json.dumps
// refuses, is base64 here as well.
func AppendPythonJSON(dst []byte, v any) []byte {
	w := jsonWriter{dst: dst, comma: ", ", colon: ": ", nan: "NaN", inf: "Infinity", negInf: "-Infinity", ascii: true}
	w.value(v, 1)
	return w.dst
}

// jsonWriter appends JSON to dst.
type jsonWriter struct {
	dst []byte

	// How it looks.
	comma, colon     string
	nan, inf, negInf string
	ascii            bool
}

// value appends what stands at depth. An event that contains itself ends in null at a depth that no checked
// event has.
func (w *jsonWriter) value(v any, depth int) {
	switch v := v.(type) {
	case bool:
		w.dst = strconv.AppendBool(w.dst, v)
	case int64:
		w.dst = strconv.AppendInt(w.dst, v, 10)
	case float64:
		w.float(v)
	case string:
		w.str(v)
	case []byte:
		w.dst = append(w.dst, '"')
		w.dst = base64.StdEncoding.AppendEncode(w.dst, v)
		w.dst = append(w.dst, '"')
	case []any:
		w.list(v, depth)
	case map[string]any:
		w.object(v, depth)
	case Event:
		w.object(v, depth)
	default:
		w.dst = append(w.dst, "null"...)
	}
}

func (w *jsonWriter) list(list []any, depth int) {
	if depth > 2*MaxDepth {
		w.dst = append(w.dst, "null"...)
		return
	}
	w.dst = append(w.dst, '[')
	for i, x := range list {
		if i > 0 {
			w.dst = append(w.dst, w.comma...)
		}
		w.value(x, depth+1)
	}
	w.dst = append(w.dst, ']')
}

func (w *jsonWriter) object(m map[string]any, depth int) {
	if depth > 2*MaxDepth {
		w.dst = append(w.dst, "null"...)
		return
	}
	var few [16]string
	keys := slices.AppendSeq(few[:0], maps.Keys(m))
	slices.Sort(keys)
	w.dst = append(w.dst, '{')
	for i, key := range keys {
		if i > 0 {
			w.dst = append(w.dst, w.comma...)
		}
		w.str(key)
		w.dst = append(w.dst, w.colon...)
		w.value(m[key], depth+1)
	}
	w.dst = append(w.dst, '}')
}

// float appends f as Python's repr has it.
func (w *jsonWriter) float(f float64) {
	switch abs := math.Abs(f); {
	case math.IsNaN(f):
		w.dst = append(w.dst, w.nan...)
	case math.IsInf(f, 1):
		w.dst = append(w.dst, w.inf...)
	case math.IsInf(f, -1):
		w.dst = append(w.dst, w.negInf...)
	case abs != 0 && (abs < 1e-4 || abs >= 1e16):
		w.dst = strconv.AppendFloat(w.dst, f, 'e', -1, 64)
	default:
		w.dst = strconv.AppendFloat(w.dst, f, 'f', -1, 64)
		if f == math.Trunc(f) {
			w.dst = append(w.dst, ".0"...)
		}
	}
}

// del is the ASCII character that json.dumps escapes although JSON does not ask for it.
const del = 0x7F

// str appends a string in quotes.
func (w *jsonWriter) str(s string) {
	w.dst = append(w.dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c <= '~' && c != '"' && c != '\\' || c == del && !w.ascii {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			w.dst = append(w.dst, s[start:i]...)
			w.escape(c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if w.ascii || r == utf8.RuneError && size == 1 {
			w.dst = append(w.dst, s[start:i]...)
			w.char(r)
			start = i + size
		}
		i += size
	}
	w.dst = append(w.dst, s[start:]...)
	w.dst = append(w.dst, '"')
}

// escape appends an ASCII character that may not stand for itself.
func (w *jsonWriter) escape(c byte) {
	switch c {
	case '"', '\\':
		w.dst = append(w.dst, '\\', c)
	case '\n':
		w.dst = append(w.dst, '\\', 'n')
	case '\r':
		w.dst = append(w.dst, '\\', 'r')
	case '\t':
		w.dst = append(w.dst, '\\', 't')
	case '\b':
		w.dst = append(w.dst, '\\', 'b')
	case '\f':
		w.dst = append(w.dst, '\\', 'f')
	default:
		w.unit(uint16(c))
	}
}

// char appends a character beyond ASCII.
func (w *jsonWriter) char(r rune) {
	switch {
	case !w.ascii:
		w.dst = utf8.AppendRune(w.dst, r)
	case r > math.MaxUint16:
		high, low := utf16.EncodeRune(r)
		w.unit(uint16(high))
		w.unit(uint16(low))
	default:
		w.unit(uint16(r))
	}
}

// unit appends a UTF-16 code unit as \uXXXX.
func (w *jsonWriter) unit(u uint16) {
	const hex = "0123456789abcdef"
	w.dst = append(w.dst, '\\', 'u', hex[u>>12], hex[u>>8&15], hex[u>>4&15], hex[u&15])
}
