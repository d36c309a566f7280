package main

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/belleville/belleville/djangocompat"
)

// node is a JSON value that keeps what Go's own values lose: the order of keys, the digits of numbers, half
// surrogate pairs.
type node struct {
	// word is null, true, false, a number, or one of Python's NaN, Infinity and -Infinity; "" for the rest.
	word    string
	text    []rune // of a string; may hold halves of surrogate pairs
	list    []node
	members []member // of an object; each key once
	kind    kind
}

// kind is the kind of a node.
type kind uint8

const (
	wordNode kind = iota
	textNode
	listNode
	objectNode
)

// member is a key of an object and its value.
type member struct {
	key   []rune
	value node
}

// errNotJSON means that the input is no JSON. It does not tell what it is.
var errNotJSON = errors.New("not JSON in UTF-8")

// parseJSON reads a JSON text from outside.
func parseJSON(text []byte) (node, error) {
	if !utf8.Valid(text) || !json.Valid(text) {
		return node{}, errNotJSON
	}
	return readJSON(string(text)), nil
}

// readJSON reads a JSON text that was checked, by encoding/json or by djangocompat, both of which bound its
// depth. It may hold NaN and the infinities.
func readJSON(text string) node {
	r := nodeReader{text}
	return r.value()
}

// nodeReader takes checked JSON off the front of rest.
type nodeReader struct{ rest string }

// peek returns the next character that is no white space.
func (r *nodeReader) peek() byte {
	r.rest = strings.TrimLeft(r.rest, " \t\r\n")
	return r.rest[0]
}

// skip takes one character off.
func (r *nodeReader) skip() { r.rest = r.rest[1:] }

func (r *nodeReader) value() node {
	switch r.peek() {
	case '"':
		return node{kind: textNode, text: r.str()}
	case '[':
		return r.array()
	case '{':
		return r.object()
	}
	end := strings.IndexAny(r.rest, ",]} \t\r\n")
	if end < 0 {
		end = len(r.rest)
	}
	word := r.rest[:end]
	r.rest = r.rest[end:]
	return node{word: word}
}

func (r *nodeReader) array() node {
	n := node{kind: listNode}
	r.skip()
	for r.peek() != ']' {
		n.list = append(n.list, r.value())
		if r.peek() == ',' {
			r.skip()
		}
	}
	r.skip()
	return n
}

// object reads an object as Python does: of equal keys the last value counts, at the place of the first.
func (r *nodeReader) object() node {
	n := node{kind: objectNode}
	places := make(map[string]int)
	r.skip()
	for r.peek() != '}' {
		key := r.str()
		r.peek()
		r.skip() // the colon
		m := member{key, r.value()}
		if at, again := places[string(encodeRunes(key))]; again {
			n.members[at].value = m.value
		} else {
			places[string(encodeRunes(key))] = len(n.members)
			n.members = append(n.members, m)
		}
		if r.peek() == ',' {
			r.skip()
		}
	}
	r.skip()
	return n
}

// encodeRunes makes different texts of different code points, also of halves of surrogate pairs.
func encodeRunes(runes []rune) []byte {
	var b []byte
	for _, c := range runes {
		b = strconv.AppendInt(append(b, ','), int64(c), 36)
	}
	return b
}

// str reads a string.
func (r *nodeReader) str() []rune {
	text := []rune{}
	r.skip()
	for r.rest[0] != '"' {
		c, size := utf8.DecodeRuneInString(r.rest)
		if c == '\\' {
			c, size = escaped(r.rest)
		}
		r.rest = r.rest[size:]
		if last := len(text) - 1; last >= 0 {
			if pair := utf16.DecodeRune(text[last], c); pair != utf8.RuneError {
				text[last] = pair
				continue
			}
		}
		text = append(text, c)
	}
	r.skip()
	return text
}

// escaped returns the character that an escape stands for, and the length of the escape.
func escaped(s string) (rune, int) {
	switch s[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		n, _ := strconv.ParseUint(s[2:6], 16, 16) // it was checked
		return rune(n), 6
	}
	return rune(s[1]), 2
}

// isInteger reports whether a node is a number that is an int in Python.
func (n node) isInteger() bool {
	return n.kind == wordNode && n.word != "" && strings.Trim(n.word, "-0123456789") == ""
}

// number returns the value of a number that is none of Python's ints, or of a big one.
func (n node) number() (f float64, ok bool) {
	f, err := strconv.ParseFloat(n.word, 64)
	return f, err == nil || math.IsInf(f, 0)
}

// pythonJSON appends the node as the JSON text that Django would write.
func (n node) pythonJSON(b []byte) []byte {
	switch n.kind {
	case textNode:
		return appendPythonText(b, n.text)
	case listNode:
		b = append(b, '[')
		for i, x := range n.list {
			b = x.pythonJSON(comma(b, i))
		}
		return append(b, ']')
	case objectNode:
		b = append(b, '{')
		for i, m := range n.members {
			b = append(appendPythonText(comma(b, i), m.key), ':')
			b = m.value.pythonJSON(b)
		}
		return append(b, '}')
	}
	if f, ok := n.number(); ok && !n.isInteger() {
		text, _ := djangocompat.AppendJSON(nil, f) // a float has a JSON form
		return append(b, text...)
	}
	if i, ok := new(big.Int).SetString(n.word, 10); ok {
		return i.Append(b, 10) // without a sign before 0
	}
	return append(b, n.word...)
}

// comma appends a comma before all but the first of a list.
func comma(b []byte, place int) []byte {
	if place > 0 {
		return append(b, ',')
	}
	return b
}

// The characters that have an escape of two characters, and the second of these.
const (
	shortEscaped = "\"\\\b\f\n\r\t"
	shortEscapes = `"\bfnrt`
)

// appendPythonText appends a string as Django writes it, in ASCII.
func appendPythonText(b []byte, text []rune) []byte {
	b = append(b, '"')
	for _, c := range text {
		switch short := strings.IndexRune(shortEscaped, c); {
		case short >= 0:
			b = append(b, '\\', shortEscapes[short])
		case c >= ' ' && c <= '~':
			b = append(b, byte(c))
		case c > math.MaxUint16:
			high, low := utf16.EncodeRune(c)
			b = appendUnit(appendUnit(b, high), low)
		default:
			b = appendUnit(b, c)
		}
	}
	return append(b, '"')
}

// appendUnit appends a UTF-16 code unit as an escape.
func appendUnit(b []byte, c rune) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[c>>12&15], digits[c>>8&15], digits[c>>4&15], digits[c&15])
}
