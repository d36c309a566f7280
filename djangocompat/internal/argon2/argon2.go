// Package argon2 computes Argon2 in the forms that golang.org/x/crypto/argon2 does not: argon2d, and version 16. Django
// checks passwords that were hashed so long ago; nobody hashes them so today. It is RFC 9106, and for version 16 the
// reference implementation's difference: later passes replace blocks instead of adding to them.
//
// Start with [Params.Key]. It runs on one processor, whatever the number of lanes.
package argon2

import (
	"encoding/binary"

	"golang.org/x/crypto/blake2b"
)

// A Variety is how the blocks are found that a block is made of. Its number is the y of RFC 9106 §3.1.
type Variety uint32

// The varieties. D goes by what is in the blocks, I does not, and ID does from half of the first pass on.
const (
	D Variety = iota
	I
	ID
)

// The versions of the algorithm.
const (
	Version16 = 0x10
	Version19 = 0x13 // of RFC 9106
)

// Params are what a hash depends on besides password and salt, with the limits of RFC 9106 §3.1.
type Params struct {
	Variety Variety
	Version uint32
	Time    uint32 // passes, at least 1
	Memory  uint32 // KiB, at least 8 for each lane
	Lanes   uint32 // at least 1
	Size    uint32 // of the hash in bytes, at least 4

	// Pause is called about every tenth of a millisecond, unless it is nil.
	Pause func()
}

const (
	blockBytes = 1024
	slices     = 4  // parts of a pass; what is in one part of a lane does not depend on that part of another
	rest       = 64 // blocks that are made between two pauses
)

// Key returns the hash of a password.
func (p Params) Key(password, salt []byte) []byte {
	f := newFilling(p)
	f.begin(f.first(password, salt))
	for pass := range p.Time {
		for slice := range uint32(slices) {
			for lane := range p.Lanes {
				f.segment(place{pass: pass, slice: slice, lane: lane})
			}
		}
	}
	last := f.blocks[f.width-1]
	for lane := uint32(1); lane < p.Lanes; lane++ {
		last.add(&f.blocks[lane*f.width+f.width-1])
	}
	return stretch(last.bytes(), int(p.Size))
}

// first is H0 of RFC 9106 §3.2.
func (f *filling) first(password, salt []byte) []byte {
	var in []byte
	for _, n := range []uint32{f.Lanes, f.Size, f.Memory, f.Time, f.Version, uint32(f.Variety)} {
		in = binary.LittleEndian.AppendUint32(in, n)
	}
	for _, text := range [][]byte{password, salt, nil, nil} { // neither a secret nor associated data
		in = binary.LittleEndian.AppendUint32(in, uint32(len(text)))
		in = append(in, text...)
	}
	sum := blake2b.Sum512(in)
	return sum[:]
}

// begin makes the first two blocks of each lane.
func (f *filling) begin(first []byte) {
	for lane := range f.Lanes {
		for column := range uint32(2) {
			in := binary.LittleEndian.AppendUint32(first[:len(first):len(first)], column)
			in = binary.LittleEndian.AppendUint32(in, lane)
			f.blocks[lane*f.width+column].set(stretch(in, blockBytes))
		}
	}
}

// stretch is H' of RFC 9106 §3.3: a hash of any length.
func stretch(in []byte, size int) []byte {
	in = append(binary.LittleEndian.AppendUint32(nil, uint32(size)), in...)
	if size <= blake2b.Size {
		return sum(in, size)
	}
	var out []byte
	v := sum(in, blake2b.Size)
	for size-len(out) > blake2b.Size {
		out = append(out, v[:blake2b.Size/2]...)
		if left := size - len(out); left > blake2b.Size {
			v = sum(v, blake2b.Size)
		} else {
			v = sum(v, left)
		}
	}
	return append(out, v...)
}

// sum is BLAKE2b with a hash of 1 to 64 bytes.
func sum(in []byte, size int) []byte {
	h, err := blake2b.New(size, nil)
	if err != nil {
		panic(err) // the size is one of ours
	}
	h.Write(in)
	return h.Sum(nil)
}
