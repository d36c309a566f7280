package channellayer

import "unicode/utf8"

// glob is a pattern of Python's fnmatch, case counting. There is no malformed one: a "[" that nothing closes
// stands for itself.
type glob []globStep

// globStep is what one part of a glob matches.
type globStep struct {
	kind   stepKind
	char   rune        // for stepChar
	ranges []runeRange // for stepIn and stepNotIn
}

type stepKind uint8

const (
	stepChar  stepKind = iota // char itself
	stepAny                   // any one character
	stepStar                  // any number of characters
	stepIn                    // a character in ranges
	stepNotIn                 // a character that is not in ranges
)

// runeRange holds first and last and all between.
type runeRange struct {
	first, last rune
}

// compileGlob reads a pattern. Python: fnmatch.translate.
func compileGlob(pattern string) glob {
	var g glob
	p := []rune(pattern)
	for i := 0; i < len(p); {
		switch p[i] {
		case '*':
			if len(g) == 0 || g[len(g)-1].kind != stepStar {
				g = append(g, globStep{kind: stepStar})
			}
			i++
		case '?':
			g = append(g, globStep{kind: stepAny})
			i++
		case '[':
			step, size := compileSet(p[i:])
			g = append(g, step)
			i += size
		default:
			g = append(g, globStep{kind: stepChar, char: p[i]})
			i++
		}
	}
	return g
}

// compileSet reads the set that p begins with, and returns its length; a "[" alone where it has no end.
func compileSet(p []rune) (globStep, int) {
	start, kind := 1, stepIn
	if start < len(p) && p[start] == '!' {
		start, kind = 2, stepNotIn
	}
	end := start
	if end < len(p) && p[end] == ']' {
		end++ // the first "]" of a set is one of its characters
	}
	for end < len(p) && p[end] != ']' {
		end++
	}
	if end >= len(p) {
		return globStep{kind: stepChar, char: '['}, 1
	}
	return globStep{kind: kind, ranges: setRanges(p[start:end])}, end + 1
}

// setRanges reads what stands in a set. A range whose end comes before its beginning is empty.
func setRanges(set []rune) []runeRange {
	var ranges []runeRange
	for i := 0; i < len(set); i++ {
		r := runeRange{set[i], set[i]}
		if i+2 < len(set) && set[i+1] == '-' {
			r.last = set[i+2]
			i += 2
		}
		if r.first <= r.last {
			ranges = append(ranges, r)
		}
	}
	return ranges
}

// match reports whether g matches all of name. It takes at most len(g) times len(name) steps.
func (g glob) match(name string) bool {
	at, pos := 0, 0
	star, resume := -1, 0 // the last star, and where in name what follows it was tried last
	for pos < len(name) {
		r, size := utf8.DecodeRuneInString(name[pos:])
		switch {
		case at < len(g) && g[at].kind == stepStar:
			star, resume = at, pos
			at++
		case at < len(g) && g[at].matches(r):
			at, pos = at+1, pos+size
		case star >= 0:
			_, size := utf8.DecodeRuneInString(name[resume:])
			resume += size
			at, pos = star+1, resume
		default:
			return false
		}
	}
	for at < len(g) && g[at].kind == stepStar {
		at++
	}
	return at == len(g)
}

// matches reports whether s, which is no star, matches r.
func (s globStep) matches(r rune) bool {
	switch s.kind {
	case stepChar:
		return r == s.char
	case stepIn:
		return s.contains(r)
	case stepNotIn:
		return !s.contains(r)
	default:
		return true
	}
}

func (s globStep) contains(r rune) bool {
	for _, x := range s.ranges {
		if x.first <= r && r <= x.last {
			return true
		}
	}
	return false
}
