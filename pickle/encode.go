package pickle

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
)

// encodedProtocol is the protocol that Encode writes: the newest that Python 3.4 and all later ones
// read, and so every Django that this package is for.
const encodedProtocol = 4

const (
	// maxEncoded bounds what Encode writes, in bytes.
	maxEncoded = 64 << 20

	// batchSize is how many elements are given to a container at once, as in Python's own pickler.
	batchSize = 1000
)

// Encode writes v as a pickle that every supported Django reads. What is referred to twice is written
// once, and cycles are kept. Besides what Decode returns, v may hold Go's other integers and float32,
// []any (a list), map[string]any (a dict), []byte (bytes), time.Time (an aware datetime) and
// time.Duration (a timedelta).
func Encode(v any) ([]byte, error) {
	e := encoder{out: []byte{opProto, encodedProtocol}, memo: make(map[any]uint32)}
	if err := e.value(v); err != nil {
		return nil, err
	}
	for len(e.open) > 0 {
		if err := e.advance(); err != nil {
			return nil, err
		}
		if len(e.out) > maxEncoded || len(e.open) > maxOpen {
			return nil, limited("size of the encoded value")
		}
	}
	return append(e.out, opStop), nil
}

// An encoder writes one pickle. Containers that are being written are in open, the innermost last.
type encoder struct {
	out  []byte
	memo map[any]uint32 // identity → number
	open []writing
}

// A writing is a value that is partly written.
type writing struct {
	identity any // what the value is remembered by; nil if it need not be
	parts    []part
	done     int // elements of the first part that are written
}

// A part is one thing to be written of a value.
type part struct {
	kind    partKind
	ops     string  // opcodes; for finish those that drop the operands
	op      byte    // for batches and finish
	values  []any   // either these
	entries []Entry // or these
}

type partKind byte

const (
	partOps      partKind = iota // write ops
	partValues                   // write values
	partBatches                  // give values to the container below, with op
	partPairs                    // give entries to the dict below
	partMembers                  // give the keys of entries to the set below
	partFinish                   // make the value of its operands, with op
	partMemorize                 // remember the value
)

// advance writes the next bit of the innermost value that is open.
func (e *encoder) advance() error {
	w := &e.open[len(e.open)-1]
	if len(w.parts) == 0 {
		e.open = e.open[:len(e.open)-1]
		return nil
	}
	p := &w.parts[0]
	switch p.kind {
	case partOps:
		e.out = append(e.out, p.ops...)
	case partFinish:
		if number, ok := e.memo[w.identity]; ok && w.identity != nil {
			// It was written meanwhile, as a part of one of its own operands.
			e.out = append(e.out, p.ops...)
			e.get(number)
			w.parts = nil
			return nil
		}
		e.out = append(e.out, p.op)
	case partMemorize:
		e.memorize(w.identity)
	default:
		return e.advanceElements(w, p)
	}
	w.parts = w.parts[1:]
	return nil
}

// advanceElements writes the next element of a part that has such.
func (e *encoder) advanceElements(w *writing, p *part) error {
	n := len(p.values) + len(p.entries)
	if p.kind == partPairs {
		n *= 2
	}
	batch := batchSize
	switch p.kind {
	case partValues:
		batch = 0
	case partPairs:
		batch = 2 * batchSize
	}
	i := w.done
	if batch > 0 && i > 0 && (i%batch == 0 || i == n) && n > 0 {
		e.out = append(e.out, p.op)
	}
	if i == n {
		w.parts, w.done = w.parts[1:], 0
		return nil
	}
	if batch > 0 && i%batch == 0 {
		e.out = append(e.out, opMark)
	}
	w.done++ // before value, which may move w
	switch p.kind {
	case partPairs:
		if i%2 == 0 {
			return e.value(p.entries[i/2].Key)
		}
		return e.value(p.entries[i/2].Value)
	case partMembers:
		return e.value(p.entries[i].Key)
	}
	return e.value(p.values[i])
}

// begin opens a value.
func (e *encoder) begin(identity any, parts ...part) {
	e.open = append(e.open, writing{identity: identity, parts: parts})
}

