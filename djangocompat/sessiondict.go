package djangocompat

import "strings"

// sessionDict is a dict as JSON text. There may be one for each of many visitors, so a small one has no more: who asks
// for a part of it scans the text.
type sessionDict struct {
	text   string // ASCII, without spaces around keys and values, each key once
	places *places
	size   int32
	packed bool // the text is what pack has made of it; there are no places then
}

// json returns the text.
func (d *sessionDict) json() string {
	if d.packed {
		return unpack(d.text)
	}
	return d.text
}

// places says where the parts of a dict are that would take long to scan.
type places struct {
	pairs []pair
	index map[string]int32 // by key, where there are more than indexedFrom pairs
}

const (
	indexedFrom = 16   // pairs
	placedFrom  = 1024 // bytes of text
)

// pair says where a key, with its quotes, and its value are in the text.
type pair struct {
	key, keyEnd, value, valueEnd uint32
}

// of returns the key and the value.
func (p pair) of(text string) member {
	return member{text[p.key:p.keyEnd], text[p.value:p.valueEnd]}
}

// member is a key and its value as JSON texts.
type member struct {
	key, value string
}

// name returns the key without its quotes.
func (m member) name() string { return unquoteJSON(m.key) }

// scanDict appends the pairs of a dict as they stand in text, equal keys and all.
func scanDict(pairs []pair, text string) (_ []pair, wide, ok bool) {
	s := jsonScanner{text: text, depth: 1}
	s.space()
	if !s.next('{') {
		return nil, false, false
	}
	s.space()
	for last := s.next('}'); !last; {
		p, ok := s.pair()
		if !ok {
			return nil, false, false
		}
		pairs = append(pairs, p)
		s.space()
		if last = s.next('}'); !last && !s.next(',') {
			return nil, false, false
		}
		if !last {
			s.space()
		}
	}
	s.space()
	return pairs, s.wide, s.pos == len(text)
}

// pair skips a key and its value, and says where they are.
func (s *jsonScanner) pair() (pair, bool) {
	var p pair
	p.key = uint32(s.pos)
	if s.pos >= len(s.text) || s.text[s.pos] != '"' || !s.string() {
		return p, false
	}
	p.keyEnd = uint32(s.pos)
	s.space()
	if !s.next(':') {
		return p, false
	}
	s.space()
	p.value = uint32(s.pos)
	ok := s.value()
	p.valueEnd = uint32(s.pos)
	return p, ok
}

// canonical reports whether a text is what buildDict would make of its pairs.
func canonical(text string, pairs []pair) bool {
	at := uint32(1)
	for _, p := range pairs {
		if p.key != at || p.value != p.keyEnd+1 {
			return false
		}
		at = p.valueEnd + 1
	}
	return int(at) == len(text) && !repeats(text, pairs)
}

// repeats reports whether a key is there twice.
func repeats(text string, pairs []pair) bool {
	if len(pairs) > indexedFrom {
		return len(byKey(text, pairs)) != len(pairs)
	}
	for i, p := range pairs {
		name := p.of(text).name()
		for _, before := range pairs[:i] {
			if before.of(text).name() == name {
				return true
			}
		}
	}
	return false
}

// unique returns the members as Python's dict has them: a key where it came first, with its last value.
func unique(text string, pairs []pair) []member {
	members := make([]member, 0, len(pairs))
	at := make(map[string]int, len(pairs))
	for _, p := range pairs {
		m := p.of(text)
		name := m.name()
		if j, ok := at[name]; ok {
			members[j].value = m.value
			continue
		}
		at[name] = len(members)
		members = append(members, m)
	}
	return members
}

// newDict makes the dict of a canonical text, of which it keeps none of the pairs given; nil for an empty dict.
func newDict(text string, pairs []pair) *sessionDict {
	if len(pairs) == 0 {
		return nil
	}
	d := &sessionDict{text: text, size: int32(len(pairs))}
	if len(pairs) <= indexedFrom && len(text) <= placedFrom {
		return d
	}
	d.places = &places{pairs: append([]pair(nil), pairs...)}
	if len(pairs) > indexedFrom {
		d.places.index = byKey(text, pairs)
	}
	return d
}

// buildDict makes the dict of members whose keys are unique.
func buildDict(members []member) *sessionDict {
	size := 2
	for _, m := range members {
		size += len(m.key) + len(m.value) + 2
	}
	var b strings.Builder
	b.Grow(size)
	pairs := make([]pair, len(members))
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		p := &pairs[i]
		p.key = uint32(b.Len())
		b.WriteString(m.key)
		p.keyEnd = uint32(b.Len())
		b.WriteByte(':')
		p.value = uint32(b.Len())
		b.WriteString(m.value)
		p.valueEnd = uint32(b.Len())
	}
	b.WriteByte('}')
	return newDict(b.String(), pairs)
}

func byKey(text string, pairs []pair) map[string]int32 {
	m := make(map[string]int32, len(pairs))
	for i, p := range pairs {
		m[p.of(text).name()] = int32(i)
	}
	return m
}

// len returns the number of members.
func (d *sessionDict) len() int {
	if d == nil {
		return 0
	}
	return int(d.size)
}

// each walks the members in their order.
func (d *sessionDict) each(yield func(i int, m member) bool) {
	switch {
	case d == nil:
	case d.places != nil:
		for i, p := range d.places.pairs {
			if !yield(i, p.of(d.text)) {
				return
			}
		}
	default:
		s := jsonScanner{text: d.json(), depth: 1, pos: 1}
		for i := range int(d.size) {
			p, _ := s.pair() // it was scanned before
			s.pos++          // the comma
			if !yield(i, p.of(s.text)) {
				return
			}
		}
	}
}

func (d *sessionDict) members() []member {
	members := make([]member, 0, d.len())
	for _, m := range d.each {
		members = append(members, m)
	}
	return members
}

// find returns the member under a key and where it is, or -1.
func (d *sessionDict) find(key string) (m member, at int) {
	if d != nil && d.places != nil && d.places.index != nil {
		if i, ok := d.places.index[key]; ok {
			return d.places.pairs[i].of(d.text), int(i)
		}
		return m, -1
	}
	for i, m := range d.each {
		if m.name() == key {
			return m, i
		}
	}
	return m, -1
}
