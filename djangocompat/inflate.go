package djangocompat

import (
	"encoding/binary"
	"hash/adler32"
)

// inflater undoes what Python's zlib.compress does (RFC 1950 and 1951). All of the text is there, and little of it: that
// of a session is shorter than what package compress/flate prepares for a stream of any length.
type inflater struct {
	src   []byte
	pos   int
	bits  uint64 // taken from src, the next one lowest
	n     uint   // how many these are
	out   []byte
	limit int // of out

	literals, distances huffman
	lengths             [maxLiterals + maxDistances]uint8
}

const (
	maxLiterals  = 288
	maxDistances = 32
	endOfBlock   = 256
)

// inflate appends to dst, which is empty, what was compressed into src, at most limit bytes. What follows the end of the
// stream is ignored, as in Python.
func (z *inflater) inflate(dst, src []byte, limit int) ([]byte, error) {
	const deflate, presetDictionary = 8, 0x20
	if len(src) < 2 || src[0]&0x0f != deflate || src[0]>>4 > 7 || binary.BigEndian.Uint16(src)%31 != 0 || src[1]&presetDictionary != 0 {
		return dst, ErrMalformed
	}
	z.src, z.pos, z.bits, z.n, z.out, z.limit = src, 2, 0, 0, dst, limit
	err := z.blocks()
	dst = z.out
	z.src, z.out = nil, nil
	if err != nil {
		return dst, err
	}
	sum := src[z.pos-int(z.n/8):] // what was taken too early is put back
	if len(sum) < 4 || binary.BigEndian.Uint32(sum) != adler32.Checksum(dst) {
		return dst, ErrMalformed
	}
	return dst, nil
}

