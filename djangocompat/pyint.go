package djangocompat

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pythonDigits reads text as Python's int(text, base) does, for base 10 or 16, and returns its digits in
// ASCII: there may be space around it, a sign, one underscore between two digits, and the decimal digits
// of any script. Python refuses to read more than maxIntDigits decimal ones.
func pythonDigits(text string, base int) (digits string, negative, ok bool) {
	text = strings.TrimFunc(text, unicode.IsSpace)
	if text != "" && (text[0] == '+' || text[0] == '-') {
		negative = text[0] == '-'
		text = text[1:]
	}
	apart := true // an underscore would not be between two digits
	if base == 16 && (strings.HasPrefix(text, "0x") || strings.HasPrefix(text, "0X")) {
		text = text[2:]
		apart = false
	}
	var b strings.Builder
	for _, r := range text {
		if r == '_' && !apart {
			apart = true
			continue
		}
		d, ok := asciiDigit(r, base)
		if !ok {
			return "", false, false
		}
		b.WriteByte(d)
		apart = false
	}
	return b.String(), negative, !apart && b.Len() > 0 && b.Len() <= maxIntDigits
}

func asciiDigit(r rune, base int) (byte, bool) {
	switch {
	case '0' <= r && r <= '9':
		return byte(r), true
	case base == 16 && ('a' <= r && r <= 'f' || 'A' <= r && r <= 'F'):
		return byte(r), true
	case r < utf8.RuneSelf || !unicode.Is(unicode.Nd, r):
		return 0, false
	}
	return '0' + decimalValue(r), true
}

// decimalValue returns the value of a decimal digit. Unicode has them in runs of ten, each from its zero.
func decimalValue(r rune) byte {
	for _, run := range unicode.Nd.R16 {
		if rune(run.Lo) <= r && r <= rune(run.Hi) {
			return byte((r - rune(run.Lo)) % 10)
		}
	}
	for _, run := range unicode.Nd.R32 {
		if rune(run.Lo) <= r && r <= rune(run.Hi) {
			return byte((r - rune(run.Lo)) % 10)
		}
	}
	return 0
}

// truncate is Python's int(float) where it fits.
func truncate(f float64) (int64, bool) {
	if math.Abs(f) < 1<<63 { // false for NaN
		return int64(f), true
	}
	return 0, false
}
