package main

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf16"
)

// Python values that JSON lacks are shown as objects with the key "$type":
//
//	{"$type": "int", "value": "…"}            beyond ±2^53
//	{"$type": "float", "value": "nan"}        and inf, -inf
//	{"$type": "str", "code_points": […]}      with half a surrogate pair
//	{"$type": "dict", "items": [[k, v], …]}   with a key that begins with $, or has half a pair
const typeKey = "$type"

// maxExact is the first integer beyond what every JSON parser reads exactly.
const maxExact = 1 << 53

// rendered appends a node, as Django had it, in the form above.
func (n node) rendered(b []byte) []byte {
	switch n.kind {
	case textNode:
		return appendRenderedText(b, n.text)
	case listNode:
		b = append(b, '[')
		for i, x := range n.list {
			b = x.rendered(comma(b, i))
		}
		return append(b, ']')
	case objectNode:
		if n.isPlain() {
			b = append(b, '{')
			for i, m := range n.members {
				b = append(appendShown(comma(b, i), m.key), ':')
				b = m.value.rendered(b)
			}
			return append(b, '}')
		}
		b = append(b, `{"$type":"dict","items":[`...)
		for i, m := range n.members {
			b = append(appendRenderedText(append(comma(b, i), '['), m.key), ',')
			b = append(m.value.rendered(b), ']')
		}
		return append(b, "]}"...)
	}
	return n.renderedWord(b)
}

// isPlain reports whether an object can stand for itself.
func (n node) isPlain() bool {
	for _, m := range n.members {
		if len(m.key) > 0 && m.key[0] == '$' || hasHalf(m.key) {
			return false
		}
	}
	return true
}

// hasHalf reports whether a text has half a surrogate pair.
func hasHalf(text []rune) bool {
	return slices.ContainsFunc(text, utf16.IsSurrogate)
}

// renderedWord appends a number or one of the three words.
func (n node) renderedWord(b []byte) []byte {
	if n.isInteger() {
		i, _ := new(big.Int).SetString(n.word, 10) // it consists of digits
		if i.CmpAbs(big.NewInt(maxExact)) < 0 {
			return i.Append(b, 10)
		}
		return fmt.Appendf(b, `{"$type":"int","value":"%d"}`, i)
	}
	f, ok := n.number()
	switch {
	case !ok:
		return append(b, n.word...)
	case math.IsNaN(f):
		return append(b, `{"$type":"float","value":"nan"}`...)
	case math.IsInf(f, 1):
		return append(b, `{"$type":"float","value":"inf"}`...)
	case math.IsInf(f, -1):
		return append(b, `{"$type":"float","value":"-inf"}`...)
	}
	return n.pythonJSON(b)
}

func appendRenderedText(b []byte, text []rune) []byte {
	if !hasHalf(text) {
		return appendShown(b, text)
	}
	b = append(b, `{"$type":"str","code_points":[`...)
	for i, c := range text {
		b = strconv.AppendInt(comma(b, i), int64(c), 10)
	}
	return append(b, "]}"...)
}

// appendShown appends a string that can be shown on a terminal: what is not printable is escaped.
func appendShown(b []byte, text []rune) []byte {
	b = append(b, '"')
	for _, c := range text {
		if c >= 0x80 && unicode.IsPrint(c) {
			b = append(b, string(c)...)
			continue
		}
		quoted := appendPythonText(nil, []rune{c})
		b = append(b, quoted[1:len(quoted)-1]...)
	}
	return append(b, '"')
}

// unrendered returns the node that a rendered one stands for. What the JSON serializer cannot write is refused.
func (n node) unrendered() (node, error) {
	switch n.kind {
	case listNode:
		return n.unrenderedList()
	case objectNode:
		return n.unrenderedObject()
	}
	return n, nil
}

func (n node) unrenderedList() (node, error) {
	list := make([]node, len(n.list))
	for i, x := range n.list {
		var err error
		if list[i], err = x.unrendered(); err != nil {
			return node{}, err
		}
	}
	return node{kind: listNode, list: list}, nil
}

func (n node) unrenderedObject() (node, error) {
	if t, tagged := n.get(typeKey); tagged {
		return n.tagged(string(t.text))
	}
	object := node{kind: objectNode}
	for _, m := range n.members {
		v, err := m.value.unrendered()
		if err != nil {
			return node{}, err
		}
		object.members = append(object.members, member{m.key, v})
	}
	return object, nil
}

// get returns the value of a key.
func (n node) get(key string) (node, bool) {
	for _, m := range n.members {
		if string(m.key) == key {
			return m.value, true
		}
	}
	return node{}, false
}

// tagged returns the value that an object with a "$type" stands for.
func (n node) tagged(typ string) (node, error) {
	value, _ := n.get("value")
	malformed := fmt.Errorf(`a {"$type": …} is malformed`)
	switch typ {
	case "int":
		if v := (node{word: string(value.text)}); v.isInteger() && isNumber(v.word) {
			return v, nil
		}
		return node{}, malformed
	case "float":
		words := map[string]string{"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
		if w, ok := words[string(value.text)]; ok {
			return node{word: w}, nil
		}
		return node{}, malformed
	case "str":
		points, _ := n.get("code_points")
		return points.joined(malformed)
	case "dict":
		items, _ := n.get("items")
		return items.paired(malformed)
	}
	return node{}, fmt.Errorf(`a value has a "$type" that JSON sessions cannot hold`)
}

// isNumber reports whether a word of digits and signs is an integer as JSON writes it.
func isNumber(word string) bool {
	_, ok := new(big.Int).SetString(word, 10)
	return ok && len(word) < 5000
}

// joined returns the text of a list of code points.
func (n node) joined(malformed error) (node, error) {
	text := make([]rune, 0, len(n.list))
	for _, x := range n.list {
		c, err := strconv.ParseUint(x.word, 10, 32)
		if err != nil || c > unicode.MaxRune {
			return node{}, malformed
		}
		text = append(text, rune(c))
	}
	return node{kind: textNode, text: text}, nil
}

// paired returns the object of a list of keys and values.
func (n node) paired(malformed error) (node, error) {
	object := node{kind: objectNode}
	for _, x := range n.list {
		if len(x.list) != 2 {
			return node{}, malformed
		}
		key, err := x.list[0].unrendered()
		if err != nil || key.kind != textNode {
			return node{}, malformed
		}
		v, err := x.list[1].unrendered()
		if err != nil {
			return node{}, err
		}
		object.members = append(object.members, member{key.text, v})
	}
	return object, nil
}
