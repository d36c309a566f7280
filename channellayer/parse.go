package channellayer

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrInvalidJSON means that a text is no JSON, or JSON beyond the bounds of [ParseJSON].
var ErrInvalidJSON = errors.New("channellayer: invalid JSON")

// ErrTooManyValues means that a text holds more than [MaxElements] allows. It is an [ErrInvalidJSON].
var ErrTooManyValues = fmt.Errorf("%w: too many values", ErrInvalidJSON)

// ParseJSON returns the value of a JSON text from a client, as an [Event] holds it: a number without fraction
// and exponent is an int64, or, where that is too small for it, what JavaScript reads: the nearest
// float64. Other numbers are float64. Of equal keys the last one wins; half a surrogate pair becomes U+FFFD.
//
// Refused is what is no JSON by RFC 8259 or no UTF-8, a number beyond float64, and what would be deeper than
// [MaxDepth] or larger than [MaxElements]. An object counts for sixteen values more than it holds, which is what it
// takes in memory, so that ParseJSON allocates less than 64 MiB whatever a text of a megabyte holds.
func ParseJSON(data []byte) (any, error) {
	p := parser{data: data, left: MaxElements}
	return p.document(1)
}

// ParsePythonJSON is [ParseJSON] for what json.dumps wrote, which may hold NaN, Infinity and -Infinity.
func ParsePythonJSON(data []byte) (any, error) {
	p := parser{data: data, left: MaxElements, python: true}
	return p.document(1)
}

// objectCost is for how many values an object counts: a map with one key takes about as much memory.
const objectCost = 16

// parser reads one JSON text.
type parser struct {
	data []byte
	pos  int
	left int // how many values may still come

	python        bool // NaN and the infinities are numbers
	wholeIntegers bool // an integer beyond 64 bits is an error
}

// document reads the whole text as one value, which will stand at depth.
func (p *parser) document(depth int) (any, error) {
	if !utf8.Valid(p.data) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrInvalidJSON)
	}
	v, err := p.value(depth)
	if err != nil {
		return nil, err
	}
	if p.space(); p.pos < len(p.data) {
		return nil, p.errorf("more follows its end")
	}
	return v, nil
}

// value reads a value at depth, with the white space before it.
func (p *parser) value(depth int) (any, error) {
	if err := p.count(1); err != nil {
		return nil, err
	}
	p.space()
	switch c := p.peek(); {
	case c == '"':
		return p.str()
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.list(depth)
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	default:
		return p.word()
	}
}

// word reads a value that is a word.
func (p *parser) word() (any, error) {
	switch {
	case p.skip("null"):
		return nil, nil
	case p.skip("true"):
		return true, nil
	case p.skip("false"):
		return false, nil
	case p.python && p.skip("NaN"):
		return math.NaN(), nil
	case p.python && p.skip("Infinity"):
		return math.Inf(1), nil
	}
	return nil, p.errorf("a value is missing")
}

func (p *parser) list(depth int) (any, error) {
	if depth > MaxDepth {
		return nil, p.errorf("too deep")
	}
	p.pos++ // [
	list := []any{}
	if p.space(); p.skip("]") {
		return list, nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		p.space()
		switch {
		case p.skip("]"):
			return list, nil
		case !p.skip(","):
			return nil, p.errorf("a comma or ] is missing")
		}
	}
}