// remembered writes a reference to a value that is written already, and reports whether it is.
func (e *encoder) remembered(identity any) bool {
	number, ok := e.memo[identity]
	if ok {
		e.get(number)
	}
	return ok
}

func (e *encoder) get(number uint32) {
	if number < 256 {
		e.out = append(e.out, opBinGet, byte(number))
		return
	}
	e.out = binary.LittleEndian.AppendUint32(append(e.out, opLongBinGet), number)
}

// memorize remembers the value that is on top of Python's stack.
func (e *encoder) memorize(identity any) {
	if identity != nil {
		e.memo[identity] = uint32(len(e.memo))
		e.out = append(e.out, opMemoize)
	}
}

// value writes v, or opens it.
func (e *encoder) value(v any) error {
	switch v := v.(type) {
	case nil:
		e.out = append(e.out, opNone)
	case bool:
		if v {
			e.out = append(e.out, opNewTrue)
		} else {
			e.out = append(e.out, opNewFalse)
		}
	case int64:
		e.int(v)
	case *big.Int:
		return e.bigInt(v)
	case float64:
		e.out = binary.BigEndian.AppendUint64(append(e.out, opBinFloat), math.Float64bits(v))
	case string:
		return e.text(v)
	case Bytes:
		e.bytes(v)
	case Class:
		return e.class(v)
	default:
		return e.composite(v)
	}
	return nil
}

func (e *encoder) int(n int64) {
	switch {
	case 0 <= n && n < 1<<8:
		e.out = append(e.out, opBinInt1, byte(n))
	case 0 <= n && n < 1<<16:
		e.out = binary.LittleEndian.AppendUint16(append(e.out, opBinInt2), uint16(n))
	case math.MinInt32 <= n && n <= math.MaxInt32:
		e.out = binary.LittleEndian.AppendUint32(append(e.out, opBinInt), uint32(n))
	default:
		e.out = append(e.out, opLong1, 0)
		start := len(e.out)
		e.out = appendBinaryInt(e.out, big.NewInt(n))
		e.out[start-1] = byte(len(e.out) - start)
	}
}

func (e *encoder) bigInt(n *big.Int) error {
	if n == nil {
		return fmt.Errorf("pickle: cannot encode a nil %T", n)
	}
	if n.IsInt64() {
		e.int(n.Int64())
		return nil
	}
	if e.remembered(n) {
		return nil
	}
	digits := appendBinaryInt(nil, n)
	if len(digits) < 256 {
		e.out = append(e.out, opLong1, byte(len(digits)))
	} else {
		e.out = binary.LittleEndian.AppendUint32(append(e.out, opLong4), uint32(len(digits)))
	}
	e.out = append(e.out, digits...)
	e.memorize(n)
	return nil
}

func (e *encoder) text(s string) error {
	id := identityOfText(s)
	if e.remembered(id) {
		return nil
	}
	if !validText([]byte(s)) {
		return fmt.Errorf("pickle: cannot encode a string that is not UTF-8")
	}
	e.sized(opShortBinUnicode, opBinUnicode, opBinUnicode8, s)
	e.memorize(id)
	return nil
}

func (e *encoder) bytes(b Bytes) {
	id := identityOfText(b)
	if e.remembered(id) {
		return
	}
	e.sized(opShortBinBytes, opBinBytes, opBinBytes8, string(b))
	e.memorize(id)
}

// sized writes s after its length, with the opcode for a length of 1, 4 or 8 bytes.
func (e *encoder) sized(op1, op4, op8 byte, s string) {
	switch n := len(s); {
	case n < 1<<8:
		e.out = append(e.out, op1, byte(n))
	case n <= math.MaxUint32:
		e.out = binary.LittleEndian.AppendUint32(append(e.out, op4), uint32(n))
	default:
		e.out = binary.LittleEndian.AppendUint64(append(e.out, op8), uint64(n))
	}
	e.out = append(e.out, s...)
}

func (e *encoder) class(c Class) error {
	id := identityOfClass(c)
	if e.remembered(id) {
		return nil
	}
	if err := e.text(c.Module); err != nil {
		return err
	}
	if err := e.text(c.Name); err != nil {
		return err
	}
	e.out = append(e.out, opStackGlobal)
	e.memorize(id)
	return nil
}
