package pyregexp

import (
	"strings"
	"unicode/utf8"
)

// parser reads a pattern once, from left to right.
type parser struct {
	src     string
	pos     int
	nesting int
	names   []string // of the groups so far; the first is "", for the whole
}

// parse returns a pattern's parts, and the names of its groups by their numbers.
func parse(pattern string) (*node, []string, error) {
	p := &parser{src: pattern, names: []string{""}}
	f, err := p.globalFlags()
	if err != nil {
		return nil, nil, err
	}
	root, err := p.alternatives(f)
	if err != nil {
		return nil, nil, err
	}
	if p.pos < len(p.src) {
		return nil, nil, p.fail(p.pos, "unbalanced )")
	}
	return root, p.names, nil
}

// fail returns an Error.
func (p *parser) fail(offset int, reason string) error { return &Error{offset, reason} }

// peek returns the next character, or -1 at the end.
func (p *parser) peek() rune {
	if p.pos == len(p.src) {
		return -1
	}
	r, _ := utf8.DecodeRuneInString(p.src[p.pos:])
	return r
}

// next returns the next character and goes past it, or -1 at the end.
func (p *parser) next() rune {
	r := p.peek()
	if r >= 0 {
		p.pos += utf8.RuneLen(r)
	}
	return r
}

// take goes past text, if that is what follows.
func (p *parser) take(text string) bool {
	if !strings.HasPrefix(p.src[p.pos:], text) {
		return false
	}
	p.pos += len(text)
	return true
}

// alternatives reads up to a ) or the end.
func (p *parser) alternatives(f flags) (*node, error) {
	all := &node{op: opAlternatives, offset: p.pos}
	for {
		seq, err := p.sequence(f)
		if err != nil {
			return nil, err
		}
		all.subs = append(all.subs, seq)
		if !p.take("|") {
			break
		}
	}
	if len(all.subs) == 1 {
		return all.subs[0], nil
	}
	return all, nil
}

// sequence reads one alternative.
func (p *parser) sequence(f flags) (*node, error) {
	seq := &node{op: opSequence, offset: p.pos}
	for {
		p.skipIgnored(f)
		switch p.peek() {
		case -1, '|', ')':
			return seq, nil
		case '*', '+', '?', '{':
			repeated, err := p.quantifier(seq)
			if err != nil {
				return nil, err
			}
			if repeated {
				continue
			}
		}
		n, err := p.atom(f)
		if err != nil {
			return nil, err
		}
		if n != nil {
			seq.subs = append(seq.subs, n)
		}
	}
}

// skipIgnored skips what (?x) makes meaningless.
func (p *parser) skipIgnored(f flags) {
	for f&flagVerbose != 0 {
		switch p.peek() {
		case ' ', '\t', '\n', '\r', '\v', '\f':
			p.pos++
		case '#':
			p.skipPast('\n')
		default:
			return
		}
	}
}

// skipPast skips a comment, to behind its end. A \ hides what follows it. It reports false where none ends it.
func (p *parser) skipPast(end rune) bool {
	for {
		switch p.next() {
		case -1:
			return false
		case '\\':
			p.next()
		case end:
			return true
		}
	}
}

// atom reads one thing that can be repeated, or an assertion, or a comment, for which it returns nil.
func (p *parser) atom(f flags) (*node, error) {
	offset := p.pos
	switch c := p.next(); c {
	case '(':
		return p.group(f, offset)
	case '[':
		return p.class(f, offset)
	case '\\':
		return p.escape(f, offset)
	case '.':
		s := newSet('\n', '\n').negate()
		if f&flagDotAll != 0 {
			s = set{}.negate()
		}
		return &node{op: opSet, offset: offset, set: s}, nil
	case '^':
		if f&flagMultiline != 0 {
			return &node{op: opLineStart, offset: offset}, nil
		}
		return &node{op: opTextStart, offset: offset}, nil
	case '$':
		if f&flagMultiline != 0 {
			return &node{op: opLineEnd, offset: offset}, nil
		}
		return &node{op: opDollar, offset: offset}, nil
	default:
		return &node{op: opSet, offset: offset, set: f.fold(newSet(c, c))}, nil
	}
}

// quantifier reads one and puts it to the last part of seq. It reports false at a { that is none.
func (p *parser) quantifier(seq *node) (bool, error) {
	offset := p.pos
	low, high, ok := p.bounds()
	if !ok {
		return false, nil
	}
	if len(seq.subs) == 0 {
		return false, p.fail(offset, "nothing to repeat")
	}
	last := seq.subs[len(seq.subs)-1]
	switch {
	case last.isAssertion():
		return false, p.fail(offset, "nothing to repeat")
	case last.op == opRepeat:
		return false, p.fail(offset, "multiple repeat")
	case high != unbounded && high < low:
		return false, p.fail(offset, "the least number of repeats is greater than the most")
	case max(low, high) > maxRepeat:
		return false, p.fail(offset, "a part may repeat 1000 times at most")
	case high != 0 && high != 1 && last.mayBeEmpty():
		return false, p.fail(offset, "a repeated part that may be empty is not supported")
	}
	n := &node{op: opRepeat, offset: offset, subs: []*node{last}, min: low, max: high, lazy: p.take("?")}
	if !n.lazy && p.take("+") {
		return false, p.fail(offset, "possessive quantifiers are not supported")
	}
	seq.subs[len(seq.subs)-1] = n
	return true, nil
}

// bounds reads the numbers of a quantifier. It reports false, and reads nothing, at a { that is none.
func (p *parser) bounds() (low, high int, ok bool) {
	start := p.pos
	switch p.next() {
	case '*':
		return 0, unbounded, true
	case '+':
		return 1, unbounded, true
	case '?':
		return 0, 1, true
	}
	lowText := p.digits()
	highText := lowText
	comma := p.take(",")
	if comma {
		highText = p.digits()
	}
	if !p.take("}") || (lowText == "" && !comma) {
		p.pos = start
		return 0, 0, false
	}
	low, high = count(lowText), unbounded
	if highText != "" {
		high = count(highText)
	}
	return low, high, true
}

// digits reads the decimal digits that follow.
func (p *parser) digits() string {
	rest := p.src[p.pos:]
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	p.pos += end
	return rest[:end]
}

// count returns the number that digits say, or one above maxRepeat for all that are larger.
func count(digits string) int {
	n := 0
	for _, c := range digits {
		n = min(10*n+int(c-'0'), maxRepeat+1)
	}
	return n
}
