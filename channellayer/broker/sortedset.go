package broker

import (
	"iter"
	"slices"
	"sort"
)

// chunkSize is how many entries a chunk of a sortedSet has at most.
const chunkSize = 512

// entry is a member of a sorted set. Entries are ordered by score, and by member where scores are equal.
type entry struct {
	score  float64
	member string
}

func (e entry) less(other entry) bool {
	return e.score < other.score || e.score == other.score && e.member < other.member
}

// sortedSet is Redis's sorted set: members with a score each. Its entries stand in chunks, so that none of its
// methods moves more than a few of them.
type sortedSet struct {
	scores map[string]float64
	chunks [][]entry // none is empty
}

func newSortedSet() sortedSet { return sortedSet{scores: make(map[string]float64)} }

func (s *sortedSet) len() int { return len(s.scores) }

// add adds a member, or changes its score, and reports whether it is new.
func (s *sortedSet) add(member string, score float64) (added bool) {
	old, exists := s.scores[member]
	if exists && old == score {
		return false
	}
	if exists {
		s.cut(entry{old, member})
	}
	s.scores[member] = score
	s.insert(entry{score, member})
	return !exists
}

// remove removes a member and reports whether it was there.
func (s *sortedSet) remove(member string) bool {
	score, exists := s.scores[member]
	if !exists {
		return false
	}
	s.cut(entry{score, member})
	delete(s.scores, member)
	return true
}

// find returns the chunk, and the place in it, of the first entry that is not less than e. The chunk may be beyond
// the last one.
func (s *sortedSet) find(e entry) (chunk, place int) {
	chunk = sort.Search(len(s.chunks), func(i int) bool {
		c := s.chunks[i]
		return !c[len(c)-1].less(e)
	})
	if chunk == len(s.chunks) {
		return chunk, 0
	}
	c := s.chunks[chunk]
	return chunk, sort.Search(len(c), func(i int) bool { return !c[i].less(e) })
}

func (s *sortedSet) insert(e entry) {
	chunk, place := s.find(e)
	if chunk == len(s.chunks) {
		if chunk == 0 {
			s.chunks = append(s.chunks, []entry{e})
			return
		}
		chunk--
		place = len(s.chunks[chunk])
	}
	c := slices.Insert(s.chunks[chunk], place, e)
	if len(c) <= chunkSize {
		s.chunks[chunk] = c
		return
	}
	at := len(c) / 2
	if place == len(c)-1 && chunk == len(s.chunks)-1 {
		at = len(c) - 1 // entries mostly come in order
	}
	s.chunks = slices.Insert(s.chunks, chunk+1, slices.Clone(c[at:]))
	clear(c[at:])
	s.chunks[chunk] = c[:at]
}

// cut takes out an entry that is there.
func (s *sortedSet) cut(e entry) {
	chunk, place := s.find(e)
	c := s.chunks[chunk]
	if place == 0 {
		c[0] = entry{}
		c = c[1:] // the first one is the one that is popped
	} else {
		c = slices.Delete(c, place, place+1)
	}
	if len(c) == 0 {
		s.chunks = slices.Delete(s.chunks, chunk, chunk+1)
		return
	}
	s.chunks[chunk] = c
}

// first returns the least entry of a set that is not empty, last the greatest.
func (s *sortedSet) first() entry { return s.chunks[0][0] }

func (s *sortedSet) last() entry {
	c := s.chunks[len(s.chunks)-1]
	return c[len(c)-1]
}

// rank returns how many entries come before a score, or before what is above it.
func (s *sortedSet) rank(b bound) int {
	before := 0
	for _, c := range s.chunks {
		if b.before(c[len(c)-1].score) {
			before += len(c)
			continue
		}
		return before + sort.Search(len(c), func(i int) bool { return !b.before(c[i].score) })
	}
	return before
}

// span walks the entries from one rank up to another one, which it leaves out. Nothing is changed meanwhile.
func (s *sortedSet) span(from, to int) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		at := 0 // the rank of a chunk's first entry
		for _, c := range s.chunks {
			if at >= to {
				return
			}
			for i := max(0, from-at); i < min(len(c), to-at); i++ {
				if !yield(c[i]) {
					return
				}
			}
			at += len(c)
		}
	}
}

// bound is a place between scores: before all that are score, or behind them.
type bound struct {
	score  float64
	behind bool
}

// before reports whether a score comes before the bound.
func (b bound) before(score float64) bool {
	return score < b.score || b.behind && score == b.score
}
