package pyregexp

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// escape reads what follows a \ outside a class.
func (p *parser) escape(f flags, offset int) (*node, error) {
	assertion := func(o op) (*node, error) {
		p.pos++
		return &node{op: o, offset: offset, ascii: f&flagASCII != 0}, nil
	}
	switch c := p.peek(); c {
	case 'A':
		return assertion(opTextStart)
	case 'Z':
		return assertion(opTextEnd)
	case 'b':
		return assertion(opWordBoundary)
	case 'B':
		return assertion(opNotWordBoundary)
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if !isOctal(p.src[p.pos:], 3) {
			return nil, p.fail(offset, `back-references \1 are not supported`)
		}
	}
	s, _, err := p.escaped(f, offset)
	if err != nil {
		return nil, err
	}
	return &node{op: opSet, offset: offset, set: s}, nil
}

// isOctal reports whether s begins with n octal digits.
func isOctal(s string, n int) bool {
	return len(s) >= n && strings.Trim(s[:n], "01234567") == ""
}

// escaped reads what follows a \ and stands for characters. It reports whether those are a class, as \w.
func (p *parser) escaped(f flags, offset int) (s set, isClass bool, err error) {
	c := p.peek()
	if s, ok := classEscape(c, f); ok {
		p.pos++
		return s, true, nil
	}
	r, err := p.escapedRune(c, offset)
	if err != nil {
		return nil, false, err
	}
	return f.fold(newSet(r, r)), false, nil
}

// escapedRune reads what follows a \ and stands for one character; c is the first of it.
func (p *parser) escapedRune(c rune, offset int) (rune, error) {
	if '0' <= c && c <= '7' {
		return p.octal(offset)
	}
	p.next()
	switch c {
	case 'a':
		return '\a', nil
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
	case 'v':
		return '\v', nil
	case 'x':
		return p.hex(2, offset)
	case 'u':
		return p.hex(4, offset)
	case 'U':
		return p.hex(8, offset)
	case 'N':
		return 0, p.fail(offset, `named characters \N are not supported`)
	}
	if c == -1 || '8' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
		return 0, p.fail(offset, "unknown escape")
	}
	return c, nil
}

// octal reads up to three octal digits.
func (p *parser) octal(offset int) (rune, error) {
	rest := p.src[p.pos:]
	n := 1
	for n < 3 && n < len(rest) && '0' <= rest[n] && rest[n] <= '7' {
		n++
	}
	p.pos += n
	v, err := strconv.ParseUint(rest[:n], 8, 8)
	if err != nil {
		return 0, p.fail(offset, `an octal escape beyond \377`)
	}
	return rune(v), nil
}

// hex reads n hexadecimal digits.
func (p *parser) hex(n, offset int) (rune, error) {
	rest := p.src[p.pos:]
	if len(rest) < n {
		return 0, p.fail(offset, "an escape that is not complete")
	}
	v, err := strconv.ParseUint(rest[:n], 16, 32)
	if err != nil || v > utf8.MaxRune {
		return 0, p.fail(offset, "an escape that is not complete or no character")
	}
	p.pos += n
	return rune(v), nil
}

// class reads what follows a [.
func (p *parser) class(f flags, offset int) (*node, error) {
	negated := p.take("^")
	var all set
	for first := true; first || !p.take("]"); first = false {
		s, err := p.classItem(f, offset)
		if err != nil {
			return nil, err
		}
		all = all.union(s)
	}
	if negated {
		all = all.negate()
	}
	return &node{op: opSet, offset: offset, set: all}, nil
}

// classItem reads one character, range or class escape within [ ].
func (p *parser) classItem(f flags, offset int) (set, error) {
	low, isClass, err := p.classChar(f, offset)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(p.src[p.pos:], "-") || strings.HasPrefix(p.src[p.pos:], "-]") {
		if isClass {
			return low, nil
		}
		return f.fold(low), nil
	}
	p.pos++
	high, alsoClass, err := p.classChar(f, offset)
	if err != nil {
		return nil, err
	}
	if isClass || alsoClass || high[0] < low[0] {
		return nil, p.fail(offset, "a range in a class that is none")
	}
	return f.fold(newSet(low[0], high[0])), nil
}

// classChar reads one character or class escape within [ ], not folded.
func (p *parser) classChar(f flags, offset int) (s set, isClass bool, err error) {
	switch c := p.next(); c {
	case -1:
		return nil, false, p.fail(offset, "a class without an end")
	case '\\':
		return p.escaped(f&^flagIgnoreCase, offset)
	default:
		return newSet(c, c), false, nil
	}
}
