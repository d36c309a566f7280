package pickle

import "iter"

// A Set is a Python set. It keeps the order in which its members came, which Python does not. The zero
// Set is empty and ready for use.
type Set struct {
	members Dict
}

// A FrozenSet is a Python frozenset.
type FrozenSet struct {
	members Dict
}

// NewSet makes the set of members. It fails where one is unhashable in Python.
func NewSet(members ...any) (*Set, error) {
	s := new(Set)
	for _, m := range members {
		if err := s.Add(m); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// NewFrozenSet makes the frozenset of members. It fails where one is unhashable in Python.
func NewFrozenSet(members ...any) (*FrozenSet, error) {
	s := new(FrozenSet)
	for _, m := range members {
		if err := s.members.addMember(m, nil); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Add puts a member in. It fails where member is unhashable in Python.
func (s *Set) Add(member any) error { return s.members.addMember(member, nil) }

// Remove takes a member out, and reports whether it was there.
func (s *Set) Remove(member any) bool { return s.members.Delete(member) }

// Has reports whether member is in the set.
func (s *Set) Has(member any) bool { return s.members.find(member) >= 0 }

// Len is the number of members.
func (s *Set) Len() int { return s.members.Len() }

// All walks the members.
func (s *Set) All() iter.Seq[any] { return s.members.allKeys() }

// Has reports whether member is in the set.
func (s *FrozenSet) Has(member any) bool { return s.members.find(member) >= 0 }

// Len is the number of members.
func (s *FrozenSet) Len() int { return s.members.Len() }

// All walks the members.
func (s *FrozenSet) All() iter.Seq[any] { return s.members.allKeys() }

// addMember puts a member in, unless an equal one is there.
func (d *Dict) addMember(member any, b *budget) error { return d.set(member, nil, b) }

func (d *Dict) allKeys() iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, e := range d.entries {
			if !yield(e.Key) {
				return
			}
		}
	}
}
