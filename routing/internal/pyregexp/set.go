package pyregexp

import (
	"slices"
	"unicode"
)

// set is the runes that one position may hold, as sorted pairs of first and last that do not touch.
type set []rune

// newSet makes a set of pairs in any order, which may overlap.
func newSet(pairs ...rune) set {
	type span struct{ lo, hi rune }
	spans := make([]span, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		spans = append(spans, span{pairs[i], pairs[i+1]})
	}
	slices.SortFunc(spans, func(a, b span) int { return int(a.lo - b.lo) })
	s := make(set, 0, len(pairs))
	for _, sp := range spans {
		if n := len(s); n > 0 && sp.lo <= s[n-1]+1 {
			s[n-1] = max(s[n-1], sp.hi)
			continue
		}
		s = append(s, sp.lo, sp.hi)
	}
	return s
}

// tableSet makes a set of Unicode's tables and some further pairs.
func tableSet(tables []*unicode.RangeTable, pairs ...rune) set {
	for _, t := range tables {
		for _, r := range t.R16 {
			pairs = appendStrided(pairs, rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			pairs = appendStrided(pairs, rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return newSet(pairs...)
}

// appendStrided appends every stride-th rune from lo to hi as pairs.
func appendStrided(pairs []rune, lo, hi, stride rune) []rune {
	if stride == 1 {
		return append(pairs, lo, hi)
	}
	for r := lo; r <= hi; r += stride {
		pairs = append(pairs, r, r)
	}
	return pairs
}

// has reports whether r is in s.
func (s set) has(r rune) bool {
	i, found := slices.BinarySearch(s, r)
	return found || i%2 == 1
}

// single returns the only rune of s, if there is just one.
func (s set) single() (rune, bool) {
	if len(s) == 2 && s[0] == s[1] {
		return s[0], true
	}
	return 0, false
}

// union returns what is in s or in t.
func (s set) union(t set) set { return newSet(slices.Concat(s, t)...) }

// negate returns what is not in s.
func (s set) negate() set {
	out := make(set, 0, len(s)+2)
	next := rune(0)
	for i := 0; i < len(s); i += 2 {
		if s[i] > next {
			out = append(out, next, s[i]-1)
		}
		next = s[i+1] + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, next, unicode.MaxRune)
	}
	return out
}

// intersects reports whether s and t have a rune in common.
func (s set) intersects(t set) bool {
	for len(s) > 0 && len(t) > 0 {
		switch {
		case s[1] < t[0]:
			s = s[2:]
		case t[1] < s[0]:
			t = t[2:]
		default:
			return true
		}
	}
	return false
}

// fold returns s and whatever Python takes for the same letters when case is ignored.
func (s set) fold() set {
	if r, ok := s.single(); ok {
		return newSet(appendSame(nil, r)...)
	}
	pairs := slices.Clone(s)
	var same []rune
	add := func(r rune) {
		if same = appendSame(same[:0], r); slices.ContainsFunc(same, s.has) {
			pairs = append(pairs, same...)
		}
	}
	for _, c := range unicode.CaseRanges {
		for r := rune(c.Lo); r <= rune(c.Hi); r++ {
			add(r) // a letter that is not among them is the same as one that is
		}
	}
	for _, r := range "\u0390\u03b0\ufb05" { // but for these
		add(r)
	}
	return newSet(pairs...)
}

// appendSame appends r and what Python takes for the same letter, as pairs: Unicode's simple case folding and
// what Python's re adds to it.
func appendSame(pairs []rune, r rune) []rune {
	more := ""
	switch r {
	case 'I', 'i', 'İ', 'ı':
		more = "Iiİı"
	case '\u0390', '\u1fd3':
		more = "\u0390\u1fd3"
	case '\u03b0', '\u1fe3':
		more = "\u03b0\u1fe3"
	case '\ufb05', '\ufb06':
		more = "\ufb05\ufb06"
	}
	pairs = append(pairs, r, r)
	for q := unicode.SimpleFold(r); q != r; q = unicode.SimpleFold(q) {
		pairs = append(pairs, q, q)
	}
	for _, q := range more {
		pairs = append(pairs, q, q)
	}
	return pairs
}

// foldASCII is fold under the flag (?a), which knows the letters of ASCII only.
func (s set) foldASCII() set {
	pairs := slices.Clone(s)
	for lower := 'a'; lower <= 'z'; lower++ {
		upper := lower - 'a' + 'A'
		if s.has(lower) || s.has(upper) {
			pairs = append(pairs, lower, lower, upper, upper)
		}
	}
	return newSet(pairs...)
}
