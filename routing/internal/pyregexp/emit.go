package pyregexp

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// emitter writes a parsed pattern in the syntax of Go's regexp.
type emitter struct {
	mode    mode
	out     strings.Builder
	count   int   // of groups written
	groups  []int // the pattern's groups, by their number in Go's pattern
	markers []int // see Regexp
}

// checkDollars refuses a $ after which something more is to be matched: Go's cannot look at a last newline
// without taking it. Last says that nothing comes after n.
func (e *emitter) checkDollars(n *node, last bool) error {
	switch n.op {
	case opDollar:
		if !last {
			return &Error{n.offset, "$ before the end of the pattern is not supported; $ under (?m) is"}
		}
	case opRepeat:
		return e.checkDollars(n.subs[0], last && n.max == 1)
	case opSequence:
		for i := len(n.subs) - 1; i >= 0; i-- {
			if err := e.checkDollars(n.subs[i], last); err != nil {
				return err
			}
			last = last && n.subs[i].op == opDollar
		}
	default:
		for _, sub := range n.subs {
			if err := e.checkDollars(sub, last); err != nil {
				return err
			}
		}
	}
	return nil
}

// pattern returns the whole pattern.
func (e *emitter) pattern(root *node) string {
	if e.mode == fullmatch {
		e.out.WriteString(`\A`)
		e.wrapped(root)
		e.out.WriteString(`\z`)
	} else {
		e.node(root)
	}
	return e.out.String()
}

// wrapped writes n as one thing, to which a quantifier or a neighbour can be put.
func (e *emitter) wrapped(n *node) {
	e.out.WriteString("(?:")
	e.node(n)
	e.out.WriteByte(')')
}

func (e *emitter) node(n *node) {
	switch n.op {
	case opSet:
		e.set(n.set)
	case opSequence:
		for _, sub := range n.subs {
			if sub.op == opAlternatives {
				e.wrapped(sub)
			} else {
				e.node(sub)
			}
		}
	case opAlternatives:
		for i, sub := range n.subs {
			if i > 0 {
				e.out.WriteByte('|')
			}
			e.node(sub)
		}
	case opRepeat:
		e.repeat(n)
	case opGroup:
		e.groups[n.group] = e.open()
		e.node(n.subs[0])
		e.out.WriteByte(')')
	case opDollar:
		e.dollar()
	default:
		e.out.WriteString(assertion(n.op))
	}
}

// assertion returns what Go calls an assertion that it knows with the same meaning.
func assertion(o op) string {
	switch o {
	case opTextStart:
		return `\A`
	case opLineStart:
		return `(?m:^)`
	case opTextEnd:
		return `\z`
	case opLineEnd:
		return `(?m:$)`
	case opWordBoundary:
		return `\b`
	}
	return `\B`
}

// open opens a group and returns its number.
func (e *emitter) open() int {
	e.out.WriteByte('(')
	e.count++
	return e.count
}

// dollar writes $, as the last thing of the pattern. A last newline is taken, into a group of its own from
// which Regexp.Match knows that it must give it back.
func (e *emitter) dollar() {
	if e.mode == fullmatch {
		e.out.WriteString(`\z`)
		return
	}
	e.out.WriteString(`(?:\z|`)
	e.markers = append(e.markers, e.open())
	e.out.WriteString(`\n)\z)`)
}

func (e *emitter) repeat(n *node) {
	e.wrapped(n.subs[0])
	switch {
	case n.min == 0 && n.max == unbounded:
		e.out.WriteByte('*')
	case n.min == 1 && n.max == unbounded:
		e.out.WriteByte('+')
	case n.min == 0 && n.max == 1:
		e.out.WriteByte('?')
	case n.max == unbounded:
		fmt.Fprintf(&e.out, "{%d,}", n.min)
	default:
		fmt.Fprintf(&e.out, "{%d,%d}", n.min, n.max)
	}
	if n.lazy {
		e.out.WriteByte('?')
	}
}

func (e *emitter) set(s set) {
	if r, ok := s.single(); ok && ' ' <= r && r <= '~' {
		e.out.WriteString(regexp.QuoteMeta(string(r)))
		return
	}
	if len(s) == 0 {
		e.out.WriteString(`[^\x00-\x{10FFFF}]`)
		return
	}
	e.out.WriteByte('[')
	for i := 0; i < len(s); i += 2 {
		e.rune(s[i])
		if s[i] != s[i+1] {
			e.out.WriteByte('-')
			e.rune(s[i+1])
		}
	}
	e.out.WriteByte(']')
}

// rune writes a rune of a class by its number, so that none has a meaning.
func (e *emitter) rune(r rune) {
	e.out.WriteString(`\x{`)
	e.out.WriteString(strconv.FormatInt(int64(r), 16))
	e.out.WriteByte('}')
}