func (p *parser) object(depth int) (any, error) {
	if depth > MaxDepth {
		return nil, p.errorf("too deep")
	}
	if err := p.count(objectCost); err != nil {
		return nil, err
	}
	p.pos++ // {
	m := map[string]any{}
	if p.space(); p.skip("}") {
		return m, nil
	}
	for {
		key, err := p.key()
		if err != nil {
			return nil, err
		}
		if m[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
		p.space()
		switch {
		case p.skip("}"):
			return m, nil
		case !p.skip(","):
			return nil, p.errorf("a comma or } is missing")
		}
	}
}

// key reads a key and its colon.
func (p *parser) key() (string, error) {
	if p.space(); p.peek() != '"' {
		return "", p.errorf("a key is missing")
	}
	key, err := p.str()
	if err != nil {
		return "", err
	}
	if p.space(); !p.skip(":") {
		return "", p.errorf("a colon is missing")
	}
	return key, nil
}

// number reads a number, whose first character is there.
func (p *parser) number() (any, error) {
	start := p.pos
	negative := p.skip("-")
	if negative && p.python && p.skip("Infinity") {
		return math.Inf(-1), nil
	}
	if !p.skip("0") && !p.digits() {
		return nil, p.errorf("a number has no digits")
	}
	integer := true
	if p.skip(".") {
		integer = false
		if !p.digits() {
			return nil, p.errorf("a fraction has no digits")
		}
	}
	if p.skip("e") || p.skip("E") {
		integer = false
		if !p.skip("+") {
			p.skip("-")
		}
		if !p.digits() {
			return nil, p.errorf("an exponent has no digits")
		}
	}
	return p.numberOf(string(p.data[start:p.pos]), integer)
}

// numberOf returns the value of a number that follows JSON's grammar.
func (p *parser) numberOf(text string, integer bool) (any, error) {
	if integer {
		i, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err == nil:
			return i, nil
		case p.wholeIntegers:
			return nil, p.errorf("an integer is beyond 64 bits")
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, p.errorf("a number is out of range")
	}
	return f, nil
}

// digits skips digits, and reports whether there were any.
func (p *parser) digits() bool {
	start := p.pos
	for '0' <= p.peek() && p.peek() <= '9' {
		p.pos++
	}
	return p.pos > start
}

// str reads a string, whose first quote is there.
func (p *parser) str() (string, error) {
	p.pos++ // the quote
	start := p.pos
	for ; p.pos < len(p.data); p.pos++ {
		switch c := p.data[p.pos]; {
		case c == '"':
			s := string(p.data[start:p.pos])
			p.pos++
			return s, nil
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			return "", p.errorf("a control character stands in a string")
		}
	}
	return "", p.errorf("a string has no end")
}

// escaped reads the rest of a string that began at start, from its first backslash on.
func (p *parser) escaped(start int) (string, error) {
	s := append([]byte(nil), p.data[start:p.pos]...)
	for p.pos < len(p.data) {
		c := p.data[p.pos]
		p.pos++
		switch {
		case c == '"':
			return string(s), nil
		case c < ' ':
			return "", p.errorf("a control character stands in a string")
		case c != '\\':
			s = append(s, c)
		default:
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			s = utf8.AppendRune(s, r)
		}
	}
	return "", p.errorf("a string has no end")
}

// escape reads what follows a backslash.
func (p *parser) escape() (rune, error) {
	c := p.peek()
	p.pos++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		return p.unicode()
	}
	return 0, p.errorf("an unknown escape")
}

// unicode reads the four digits after \u, and the second half of a surrogate pair.
func (p *parser) unicode() (rune, error) {
	r, ok := p.hex4()
	if !ok {
		return 0, p.errorf("\\u has no four hexadecimal digits")
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	mark := p.pos
	if p.skip(`\u`) {
		if low, ok := p.hex4(); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, nil
			}
		}
	}
	p.pos = mark // what follows is for itself
	return utf8.RuneError, nil
}

func (p *parser) hex4() (rune, bool) {
	if len(p.data)-p.pos < 4 {
		return 0, false
	}
	var r rune
	for _, c := range p.data[p.pos : p.pos+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	p.pos += 4
	return r, true
}

func (p *parser) space() {
	for p.pos < len(p.data) {
		switch p.data[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// peek returns the next byte; 0, which no JSON has, at the end.
func (p *parser) peek() byte {
	if p.pos >= len(p.data) {
		return 0
	}
	return p.data[p.pos]
}

// skip passes over word if it comes next, and reports whether it did.
func (p *parser) skip(word string) bool {
	if len(p.data)-p.pos < len(word) || string(p.data[p.pos:p.pos+len(word)]) != word {
		return false
	}
	p.pos += len(word)
	return true
}

// count counts n values.
func (p *parser) count(n int) error {
	if p.left -= n; p.left < 0 {
		return ErrTooManyValues
	}
	return nil
}

// errorf says where the text is wrong, and shows nothing of it.
func (p *parser) errorf(problem string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrInvalidJSON, problem, min(p.pos, len(p.data)))
}
