package djangocompat

import "strings"

// sessionDict is a dict as JSON text and where its parts are.
type sessionDict struct {
	text  string // ASCII, without spaces around keys and values, each key once
	pairs []pair
	index map[string]int32 // by key, where there are more than indexedFrom pairs
}

const indexedFrom = 16

// pair says where a key, with its quotes, and its value are in the text.
type pair struct {
	key, keyEnd, value, valueEnd uint32
}

// member is a key and its value as JSON texts.
type member struct {
	key, value string
}

// scanDict finds the pairs of a dict as they stand in text, equal keys and all.
func scanDict(text string) (d *sessionDict, wide, ok bool) {
	s := jsonScanner{text: text, depth: 1}
	s.space()
	if !s.next('{') {
		return nil, false, false
	}
	d = &sessionDict{text: text, pairs: make([]pair, 0, 4)}
	s.space()
	for last := s.next('}'); !last; {
		p, ok := s.pair()
		if !ok {
			return nil, false, false
		}
		d.pairs = append(d.pairs, p)
		s.space()
		if last = s.next('}'); !last && !s.next(',') {
			return nil, false, false
		}
		if !last {
			s.space()
		}
	}
	s.space()
	return d, s.wide, s.pos == len(text)
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

// canonical reports whether the text is what buildDict would make of the pairs.
func (d *sessionDict) canonical() bool {
	at := uint32(1)
	for _, p := range d.pairs {
		if p.key != at || p.value != p.keyEnd+1 {
			return false
		}
		at = p.valueEnd + 1
	}
	return int(at) == len(d.text) && !d.repeats()
}

// repeats reports whether a key is there twice.
func (d *sessionDict) repeats() bool {
	if d.index != nil {
		return len(d.index) != len(d.pairs)
	}
	for i := range d.pairs {
		if d.findAmong(d.key(i), i) >= 0 {
			return true
		}
	}
	return false
}

// unique returns the members as Python's dict has them: a key where it came first, with its last value.
func (d *sessionDict) unique() []member {
	members := make([]member, 0, len(d.pairs))
	at := make(map[string]int, len(d.pairs))
	for i := range d.pairs {
		m := d.member(i)
		key := unquoteJSON(m.key)
		if j, ok := at[key]; ok {
			members[j].value = m.value
			continue
		}
		at[key] = len(members)
		members = append(members, m)
	}
	return members
}

// buildDict makes the dict of members whose keys are unique.
func buildDict(members []member) *sessionDict {
	size := 2
	for _, m := range members {
		size += len(m.key) + len(m.value) + 2
	}
	var b strings.Builder
	b.Grow(size)
	d := &sessionDict{pairs: make([]pair, len(members))}
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		p := &d.pairs[i]
		p.key = uint32(b.Len())
		b.WriteString(m.key)
		p.keyEnd = uint32(b.Len())
		b.WriteByte(':')
		p.value = uint32(b.Len())
		b.WriteString(m.value)
		p.valueEnd = uint32(b.Len())
	}
	b.WriteByte('}')
	d.text = b.String()
	return d.indexed()
}

// indexed fills in the index if there should be one; it returns nil for an empty dict.
func (d *sessionDict) indexed() *sessionDict {
	switch {
	case len(d.pairs) == 0:
		return nil
	case len(d.pairs) > indexedFrom:
		d.index = d.byKey()
	}
	return d
}

func (d *sessionDict) byKey() map[string]int32 {
	m := make(map[string]int32, len(d.pairs))
	for i := range d.pairs {
		m[d.key(i)] = int32(i)
	}
	return m
}

func (d *sessionDict) member(i int) member {
	p := d.pairs[i]
	return member{d.text[p.key:p.keyEnd], d.text[p.value:p.valueEnd]}
}

func (d *sessionDict) members() []member {
	if d == nil {
		return nil
	}
	members := make([]member, len(d.pairs))
	for i := range members {
		members[i] = d.member(i)
	}
	return members
}

func (d *sessionDict) key(i int) string { return unquoteJSON(d.member(i).key) }

// find returns where key is, or -1.
func (d *sessionDict) find(key string) int {
	if d == nil {
		return -1
	}
	if d.index != nil {
		if i, ok := d.index[key]; ok {
			return int(i)
		}
		return -1
	}
	return d.findAmong(key, len(d.pairs))
}

// findAmong returns where key is among the first n pairs, or -1.
func (d *sessionDict) findAmong(key string, n int) int {
	for i := range n {
		if d.key(i) == key {
			return i
		}
	}
	return -1
}
