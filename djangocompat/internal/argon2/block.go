package argon2

import (
	"encoding/binary"
	"math/bits"
)

// block is a KiB of the memory.
type block [blockBytes / 8]uint64

func (b *block) set(bytes []byte) {
	for i := range b {
		b[i] = binary.LittleEndian.Uint64(bytes[8*i:])
	}
}

func (b *block) bytes() []byte {
	bytes := make([]byte, 0, blockBytes)
	for _, word := range b {
		bytes = binary.LittleEndian.AppendUint64(bytes, word)
	}
	return bytes
}

// add is the exclusive or.
func (b *block) add(other *block) {
	for i, word := range other {
		b[i] ^= word
	}
}

// compress sets b to G(x, y) of RFC 9106 §3.5.
func (b *block) compress(x, y *block) {
	*b = *x
	b.add(y)
	r := *b
	var v [16]uint64
	for i := 0; i < len(b); i += 16 { // rows
		copy(v[:], b[i:])
		permute(&v)
		copy(b[i:], v[:])
	}
	for i := 0; i < 16; i += 2 { // columns of two words
		for j := 0; j < 16; j += 2 {
			v[j], v[j+1] = b[8*j+i], b[8*j+i+1]
		}
		permute(&v)
		for j := 0; j < 16; j += 2 {
			b[8*j+i], b[8*j+i+1] = v[j], v[j+1]
		}
	}
	b.add(&r)
}

// quarters says which words of a round of BLAKE2b are mixed with which: the columns of four rows, then the diagonals.
var quarters = [8][4]uint8{
	{0, 4, 8, 12},
	{1, 5, 9, 13},
	{2, 6, 10, 14},
	{3, 7, 11, 15},
	{0, 5, 10, 15},
	{1, 6, 11, 12},
	{2, 7, 8, 13},
	{3, 4, 9, 14},
}

// permute is P of RFC 9106 §3.6: a round of BLAKE2b with multiplications.
func permute(v *[16]uint64) {
	for _, q := range &quarters {
		a, b, c, d := v[q[0]&15], v[q[1]&15], v[q[2]&15], v[q[3]&15]
		a, d = turn(a, b, d, -32)
		c, b = turn(c, d, b, -24)
		a, d = turn(a, b, d, -16)
		c, b = turn(c, d, b, -63)
		v[q[0]&15], v[q[1]&15], v[q[2]&15], v[q[3]&15] = a, b, c, d
	}
}

// turn adds y to x, with their product, and turns what that makes of z.
func turn(x, y, z uint64, by int) (uint64, uint64) {
	x += y + 2*(x&0xFFFFFFFF)*(y&0xFFFFFFFF)
	return x, bits.RotateLeft64(z^x, by)
}
