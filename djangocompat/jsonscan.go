package djangocompat

import "strings"

const (
	// maxDepth is how deep lists and dicts may be nested: somewhat less than Python's own limit.
	maxDepth = 900
	// maxIntDigits is how long an integer may be: Python's own limit.
	maxIntDigits = 4300
)

// jsonScanner checks JSON as Python's json.loads understands it: NaN and Infinity are numbers. A byte that
// is not ASCII may be in a string, where Python has read it as a Latin-1 character.
type jsonScanner struct {
	text  string
	pos   int
	depth int
	wide  bool // there was a byte that is not ASCII
}

// value skips a value; it reports whether there was one.
func (s *jsonScanner) value() bool {
	if s.pos >= len(s.text) {
		return false
	}
	switch c := s.text[s.pos]; c {
	case '"':
		return s.string()
	case '{':
		return s.nested('}')
	case '[':
		return s.nested(']')
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	case 'N':
		return s.word("NaN")
	case 'I':
		return s.word("Infinity")
	default:
		return s.number()
	}
}

func (s *jsonScanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *jsonScanner) next(c byte) bool {
	if s.pos < len(s.text) && s.text[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *jsonScanner) word(w string) bool {
	if !strings.HasPrefix(s.text[s.pos:], w) {
		return false
	}
	s.pos += len(w)
	return true
}

// nested skips a list or a dict, up to its end.
func (s *jsonScanner) nested(end byte) bool {
	if s.depth++; s.depth > maxDepth {
		return false
	}
	s.pos++
	s.space()
	if s.next(end) {
		s.depth--
		return true
	}
	for {
		if !s.item(end) {
			return false
		}
		s.space()
		if s.next(end) {
			s.depth--
			return true
		}
		if !s.next(',') {
			return false
		}
		s.space()
	}
}

func (s *jsonScanner) item(end byte) bool {
	if end == '}' {
		return s.member()
	}
	return s.value()
}

// member skips a key and its value.
func (s *jsonScanner) member() bool {
	if s.pos >= len(s.text) || s.text[s.pos] != '"' || !s.string() {
		return false
	}
	s.space()
	if !s.next(':') {
		return false
	}
	s.space()
	return s.value()
}

func (s *jsonScanner) string() bool {
	text := s.text
	for i := s.pos + 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			s.pos = i + 1
			return true
		case c < ' ':
			return false
		case c == '\\':
			s.pos = i
			if !s.escape() {
				return false
			}
			i = s.pos - 1
		case c >= 0x80:
			s.wide = true
		}
	}
	return false
}

func (s *jsonScanner) escape() bool {
	if s.pos+1 >= len(s.text) {
		return false
	}
	switch s.text[s.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return true
	case 'u':
		if _, ok := hex4(s.text[s.pos+2:]); !ok {
			return false
		}
		s.pos += 6
		return true
	default:
		return false
	}
}

// number skips a number, or -Infinity.
func (s *jsonScanner) number() bool {
	if s.next('-') && s.pos < len(s.text) && s.text[s.pos] == 'I' {
		return s.word("Infinity")
	}
	whole := 1
	if !s.next('0') {
		if whole = s.digits(); whole == 0 {
			return false
		}
	}
	point, ok := s.fraction()
	if !ok {
		return false
	}
	exp, ok := s.exponent()
	return ok && (point || exp || whole <= maxIntDigits)
}

func (s *jsonScanner) digits() int {
	start := s.pos
	for s.pos < len(s.text) && '0' <= s.text[s.pos] && s.text[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - start
}

func (s *jsonScanner) fraction() (there, ok bool) {
	if !s.next('.') {
		return false, true
	}
	return true, s.digits() > 0
}

func (s *jsonScanner) exponent() (there, ok bool) {
	if !s.next('e') && !s.next('E') {
		return false, true
	}
	if !s.next('+') {
		s.next('-')
	}
	return true, s.digits() > 0
}

// hex4 reads the four digits of a \u escape.
func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for i := range 4 {
		c := s[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
