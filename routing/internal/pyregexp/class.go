package pyregexp

import "unicode"

// The classes of Python's re for text. The Unicode ones are as str.isalnum, isdecimal and isspace have
// them; which letters exist depends on the version of Unicode, Go's here.

func wordSet(f flags) set {
	if f&flagASCII != 0 {
		return newSet('0', '9', 'A', 'Z', '_', '_', 'a', 'z')
	}
	return tableSet([]*unicode.RangeTable{unicode.L, unicode.N}, '_', '_')
}

func digitSet(f flags) set {
	if f&flagASCII != 0 {
		return newSet('0', '9')
	}
	return tableSet([]*unicode.RangeTable{unicode.Nd})
}

func spaceSet(f flags) set {
	if f&flagASCII != 0 {
		return newSet('\t', '\r', ' ', ' ')
	}
	return tableSet([]*unicode.RangeTable{unicode.White_Space}, '\x1c', '\x1f')
}

// classEscape returns the set of \d, \D, \s, \S, \w or \W.
func classEscape(c rune, f flags) (set, bool) {
	switch c {
	case 'd':
		return digitSet(f), true
	case 'D':
		return digitSet(f).negate(), true
	case 's':
		return spaceSet(f), true
	case 'S':
		return spaceSet(f).negate(), true
	case 'w':
		return wordSet(f), true
	case 'W':
		return wordSet(f).negate(), true
	}
	return nil, false
}
