package djangocompat

import (
	"encoding/binary"
	"hash/adler32"
	"slices"
)

// inflater inflates zlib streams that are whole in memory, as sessions are. Of those compress/zlib, which is made for
// long ones that come in pieces, spends most of the time on getting ready. RFC 1950, RFC 1951.
type inflater struct {
	in   []byte
	pos  int    // how much of in was taken
	bits uint64 // taken and not used, the first one lowest
	have uint   // how many of these there are

	literals, distances huffman
	fixed               bool // they are those of the fixed codes
}

// inflate appends what a stream holds to dst, which is empty, up to limit bytes. What follows the stream is ignored, as
// in Python.
func (f *inflater) inflate(dst, stream []byte, limit int) ([]byte, error) {
	f.in, f.pos, f.bits, f.have = stream, 2, 0, 0
	defer func() { f.in = nil }()
	if len(stream) < 2 || stream[0]&15 != 8 || stream[0]>>4 > 7 || binary.BigEndian.Uint16(stream)%31 != 0 || stream[1]&32 != 0 {
		return dst, ErrMalformed // the last bit asks for a dictionary
	}
	for last := false; !last; {
		header, ok := f.take(3)
		if !ok {
			return dst, ErrMalformed
		}
		last = header&1 != 0
		var err error
		if dst, err = f.block(dst, header>>1, limit); err != nil {
			return dst, err
		}
	}
	f.align()
	if sum := f.in[f.pos:]; len(sum) < 4 || binary.BigEndian.Uint32(sum) != adler32.Checksum(dst) {
		return dst, ErrMalformed
	}
	return dst, nil
}

// block appends a block of a kind.
func (f *inflater) block(dst []byte, kind uint32, limit int) ([]byte, error) {
	switch kind {
	case 0:
		return f.stored(dst, limit)
	case 1:
		f.useFixed()
	case 2:
		if !f.readCodes() {
			return dst, ErrMalformed
		}
	default:
		return dst, ErrMalformed
	}
	return f.coded(dst, limit)
}

// fill takes whole bytes until there are 56 bits, or no more bytes.
func (f *inflater) fill() {
	if len(f.in)-f.pos >= 8 {
		f.bits |= binary.LittleEndian.Uint64(f.in[f.pos:]) << f.have // some of it will be taken again
		f.pos += int((63 - f.have) / 8)
		f.have |= 56
		return
	}
	for ; f.have < 56 && f.pos < len(f.in); f.have += 8 {
		f.bits |= uint64(f.in[f.pos]) << f.have
		f.pos++
	}
}

// use drops bits that there are.
func (f *inflater) use(n uint) {
	f.bits >>= n
	f.have -= n
}

// take returns the next n bits, of which there are no more than 16. It reports false where the stream ends.
func (f *inflater) take(n uint) (uint32, bool) {
	if f.have < n {
		f.fill()
	}
	if f.have < n {
		return 0, false
	}
	v := uint32(f.bits) & (1<<n - 1)
	f.use(n)
	return v, true
}

// align gives back all whole bytes that were not used, and drops the rest of the one that was begun.
func (f *inflater) align() {
	f.pos -= int(f.have / 8)
	f.bits, f.have = 0, 0
}

// stored appends a block that is not compressed.
func (f *inflater) stored(dst []byte, limit int) ([]byte, error) {
	f.align()
	head := f.in[f.pos:]
	if len(head) < 4 {
		return dst, ErrMalformed
	}
	size := int(binary.LittleEndian.Uint16(head))
	switch {
	case binary.LittleEndian.Uint16(head[2:]) != ^uint16(size), len(head)-4 < size:
		return dst, ErrMalformed
	case len(dst)+size > limit:
		return dst, ErrTooLarge
	}
	f.pos += 4 + size
	return append(dst, head[4:4+size]...), nil
}

const (
	endOfBlock    = 256 // a symbol among the literals; those above are lengths
	literalCodes  = 286
	distanceCodes = 30
	longestMatch  = 258
)

// coded appends a block whose codes are known.
func (f *inflater) coded(dst []byte, limit int) ([]byte, error) {
	for {
		if cap(dst)-len(dst) < longestMatch {
			dst = slices.Grow(dst, min(max(1024, 3*cap(dst)), limit-len(dst))+longestMatch)
		}
		symbol, ok := f.symbol(&f.literals)
		switch {
		case !ok:
			return dst, ErrMalformed
		case symbol == endOfBlock:
			return dst, nil
		case len(dst) >= limit:
			return dst, ErrTooLarge
		case symbol < endOfBlock:
			dst = append(dst, byte(symbol))
			continue
		}
		length, back, ok := f.match(symbol)
		switch {
		case !ok || back > len(dst):
			return dst, ErrMalformed
		case len(dst)+length > limit:
			return dst, ErrTooLarge
		}
		for n, from := 0, len(dst)-back; length > 0; length -= n { // what is repeated may reach into the repetition
			n = min(length, len(dst)-from)
			dst = append(dst, dst[from:from+n]...)
		}
	}
}

// match returns how long a repetition is that a symbol begins, and how far back what it repeats.
func (f *inflater) match(symbol uint16) (length, back int, ok bool) {
	i := int(symbol - endOfBlock - 1)
	if i >= len(lengths) {
		return 0, 0, false
	}
	extra, ok := f.take(uint(lengths[i].extra))
	if !ok {
		return 0, 0, false
	}
	far, ok := f.symbol(&f.distances)
	if !ok || far >= distanceCodes {
		return 0, 0, false
	}
	more, ok := f.take(uint(distances[far].extra))
	return int(lengths[i].base) + int(extra), int(distances[far].base) + int(more), ok
}

// span is what a symbol for a length or a distance means: base, and so many bits more.
type span struct {
	base  uint16
	extra uint8
}

// lengths and distances are those of RFC 1951 §3.2.5.
var (
	lengths   = append(spans(literalCodes-endOfBlock-2, 4, 3), span{base: longestMatch})
	distances = spans(distanceCodes, 2, 1)
)

// spans returns n of them from a first value, of which so many have the same number of further bits, but for the first
// ones, which have none for as long again.
func spans(n, alike int, first uint16) []span {
	all := make([]span, n, n+1)
	for i := range all {
		all[i] = span{base: first, extra: uint8(max(i/alike, 1) - 1)}
		first += 1 << all[i].extra
	}
	return all
}
