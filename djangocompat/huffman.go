package djangocompat

import "math/bits"

const (
	maxCode    = 15 // bits of the longest code
	maxShort   = 9  // bits of the longest code that is looked up
	lengthBits = 4
	lengthMask = 1<<lengthBits - 1
)

// huffman is a canonical Huffman code, which is given by the lengths of its symbols' codes alone.
type huffman struct {
	// short has what bits stand for that begin with a short code: the symbol, and in the lowest bits the length of its
	// code; 0 where the code is longer, or none.
	short   [1 << maxShort]uint16
	mask    uint64              // of the bits that short is asked for
	counts  [maxCode + 1]uint16 // of the codes of each length
	symbols [maxLiterals]uint16 // in the order of their codes
}

// set makes the code of the symbols 0, 1, …, whose lengths are given; 0 is a symbol that is not used. It reports whether
// there is such a code: one that wastes nothing, or has a single symbol, or none.
func (h *huffman) set(lengths []uint8) bool {
	h.counts = [maxCode + 1]uint16{}
	for _, n := range lengths {
		h.counts[n]++
	}
	h.counts[0] = 0
	var next [maxCode + 2]uint16 // the next code of each length
	var at [maxCode + 2]uint16   // where its symbol is to be put
	longest, left := 0, 1
	for n := 1; n <= maxCode; n++ {
		count := h.counts[n]
		if count > 0 {
			longest = n
		}
		if left = left<<1 - int(count); left < 0 {
			return false
		}
		next[n+1] = (next[n] + count) << 1
		at[n+1] = at[n] + count
	}
	if left > 0 && longest > 0 && (longest > 1 || h.counts[1] != 1) {
		return false
	}
	size := min(longest, maxShort)
	h.mask = 1<<size - 1
	clear(h.short[:1<<size])
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		h.symbols[at[n]] = uint16(symbol)
		at[n]++
		code := next[n]
		next[n]++
		if int(n) > size {
			continue
		}
		entry := uint16(symbol)<<lengthBits | uint16(n)
		for i := int(bits.Reverse16(code) >> (16 - n)); i < 1<<size; i += 1 << n {
			h.short[i] = entry
		}
	}
	return true
}
