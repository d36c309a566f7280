package pickle

import "math/big"

// What an allocation costs besides its content: the bytes that Go's allocator gives out.
const (
	anySize    = 16
	entrySize  = 2 * anySize
	listSize   = 24
	dictSize   = 64
	objectSize = 144
	knownSize  = 96 // a datetime, the largest of its like
	indexSize  = 56 // one key in a map from any to int
	boxSize    = 16 // a number or a string header in an interface
)

// A budget is what remains of the bounds of a Config. Whoever is about to allocate asks it first.
type budget struct {
	memory, elements, ops, memo int

	// keyBytes is how many bytes of long keys may still be hashed. A short opcode can use a long key
	// again; Python then has its hash at hand.
	keyBytes int
}

// shortKey is the length of keys whose hashing costs no more than the opcodes that ask for it.
const shortKey = 256

// take takes n bytes off the memory that remains. A nil budget has no end: values that the program
// itself makes are not bounded.
func (b *budget) take(n int) error {
	if b == nil {
		return nil
	}
	if n > b.memory {
		return limited("memory")
	}
	b.memory -= n
	return nil
}

func (b *budget) takeElements(n int) error {
	if n > b.elements {
		return limited("elements")
	}
	b.elements -= n
	return nil
}

// takeKey takes the work of hashing key off what remains.
func (b *budget) takeKey(key any) error {
	if b == nil {
		return nil
	}
	n := 0
	switch key := key.(type) {
	case string:
		n = len(key)
	case SafeString:
		n = len(key)
	case Bytes:
		n = len(key)
	case Decimal:
		n = 8 * len(key)
	case Class:
		n = len(key.Module) + len(key.Name)
	case *big.Int:
		n = key.BitLen() / 2
	}
	if n <= shortKey {
		return nil
	}
	if b.keyBytes -= n; b.keyBytes < 0 {
		return limited("work on keys")
	}
	return nil
}

// reserve makes room for n more elements of the given size in s, doubling it at least, and takes the
// memory for it.
func reserve[T any](b *budget, s []T, n, size int) ([]T, error) {
	if cap(s)-len(s) >= n {
		return s, nil
	}
	room := max(len(s)+n, 2*cap(s))
	if err := b.take(room * size); err != nil {
		return s, err
	}
	grown := make([]T, len(s), room)
	copy(grown, s)
	return grown, nil
}
