package djangocompat

import "math/bits"

const (
	longestCode = 15
	quickBits   = 9
)

// huffman is a code whose words of a length are consecutive numbers. RFC 1951 §3.2.2.
type huffman struct {
	counts  [longestCode + 1]uint16 // how many words have a length
	symbols [literalCodes + 2]uint16
	quick   [1 << quickBits]uint16 // by the next bits: symbol<<4 | length of its word; 0 where that is longer
	mask    uint64                 // of as many bits as the longest word has, or quick takes
}

// build makes the code in which each symbol has a word of a length, 0 for none. It reports false where there is no such
// code, or words are left over, unless it is a single one, which zlib lets pass, or none.
func (h *huffman) build(lengths []uint8) bool {
	clear(h.counts[:])
	for _, n := range lengths {
		h.counts[n]++
	}
	used := len(lengths) - int(h.counts[0])
	h.counts[0] = 0
	left, longest := 1, 1
	for i, n := range h.counts[1:] {
		if left = left<<1 - int(n); left < 0 {
			return false
		}
		if n > 0 {
			longest = i + 1
		}
	}
	h.mask = 1<<min(longest, quickBits) - 1
	if left > 0 && used > 1 || used == 1 && h.counts[1] == 0 {
		return false
	}
	h.sort(lengths)
	return true
}

// sort puts the symbols in the order of their words, and fills the table.
func (h *huffman) sort(lengths []uint8) {
	var index, word [longestCode + 2]uint16 // of the next one of each length
	for n := 1; n <= longestCode; n++ {
		index[n+1] = index[n] + h.counts[n]
		word[n+1] = (word[n] + h.counts[n]) << 1
	}
	quick := h.quick[:h.mask+1]
	clear(quick)
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		h.symbols[index[n]] = uint16(symbol)
		index[n]++
		if n <= quickBits {
			entry := uint16(symbol)<<4 | uint16(n)
			for i := int(bits.Reverse16(word[n]) >> (16 - n)); i < len(quick); i += 1 << n {
				quick[i] = entry
			}
		}
		word[n]++
	}
}

// symbol reads a word. It reports false where there is none.
func (f *inflater) symbol(h *huffman) (uint16, bool) {
	if f.have < longestCode {
		f.fill()
	}
	if entry := h.quick[f.bits&h.mask&(1<<quickBits-1)]; entry != 0 {
		n := uint(entry & 15)
		if n > f.have {
			return 0, false
		}
		f.use(n)
		return entry >> 4, true
	}
	word, first, index := 0, 0, 0
	for n := uint(1); n <= min(longestCode, f.have); n++ {
		word = word<<1 | int(f.bits>>(n-1)&1)
		count := int(h.counts[n])
		if word-first < count {
			f.use(n)
			return h.symbols[index+word-first], true
		}
		index += count
		first = (first + count) << 1
	}
	return 0, false
}

// useFixed makes the codes the ones that need not be told. RFC 1951 §3.2.6.
func (f *inflater) useFixed() {
	if f.fixed {
		return
	}
	var lengths [literalCodes + 2]uint8
	for i := range lengths {
		switch {
		case i < 144, i >= 280:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		default:
			lengths[i] = 7
		}
	}
	f.literals.build(lengths[:])
	for i := range distanceCodes + 2 {
		lengths[i] = 5
	}
	f.distances.build(lengths[:distanceCodes+2])
	f.fixed = true
}

// codeOrder is the order in which the code for the lengths of codes is told. RFC 1951 §3.2.7.
var codeOrder = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// readCodes reads the codes of a block. It reports false where they are none.
func (f *inflater) readCodes() bool {
	header, ok := f.take(14)
	literals, distances := int(header&31)+257, int(header>>5&31)+1
	if !ok || literals > literalCodes || distances > distanceCodes {
		return false
	}
	f.fixed = false
	var lengths [literalCodes + distanceCodes]uint8
	for _, symbol := range codeOrder[:header>>10+4] {
		n, ok := f.take(3)
		if !ok {
			return false
		}
		lengths[symbol] = uint8(n)
	}
	if !f.literals.build(lengths[:len(codeOrder)]) {
		return false
	}
	clear(lengths[:])
	return f.readLengths(lengths[:literals+distances]) &&
		f.literals.build(lengths[:literals]) && f.distances.build(lengths[literals:literals+distances])
}

// readLengths reads the lengths of words in the code that literals has for them.
func (f *inflater) readLengths(lengths []uint8) bool {
	for i := 0; i < len(lengths); {
		symbol, ok := f.symbol(&f.literals)
		if !ok {
			return false
		}
		if symbol < 16 {
			lengths[i] = uint8(symbol)
			i++
			continue
		}
		var again uint8
		repeat, width := 3, uint(2)
		switch {
		case symbol == 16 && i == 0:
			return false
		case symbol == 16:
			again = lengths[i-1]
		case symbol == 17:
			width = 3
		default:
			repeat, width = 11, 7
		}
		more, ok := f.take(width)
		if repeat += int(more); !ok || repeat > len(lengths)-i {
			return false
		}
		for range repeat {
			lengths[i] = again
			i++
		}
	}
	return true
}
