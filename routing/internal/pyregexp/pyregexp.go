// Package pyregexp compiles regular expressions in the syntax of Python's re to Go's regexp, which matches in
// time linear to the text, whatever the pattern.
//
// Start with [Search] and [Fullmatch].
//
// A pattern either matches exactly what it matches in Python, with the same groups, or is refused when it is
// compiled: look-around, back-references, atomic groups, possessive and conditional parts, named characters;
// $ before the end of the pattern; a repeated part that may be empty; \b beside letters that Go's does not
// know. Text is what Python's str is: \w, \d, \s and \b know all letters, unless the flag (?a) says otherwise.
package pyregexp

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

const (
	// maxPattern is how many bytes a pattern may have.
	maxPattern = 2000
	// maxNesting is how deep its groups may stand in each other.
	maxNesting = 50
	// maxRepeat is the largest number that Go takes in {m,n}.
	maxRepeat = 1000
	// maxSize is how many parts a pattern may have, repeated ones counted as often as they repeat.
	maxSize = 5000
)

// An Error is a pattern that is refused: Python would not compile it either, or it cannot be said in Go.
type Error struct {
	// Offset is the byte in the pattern at which it says something wrong.
	Offset int
	// Reason is what is wrong with it.
	Reason string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s (at offset %d)", e.Reason, e.Offset) }

// A Regexp is a compiled pattern. It never changes.
type Regexp struct {
	re      *regexp.Regexp
	prefix  string   // with which every text begins that matches
	names   []string // of the groups; the first is "", for the whole
	groups  []int    // their numbers in re; the first is 0
	markers []int    // groups in re that hold a last newline which $ has only looked at
}

// mode says which part of a text a pattern is to match.
type mode uint8

const (
	search mode = iota
	fullmatch
)

// Search compiles a pattern that matches anywhere in a text. Python: re.compile(pattern).search.
func Search(pattern string) (*Regexp, error) { return compile(pattern, search) }

// Fullmatch compiles a pattern that matches a whole text. Python: re.compile(pattern).fullmatch.
func Fullmatch(pattern string) (*Regexp, error) { return compile(pattern, fullmatch) }

func compile(pattern string, m mode) (*Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, &Error{maxPattern, fmt.Sprintf("the pattern is longer than %d bytes", maxPattern)}
	}
	if !utf8.ValidString(pattern) {
		return nil, &Error{0, "the pattern is not valid UTF-8"}
	}
	root, names, err := parse(pattern)
	if err != nil {
		return nil, err
	}
	if root.size() > maxSize {
		return nil, &Error{0, "the pattern repeats too much"}
	}
	if err := resolveBoundaries(root, m); err != nil {
		return nil, err
	}
	e := emitter{mode: m, groups: make([]int, len(names))}
	if err := e.checkDollars(root, true); err != nil {
		return nil, err
	}
	r := &Regexp{names: names}
	if r.re, err = regexp.Compile(e.pattern(root)); err != nil {
		reason := "too large"
		if se, ok := errors.AsType[*syntax.Error](err); ok {
			reason = string(se.Code)
		}
		return nil, &Error{0, "Go's regexp: " + reason}
	}
	r.groups, r.markers = e.groups, e.markers
	if m == fullmatch || startsAtStart(root) {
		r.prefix, _ = root.prefix()
	}
	return r, nil
}

// startsAtStart reports whether the first thing that n asks for is the start of the text.
func startsAtStart(n *node) bool {
	for n.op == opSequence && len(n.subs) > 0 || n.op == opGroup {
		n = n.subs[0]
	}
	return n.op == opTextStart
}

// Names returns the names of the groups, "" for those without one and for the first, which is the whole
// match. The caller must not change it.
func (r *Regexp) Names() []string { return r.names }

// Prefix returns a text with which every text begins that matches.
func (r *Regexp) Prefix() string { return r.prefix }

// Match returns where text matches: a pair of offsets for the whole match and for each group, of -1 for a
// group that took no part. It returns nil where the text does not match.
func (r *Regexp) Match(text string) []int {
	if !strings.HasPrefix(text, r.prefix) {
		return nil
	}
	all := r.re.FindStringSubmatchIndex(text)
	if all == nil || len(r.markers) == 0 {
		return all
	}
	return r.withoutMarkers(all, len(text))
}

// withoutMarkers returns the pairs of the pattern's own groups. Where $ looked at a last newline, nothing
// else has matched that, so whatever ends there ends before it.
func (r *Regexp) withoutMarkers(all []int, length int) []int {
	looked := false
	for _, g := range r.markers {
		looked = looked || all[2*g] >= 0
	}
	out := make([]int, 0, 2*len(r.groups))
	for _, g := range r.groups {
		start, end := all[2*g], all[2*g+1]
		if looked && end == length {
			end--
		}
		out = append(out, start, end)
	}
	return out
}

// Quote returns a pattern that matches text and nothing else. Python: re.escape.
func Quote(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf && !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
