package pyregexp

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// flags are those in force at a place of a pattern. flagLetters knows their order.
type flags uint8

const (
	flagIgnoreCase flags = 1 << iota // (?i)
	flagMultiline                    // (?m)
	flagDotAll                       // (?s)
	flagVerbose                      // (?x)
	flagASCII                        // (?a)
)

// fold returns s with what is the same letter under f.
func (f flags) fold(s set) set {
	switch {
	case f&flagIgnoreCase == 0:
		return s
	case f&flagASCII != 0:
		return s.foldASCII()
	}
	return s.fold()
}

// group reads what follows a (. It returns nil for a comment.
func (p *parser) group(f flags, offset int) (*node, error) {
	if !p.take("?") {
		return p.capture("", f, offset)
	}
	for _, refused := range []struct{ begin, reason string }{
		{"=", "look-ahead (?= is not supported"},
		{"!", "look-ahead (?! is not supported"},
		{"<=", "look-behind (?<= is not supported"},
		{"<!", "look-behind (?<! is not supported"},
		{">", "atomic groups (?> are not supported"},
		{"(", "conditional groups (?( are not supported"},
		{"P=", "back-references (?P= are not supported"},
	} {
		if p.take(refused.begin) {
			return nil, p.fail(offset, refused.reason)
		}
	}
	switch {
	case p.take("#"):
		if !p.skipPast(')') {
			return nil, p.fail(offset, "a comment without an end")
		}
		return nil, nil
	case p.take(":"):
		return p.inner(f, offset)
	case p.take("P<"):
		name, err := p.groupName(offset)
		if err != nil {
			return nil, err
		}
		return p.capture(name, f, offset)
	}
	f, end, err := p.flagLetters(f, offset)
	if err != nil {
		return nil, err
	}
	if end == ')' {
		return nil, p.fail(offset, "flags for the whole pattern must begin it")
	}
	return p.inner(f, offset)
}

// capture reads a group that captures, from behind its name.
func (p *parser) capture(name string, f flags, offset int) (*node, error) {
	n := &node{op: opGroup, offset: offset, group: len(p.names)}
	p.names = append(p.names, name)
	sub, err := p.inner(f, offset)
	if err != nil {
		return nil, err
	}
	n.subs = []*node{sub}
	return n, nil
}

// inner reads the rest of a group.
func (p *parser) inner(f flags, offset int) (*node, error) {
	if p.nesting++; p.nesting > maxNesting {
		return nil, p.fail(offset, "groups are nested too deep")
	}
	n, err := p.alternatives(f)
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, p.fail(offset, "a group without an end")
	}
	p.nesting--
	return n, nil
}

// groupName reads a name and the > behind it.
func (p *parser) groupName(offset int) (string, error) {
	end := strings.IndexByte(p.src[p.pos:], '>')
	if end < 0 {
		return "", p.fail(offset, "a group's name without an end")
	}
	name := p.src[p.pos : p.pos+end]
	p.pos += end + 1
	if !IsIdentifier(name) {
		return "", p.fail(offset, "a group's name that is no Python identifier")
	}
	if slices.Contains(p.names, name) {
		return "", p.fail(offset, "two groups of the same name")
	}
	return name, nil
}

// IsIdentifier reports whether Python takes s for an identifier. Python: str.isidentifier.
func IsIdentifier(s string) bool {
	for i, r := range s {
		start := r == '_' || unicode.In(r, unicode.L, unicode.Nl, unicode.Other_ID_Start)
		if !start && (i == 0 || !unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue)) {
			return false
		}
	}
	return s != "" && utf8.ValidString(s)
}

// globalFlags reads the flags with which the pattern begins, and the comments around them.
func (p *parser) globalFlags() (flags, error) {
	var f flags
	for {
		p.skipIgnored(f)
		start := p.pos
		if p.take("(?#") {
			if !p.skipPast(')') {
				return 0, p.fail(start, "a comment without an end")
			}
			continue
		}
		if !p.take("(?") || !strings.ContainsRune("aiLmsux", p.peek()) {
			p.pos = start
			return f, nil
		}
		changed, end, err := p.flagLetters(f, start)
		if err != nil {
			return 0, err
		}
		if end == ':' { // a group that has flags
			p.pos = start
			return f, nil
		}
		f = changed
	}
}

// flagLetters reads flags up to the ) or : behind them, which it returns too.
func (p *parser) flagLetters(f flags, offset int) (flags, rune, error) {
	var on, off flags
	words := rune(0) // a or u
	into, some := &on, false
	for {
		c := p.next()
		switch {
		case c == ':' && some, c == ')' && some && into == &on:
			if on&off != 0 {
				return 0, 0, p.fail(offset, "a flag that is both on and off")
			}
			if words == 'u' {
				f &^= flagASCII
			}
			return f&^off | on, c, nil
		case c == '-' && into == &on:
			into, some = &off, false
			continue
		case c == 'L':
			return 0, 0, p.fail(offset, "the flag L is for bytes")
		case (c == 'a' || c == 'u') && into == &on && (words == 0 || words == c):
			words = c
			if c == 'a' {
				on |= flagASCII
			}
		case strings.ContainsRune("imsx", c):
			*into |= 1 << strings.IndexRune("imsx", c)
		default:
			return 0, 0, p.fail(offset, "unknown extension or flag")
		}
		some = true
	}
}