// blocks inflates all blocks.
func (z *inflater) blocks() error {
	for last := uint32(0); last == 0; {
		head, err := z.take(3)
		if err != nil {
			return err
		}
		last = head & 1
		switch head >> 1 {
		case 0:
			err = z.stored()
		case 1:
			z.fixed()
			err = z.compressed()
		case 2:
			if err = z.dynamic(); err == nil {
				err = z.compressed()
			}
		default:
			err = ErrMalformed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fill takes as many bits from src as there is room for.
func (z *inflater) fill() {
	if len(z.src)-z.pos >= 8 {
		z.bits |= binary.LittleEndian.Uint64(z.src[z.pos:]) << z.n
		whole := (63 - z.n) / 8
		z.pos += int(whole)
		z.n += 8 * whole
		z.bits &= 1<<z.n - 1
		return
	}
	for z.n <= 56 && z.pos < len(z.src) {
		z.bits |= uint64(z.src[z.pos]) << z.n
		z.pos++
		z.n += 8
	}
}

// take returns the next n bits, of which there are 16 at most.
func (z *inflater) take(n uint) (uint32, error) {
	if z.n < n {
		if z.fill(); z.n < n {
			return 0, ErrMalformed
		}
	}
	v := uint32(z.bits & (1<<n - 1))
	z.bits >>= n
	z.n -= n
	return v, nil
}

// stored copies a block that is not compressed.
func (z *inflater) stored() error {
	z.bits >>= z.n & 7
	z.n &^= 7
	size, err := z.take(16)
	if err != nil {
		return err
	}
	inverse, err := z.take(16)
	if err != nil || size^inverse != 0xffff {
		return ErrMalformed
	}
	z.pos -= int(z.n / 8)
	z.bits, z.n = 0, 0
	rest := z.src[z.pos:]
	if room := z.limit - len(z.out); int(size) > room && len(rest) > room {
		return ErrTooLarge
	}
	if int(size) > len(rest) {
		return ErrMalformed
	}
	z.grow(int(size))
	z.out = append(z.out, rest[:size]...)
	z.pos += int(size)
	return nil
}

// grow makes room for n more bytes, of which there may be so many: for twice what there is, but for no more than may be.
func (z *inflater) grow(n int) {
	const least = 1024
	if cap(z.out)-len(z.out) >= n {
		return
	}
	size := min(max(2*cap(z.out), least), z.limit)
	z.out = append(make([]byte, 0, max(size, len(z.out)+n)), z.out...)
}

// fixed makes the codes of a block that brings none.
func (z *inflater) fixed() {
	lengths := &z.lengths
	for i := range maxLiterals {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	z.literals.set(lengths[:maxLiterals])
	for i := range maxDistances {
		lengths[i] = 5
	}
	z.distances.set(lengths[:maxDistances])
}

// lengthOrder is the order in which a block has the lengths of the code in which it has the lengths of its codes.
var lengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamic reads the codes that a block brings.
func (z *inflater) dynamic() error {
	head, err := z.take(14)
	if err != nil {
		return err
	}
	literals, distances, lengths := int(head&31)+257, int(head>>5&31)+1, int(head>>10)+4
	if literals > 286 || distances > 30 {
		return ErrMalformed
	}
	var own [19]uint8
	for _, i := range lengthOrder[:lengths] {
		n, err := z.take(3)
		if err != nil {
			return err
		}
		own[i] = uint8(n)
	}
	if !z.distances.set(own[:]) { // it is free until the end
		return ErrMalformed
	}
	if err := z.readLengths(literals + distances); err != nil {
		return err
	}
	if !z.literals.set(z.lengths[:literals]) || !z.distances.set(z.lengths[literals:literals+distances]) {
		return ErrMalformed
	}
	return nil
}

// readLengths reads the lengths of n codes.
func (z *inflater) readLengths(n int) error {
	const again, zeros, manyZeros = 16, 17, 18
	for i := 0; i < n; {
		symbol, err := z.symbol(&z.distances)
		if err != nil {
			return err
		}
		if symbol < again {
			z.lengths[i] = uint8(symbol)
			i++
			continue
		}
		value, extra, times := uint8(0), uint(3), 3
		switch symbol {
		case again:
			if i == 0 {
				return ErrMalformed
			}
			value, extra = z.lengths[i-1], 2
		case manyZeros:
			extra, times = 7, 11
		}
		more, err := z.take(extra)
		if err != nil {
			return err
		}
		if times += int(more); i+times > n {
			return ErrMalformed
		}
		for ; times > 0; times-- {
			z.lengths[i] = value
			i++
		}
	}
	return nil
}

// What the symbols from 257 on, and those of distances, stand for, and how many bits are added to that.
var (
	lengthBase = [29]uint16{
		3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
	}
	lengthExtra  = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distanceBase = [30]uint16{
		1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
		8193, 12289, 16385, 24577,
	}
	distanceExtra = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// compressed inflates what follows the codes of a block.
func (z *inflater) compressed() error {
	for {
		symbol, err := z.symbol(&z.literals)
		switch {
		case err != nil:
			return err
		case symbol == endOfBlock:
			return nil
		case symbol > endOfBlock:
			err = z.repeat(symbol - endOfBlock - 1)
		case len(z.out) >= z.limit:
			err = ErrTooLarge
		default:
			z.grow(1)
			z.out = append(z.out, byte(symbol))
		}
		if err != nil {
			return err
		}
	}
}

// repeat appends again what was there before: the symbol says how much of it, and the next ones how far back.
func (z *inflater) repeat(symbol int) error {
	if symbol >= len(lengthBase) {
		return ErrMalformed
	}
	more, err := z.take(uint(lengthExtra[symbol]))
	if err != nil {
		return err
	}
	length := int(lengthBase[symbol]) + int(more)
	if symbol, err = z.symbol(&z.distances); err != nil {
		return err
	}
	if symbol >= len(distanceBase) {
		return ErrMalformed
	}
	if more, err = z.take(uint(distanceExtra[symbol])); err != nil {
		return err
	}
	from := len(z.out) - int(distanceBase[symbol]) - int(more)
	switch {
	case from < 0:
		return ErrMalformed
	case length > z.limit-len(z.out):
		return ErrTooLarge
	}
	z.grow(length)
	for length > 0 { // what is appended may be a part of what is to be repeated
		piece := z.out[from:min(from+length, len(z.out))]
		z.out = append(z.out, piece...)
		from += len(piece)
		length -= len(piece)
	}
	return nil
}

// symbol reads the next symbol of a code.
func (z *inflater) symbol(h *huffman) (int, error) {
	if z.n < maxCode {
		z.fill()
	}
	e := h.short[z.bits&h.mask]
	if e == 0 {
		return z.longSymbol(h)
	}
	length := uint(e & lengthMask)
	if length > z.n {
		return 0, ErrMalformed
	}
	z.bits >>= length
	z.n -= length
	return int(e >> lengthBits), nil
}

// longSymbol reads a symbol that is not in the table, bit by bit.
func (z *inflater) longSymbol(h *huffman) (int, error) {
	code, first, index := 0, 0, 0
	for length := uint(1); length <= min(maxCode, z.n); length++ {
		code |= int(z.bits >> (length - 1) & 1)
		count := int(h.counts[length])
		if code-first < count {
			z.bits >>= length
			z.n -= length
			return int(h.symbols[index+code-first]), nil
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, ErrMalformed
}
