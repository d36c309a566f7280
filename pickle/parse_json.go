package pickle

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ParseJSON is the reverse of [AppendJSON]. It reads JSON whose tagged values, {"$type": …}, become
// what they stand for; numbers without point and exponent are ints of any size. NaN and Infinity are
// read too, as Python's json does, and surrogates that have no partner are kept. A value that was
// shown as opaque or recursive cannot be made again. Of cfg only MaxBytes counts.
func ParseJSON(data []byte, cfg Config) (any, error) {
	cfg = cfg.withDefaults(len(data))
	if len(data) > cfg.MaxBytes {
		return nil, limited("bytes")
	}
	p := jsonParser{data: data}
	v, err := p.parse()
	if err != nil {
		return nil, fmt.Errorf("JSON at offset %d: %w", p.next, err)
	}
	return v, nil
}

// A jsonParser reads one JSON text, without recursion: arrays and objects that are not complete are
// in open.
type jsonParser struct {
	data []byte
	next int
	open []jsonContainer
}

type jsonContainer struct {
	array  bool
	items  []any
	fields fields
	name   string // of the field whose value comes next
}

var errJSON = malformed("no JSON")

func (p *jsonParser) parse() (any, error) {
	for {
		v, complete, err := p.value()
		for err == nil && complete && len(p.open) > 0 {
			v, complete, err = p.add(v)
		}
		if err != nil {
			return nil, err
		}
		if complete {
			p.space()
			if p.next < len(p.data) {
				return nil, errJSON
			}
			return v, nil
		}
	}
}

// value reads a scalar or an empty container, or opens a container.
func (p *jsonParser) value() (v any, complete bool, err error) {
	switch p.peek() {
	case '[':
		p.next++
		if p.skip(']') {
			return new(List), true, nil
		}
		p.open = append(p.open, jsonContainer{array: true})
		return nil, false, nil
	case '{':
		p.next++
		if p.skip('}') {
			return new(Dict), true, nil
		}
		p.open = append(p.open, jsonContainer{})
		return nil, false, p.name()
	case '"':
		v, err = p.text()
		return v, true, err
	}
	v, err = p.literal()
	return v, true, err
}

// add puts v into the container that is open. If that is complete then, add closes and returns it.
func (p *jsonParser) add(v any) (closed any, complete bool, err error) {
	top := &p.open[len(p.open)-1]
	end := byte('}')
	if top.array {
		end = ']'
		top.items = append(top.items, v)
	} else {
		top.fields = append(top.fields, field{top.name, v})
	}
	switch {
	case p.skip(','):
		if top.array {
			return nil, false, nil
		}
		return nil, false, p.name()
	case !p.skip(end):
		return nil, false, errJSON
	}
	p.open = p.open[:len(p.open)-1]
	if top.array {
		return &List{Items: top.items}, true, nil
	}
	closed, err = top.fields.value()
	return closed, true, err
}

// name reads the name of a field and the colon.
func (p *jsonParser) name() error {
	if p.peek() != '"' {
		return errJSON
	}
	name, err := p.text()
	if err == nil && !p.skip(':') {
		err = errJSON
	}
	p.open[len(p.open)-1].name = name
	return err
}

func (p *jsonParser) space() {
	for p.next < len(p.data) && strings.IndexByte(" \t\r\n", p.data[p.next]) >= 0 {
		p.next++
	}
}

// peek is the next byte that is no space, or 0.
func (p *jsonParser) peek() byte {
	p.space()
	if p.next == len(p.data) {
		return 0
	}
	return p.data[p.next]
}

func (p *jsonParser) skip(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.next++
	return true
}

// literal reads a number or a word.
func (p *jsonParser) literal() (any, error) {
	start := p.next
	for p.next < len(p.data) && strings.IndexByte(" \t\r\n,]}:", p.data[p.next]) < 0 {
		p.next++
	}
	switch word := string(p.data[start:p.next]); word {
	case "null":
		return nil, nil
	case "true", "false":
		return word == "true", nil
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	default:
		return jsonNumber(word)
	}
}

func jsonNumber(word string) (any, error) {
	digits := strings.TrimPrefix(word, "-")
	whole, _, _ := strings.Cut(digits, ".")
	whole, _, _ = strings.Cut(strings.ToLower(whole), "e")
	if whole == "" || !isDigits(whole) || len(whole) > 1 && whole[0] == '0' {
		return nil, errJSON
	}
	if whole == digits {
		return decimalInt(word)
	}
	if strings.HasSuffix(word, ".") || strings.Contains(strings.ToLower(word), ".e") || !isDecimalFloat([]byte(word)) {
		return nil, errJSON
	}
	f, err := strconv.ParseFloat(word, 64)
	if err != nil && !math.IsInf(f, 0) { // a number that is too large is infinite in Python's json
		return nil, errJSON
	}
	return f, nil
}

// text reads a string.
func (p *jsonParser) text() (string, error) {
	p.next++
	var text []byte
	for p.next < len(p.data) {
		c := p.data[p.next]
		switch {
		case c == '"':
			p.next++
			if !validText(text) {
				return "", malformed("JSON is not UTF-8")
			}
			return string(text), nil
		case c < ' ':
			return "", errJSON
		case c == '\\':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			text = appendCodePoint(text, r)
		default:
			text = append(text, c)
			p.next++
		}
	}
	return "", errJSON
}

// escape reads an escape; two that are a pair of surrogates are one.
func (p *jsonParser) escape() (rune, error) {
	rest := p.data[p.next+1:]
	if len(rest) == 0 {
		return 0, errJSON
	}
	const letters, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if i := strings.IndexByte(letters, rest[0]); i >= 0 {
		p.next += 2
		return rune(meanings[i]), nil
	}
	high, ok := unicodeEscape(rest)
	if !ok {
		return 0, errJSON
	}
	p.next += 6
	if !utf16.IsSurrogate(high) || len(rest) < 6 || rest[5] != '\\' {
		return high, nil
	}
	low, _ := unicodeEscape(rest[6:])
	if pair := utf16.DecodeRune(high, low); pair != utf8.RuneError {
		p.next += 6
		return pair, nil
	}
	return high, nil
}

func unicodeEscape(b []byte) (rune, bool) {
	if len(b) == 0 || b[0] != 'u' {
		return 0, false
	}
	return hexNumber(b[1:], 4)
}
