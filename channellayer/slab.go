package channellayer

// slab holds many small values in few pieces of memory. A value keeps its slot, and its address, until it is
// removed; slots are used again, so that a slab grows to the largest number of values that it ever held at once.
type slab[T any] struct {
	chunks []*[slabChunk]T
	free   []uint32 // slots whose value was removed
	next   uint32   // the first slot that never had a value
}

const slabChunk = 512

// add stores a zero value and returns its slot.
func (s *slab[T]) add() uint32 {
	if n := len(s.free); n > 0 {
		slot := s.free[n-1]
		s.free = s.free[:n-1]
		return slot
	}
	slot := s.next
	if int(slot/slabChunk) == len(s.chunks) {
		s.chunks = append(s.chunks, new([slabChunk]T))
	}
	s.next++
	return slot
}

// at returns the value of a slot.
func (s *slab[T]) at(slot uint32) *T {
	return &s.chunks[slot/slabChunk][slot%slabChunk]
}

// remove clears a slot for its next value. The last one to go takes the memory with it.
func (s *slab[T]) remove(slot uint32) {
	var zero T
	*s.at(slot) = zero
	s.free = append(s.free, slot)
	if len(s.free) == int(s.next) {
		*s = slab[T]{}
	}
}
