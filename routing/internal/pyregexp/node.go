package pyregexp

import "strings"

// op is what a node does.
type op uint8

const (
	opSet             op = iota // one rune of a set
	opSequence                  // subs one after the other; the empty one matches the empty text
	opAlternatives              // the first of subs with which the rest matches too
	opRepeat                    // the only sub, min to max times
	opGroup                     // the only sub, captured
	opTextStart                 // \A, and ^ without (?m)
	opLineStart                 // ^ with (?m)
	opTextEnd                   // \Z
	opLineEnd                   // $ with (?m)
	opDollar                    // $ without (?m): the end, or before a newline that is the last character
	opWordBoundary              // \b
	opNotWordBoundary           // \B
)

// unbounded is the max of a node that repeats without an end.
const unbounded = -1

// node is a part of a parsed pattern.
type node struct {
	op       op
	offset   int // where in the pattern it stands
	set      set // opSet
	subs     []*node
	min, max int  // opRepeat
	lazy     bool // opRepeat: as few times as possible
	group    int  // opGroup: its number, from 1
	ascii    bool // opWordBoundary, opNotWordBoundary: words are of ASCII
}

// isAssertion reports whether n is one of those that Python lets nobody repeat.
func (n *node) isAssertion() bool { return n.op >= opTextStart }

// mayBeEmpty reports whether n can match without a character.
func (n *node) mayBeEmpty() bool {
	switch n.op {
	case opSet:
		return false
	case opSequence:
		for _, sub := range n.subs {
			if !sub.mayBeEmpty() {
				return false
			}
		}
	case opAlternatives:
		for _, sub := range n.subs {
			if sub.mayBeEmpty() {
				return true
			}
		}
		return false
	case opRepeat:
		return n.min == 0 || n.subs[0].mayBeEmpty()
	case opGroup:
		return n.subs[0].mayBeEmpty()
	}
	return true
}

// size estimates how many instructions n becomes, saturating above maxSize.
func (n *node) size() int {
	total := 1
	for _, sub := range n.subs {
		total = min(total+sub.size(), maxSize+1)
	}
	if n.op == opRepeat {
		total = min(total*max(n.min, n.max, 1), maxSize+1)
	}
	return total
}

// prefix returns the text with which everything that n matches begins, given that n stands at the start of
// the text. It reports false where what follows n cannot lengthen the prefix.
func (n *node) prefix() (string, bool) {
	switch n.op {
	case opTextStart:
		return "", true
	case opSet:
		if r, ok := n.set.single(); ok && r < 0x80 {
			return string(r), true
		}
	case opGroup:
		return n.subs[0].prefix()
	case opSequence:
		var text strings.Builder
		for _, sub := range n.subs {
			t, whole := sub.prefix()
			text.WriteString(t)
			if !whole {
				return text.String(), false
			}
		}
		return text.String(), true
	}
	return "", false
}
