package pyregexp

// kinds says what a neighbour of a position in the text may be, as bits. An edge of the text counts as nonWord.
type kinds uint8

const (
	asciiWord kinds = 1 << iota
	otherWord       // a letter that Go's \b does not know
	nonWord

	anyKind = asciiWord | otherWord | nonWord
)

// resolveBoundaries replaces each \b and \B by what it comes to where its neighbours say so, and leaves it
// to Go's where no neighbour can be a letter beyond ASCII.
func resolveBoundaries(root *node, m mode) error {
	if !root.hasBoundary() {
		return nil
	}
	outside := anyKind
	if m == fullmatch {
		outside = nonWord
	}
	words, ascii := wordSet(0), wordSet(flagASCII)
	b := boundaries{
		known: map[*node]kinds{},
		sets: map[kinds]set{
			asciiWord: ascii,
			otherWord: words.negate().union(ascii).negate(),
			nonWord:   words.negate(),
		},
	}
	return b.resolve(root, outside, outside)
}

// hasBoundary reports whether there is a \b or \B of Unicode's words in n.
func (n *node) hasBoundary() bool {
	if n.op == opWordBoundary || n.op == opNotWordBoundary {
		return !n.ascii
	}
	for _, sub := range n.subs {
		if sub.hasBoundary() {
			return true
		}
	}
	return false
}

// boundaries knows the kinds of all sets.
type boundaries struct {
	sets  map[kinds]set
	known map[*node]kinds // of the opSets asked for so far
}

// kindsOf returns the kinds of the runes of an opSet.
func (b *boundaries) kindsOf(n *node) kinds {
	k, ok := b.known[n]
	if ok {
		return k
	}
	for kind, members := range b.sets {
		if n.set.intersects(members) {
			k |= kind
		}
	}
	b.known[n] = k
	return k
}

// resolve treats n, before which left may stand, and after which right.
func (b *boundaries) resolve(n *node, left, right kinds) error {
	switch n.op {
	case opWordBoundary, opNotWordBoundary:
		return n.decide(left, right)
	case opSequence:
		rights := make([]kinds, len(n.subs))
		for i := len(n.subs) - 1; i >= 0; i-- {
			rights[i] = right
			right = b.before(n.subs[i], right)
		}
		for i, sub := range n.subs {
			next := b.after(sub, left) // before it is replaced
			if err := b.resolve(sub, left, rights[i]); err != nil {
				return err
			}
			left = next
		}
		return nil
	case opRepeat:
		if n.max != 1 {
			left, right = left|b.after(n, left), right|b.before(n, right)
		}
	}
	for _, sub := range n.subs {
		if err := b.resolve(sub, left, right); err != nil {
			return err
		}
	}
	return nil
}

// decide treats a \b or \B between left and right.
func (n *node) decide(left, right kinds) error {
	if n.ascii || (left|right)&otherWord == 0 {
		return nil
	}
	mixed := func(k kinds) bool { return k&nonWord != 0 && k != nonWord }
	if mixed(left) || mixed(right) {
		return &Error{n.offset, `\b and \B are supported only where both sides are known to be a letter or none, or to be ASCII; (?a) makes them so`}
	}
	isBoundary := (left == nonWord) != (right == nonWord)
	if isBoundary == (n.op == opWordBoundary) {
		*n = node{op: opSequence} // always so
	} else {
		*n = node{op: opSet} // never so
	}
	return nil
}

// after returns what may stand before the position at which n ends, where left may before its start.
func (b *boundaries) after(n *node, left kinds) kinds {
	switch n.op {
	case opSet:
		return b.kindsOf(n)
	case opTextStart, opLineStart:
		return left & nonWord
	case opSequence:
		for _, sub := range n.subs {
			left = b.after(sub, left)
		}
		return left
	case opAlternatives, opRepeat, opGroup:
		return across(n, left, b.after)
	}
	return left
}

// before returns what may stand after the position at which n starts, where right may after its end.
func (b *boundaries) before(n *node, right kinds) kinds {
	switch n.op {
	case opSet:
		return b.kindsOf(n)
	case opTextEnd, opLineEnd, opDollar:
		return right & nonWord
	case opSequence:
		for i := len(n.subs) - 1; i >= 0; i-- {
			right = b.before(n.subs[i], right)
		}
		return right
	case opAlternatives, opRepeat, opGroup:
		return across(n, right, b.before)
	}
	return right
}

// across joins what step says of the subs of n, from which one is taken, or of the one that is repeated.
func across(n *node, from kinds, step func(*node, kinds) kinds) kinds {
	var k kinds
	if n.op == opRepeat && n.min == 0 {
		k = from
	}
	for _, sub := range n.subs {
		k |= step(sub, from)
	}
	return k
}
