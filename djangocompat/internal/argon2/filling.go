package argon2

// filling is the memory that is filled.
type filling struct {
	Params

	blocks []block // the lanes, one after the other
	width  uint32  // blocks of a lane
	part   uint32  // blocks of a lane's slice
	rested uint32  // blocks since the last pause
}

func newFilling(p Params) *filling {
	part := p.Memory / (slices * p.Lanes)
	return &filling{Params: p, blocks: make([]block, slices*part*p.Lanes), width: slices * part, part: part}
}

// place is where a block stands.
type place struct{ pass, slice, lane, index uint32 } // index within the slice

// segment fills one slice of a lane.
func (f *filling) segment(at place) {
	blind := f.Variety == I || f.Variety == ID && at.pass == 0 && at.slice < slices/2
	source := addresses{at: at}
	if at.pass == 0 && at.slice == 0 {
		at.index = 2 // those are there
	}
	for ; at.index < f.part; at.index++ {
		column := at.slice*f.part + at.index
		before := &f.blocks[at.lane*f.width+(column+f.width-1)%f.width]
		random := before[0]
		if blind {
			random = source.of(f, at.index)
		}
		f.mix(&f.blocks[at.lane*f.width+column], before, f.reference(at, random), at.pass)
		f.pause()
	}
}

// mix makes a block of two others.
func (f *filling) mix(to, before, reference *block, pass uint32) {
	var made block
	made.compress(before, reference)
	if pass > 0 && f.Version != Version16 {
		made.add(to)
	}
	*to = made
}

// reference returns the block that a random number stands for: RFC 9106 §3.4.2.
func (f *filling) reference(at place, random uint64) *block {
	lane := uint32(random>>32) % f.Lanes
	if at.pass == 0 && at.slice == 0 {
		lane = at.lane
	}
	area := f.width - f.part // of other lanes, what is complete
	if at.pass == 0 {
		area = at.slice * f.part
	}
	switch {
	case lane == at.lane:
		area += at.index - 1 // of this one, all but the last
	case at.index == 0:
		area--
	}
	x := random & 0xFFFFFFFF
	x = x * x >> 32
	back := uint32(uint64(area) * x >> 32)
	var start uint32
	if at.pass > 0 {
		start = (at.slice + 1) % slices * f.part
	}
	return &f.blocks[lane*f.width+(start+area-1-back)%f.width]
}

func (f *filling) pause() {
	if f.rested++; f.rested == rest && f.Pause != nil {
		f.rested = 0
		f.Pause()
	}
}

// addresses are the random numbers of a segment that do not depend on its blocks: RFC 9106 §3.4.1.2.
type addresses struct {
	at      place
	counter uint64
	made    block
}

// of returns the number for a block; those of a segment are asked for in their order.
func (a *addresses) of(f *filling, index uint32) uint64 {
	for uint64(index)/uint64(len(a.made)) >= a.counter {
		a.counter++
		var none, in block
		for i, n := range []uint32{a.at.pass, a.at.lane, a.at.slice, uint32(len(f.blocks)), f.Time, uint32(f.Variety)} {
			in[i] = uint64(n)
		}
		in[6] = a.counter
		var half block
		half.compress(&none, &in)
		a.made.compress(&none, &half)
	}
	return a.made[index%uint32(len(a.made))]
}
