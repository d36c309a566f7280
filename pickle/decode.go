package pickle

import (
	"bytes"
	"encoding/binary"
	"math"
)

// Decode reads the value of a pickle. What follows the pickle's end is ignored, as Python does. An
// error is an [*OpcodeError].
func Decode(data []byte, cfg Config) (any, error) {
	cfg = cfg.withDefaults(len(data))
	if len(data) > cfg.MaxBytes {
		return nil, &OpcodeError{Err: limited("bytes")}
	}
	m := machine{data: data, maxDepth: cfg.MaxDepth, stack: make([]any, 0, 16)}
	m.memo.dense = make([]any, 0, 16)
	m.budget = budget{
		memory: cfg.MaxMemory, elements: cfg.MaxElements, ops: cfg.MaxOps, memo: cfg.MaxMemo,
		keyBytes: 1<<20 + 16*len(data),
	}
	v, err := m.run()
	if err != nil {
		return nil, &OpcodeError{Op: m.op, Offset: m.at, Err: err}
	}
	if m.keys != nil {
		m.keys.seen, m.keys.sharedNaN = nil, false
	}
	return v, nil
}

// A machine runs the opcodes of one pickle. Python: Modules/_pickle.c, class Unpickler.
type machine struct {
	data []byte
	next int  // the byte that is read next
	op   byte // the opcode that is running
	at   int  // and where it stands

	stack   []any
	marks   []int // places in stack
	fence   int   // the last of marks, or 0: nothing below is popped
	memo    memo
	proto   int
	budget  budget
	keys    *keyring  // made with the first tuple that is a key
	renames *renaming // made with the first global of protocol 2 or less

	objects  int // how many an Object was made and is none of a known class
	nested   int // how many containers were put into containers
	maxDepth int
}

var (
	errTruncated = malformed("it ends too early")
	errUnderflow = malformed("the stack is too short")
	errNoMark    = malformed("there is no mark")
	errWrongType = malformed("an operand is of the wrong type")
	errOdd       = malformed("a key has no value")
)

func (m *machine) run() (any, error) {
	for {
		m.at, m.op = m.next, 0
		if m.next == len(m.data) {
			return nil, errTruncated
		}
		m.op = m.data[m.next]
		m.next++
		if m.budget.ops--; m.budget.ops < 0 {
			return nil, limited("operations")
		}
		if m.op == opStop {
			v, err := m.pop()
			if err != nil {
				return nil, err
			}
			return v, m.survey(v)
		}
		if err := m.step(); err != nil {
			return nil, err
		}
	}
}

// step runs the opcode.
func (m *machine) step() error {
	switch m.op {
	case opProto:
		return m.protocol()
	case opFrame:
		return m.frame()

	// The stack and the memo.
	case opMark:
		return m.mark()
	case opPop:
		return m.popOrMark()
	case opPopMark:
		_, err := m.popMark()
		return err
	case opDup:
		return m.dup()
	case opMemoize:
		return m.put(uint64(m.memo.count), nil)
	case opPut:
		return m.put(m.textIndex())
	case opBinPut:
		return m.put(m.binaryIndex(1))
	case opLongBinPut:
		return m.put(m.binaryIndex(4))
	case opGet:
		return m.get(m.textIndex())
	case opBinGet:
		return m.get(m.binaryIndex(1))
	case opLongBinGet:
		return m.get(m.binaryIndex(4))

	// Constants and numbers.
	case opNone:
		return m.push(nil)
	case opNewTrue:
		return m.push(true)
	case opNewFalse:
		return m.push(false)
	case opInt:
		return pushText(m, textInt)
	case opLong:
		return pushText(m, textLong)
	case opFloat:
		return pushText(m, textFloat)
	case opBinInt:
		return m.pushBinaryInt(4)
	case opBinInt1:
		return m.pushUnsigned(1)
	case opBinInt2:
		return m.pushUnsigned(2)
	case opLong1:
		return m.pushLong(1)
	case opLong4:
		return m.pushLong(4)
	case opBinFloat:
		return m.pushBinaryFloat()

	// Text and bytes.
	case opString:
		return pushText(m, quotedString)
	case opUnicode:
		return pushText(m, rawUnicodeEscape)
	case opBinString:
		return m.pushSized(4, python2String)
	case opShortBinString:
		return m.pushSized(1, python2String)
	case opShortBinUnicode:
		return m.pushSized(1, unicodeString)
	case opBinUnicode:
		return m.pushSized(4, unicodeString)
	case opBinUnicode8:
		return m.pushSized(8, unicodeString)
	case opShortBinBytes:
		return m.pushSized(1, bytesObject)
	case opBinBytes:
		return m.pushSized(4, bytesObject)
	case opBinBytes8:
		return m.pushSized(8, bytesObject)
	case opByteArray8:
		return m.pushSized(8, byteArrayObject)

	// Containers.
	case opEmptyTuple:
		return m.pushNew(Tuple{}, listSize)
	case opTuple1:
		return m.tuple(len(m.stack)-1, nil)
	case opTuple2:
		return m.tuple(len(m.stack)-2, nil)
	case opTuple3:
		return m.tuple(len(m.stack)-3, nil)
	case opTuple:
		return m.tuple(m.toMark())
	case opEmptyList:
		return m.pushNew(new(List), listSize)
	case opList:
		return m.list(m.popMark())
	case opEmptyDict:
		return m.pushNew(new(Dict), dictSize)
	case opDict:
		return m.dict(m.popMark())
	case opEmptySet:
		return m.pushNew(new(Set), dictSize)
	case opFrozenSet:
		return m.frozenSet(m.popMark())
	case opAppend:
		return m.appends(len(m.stack)-1, nil)
	case opAppends:
		return m.appends(m.toMark())
	case opSetItem:
		return m.setItems(len(m.stack)-2, nil)
	case opSetItems:
		return m.setItems(m.toMark())
	case opAddItems:
		return m.addItems(m.toMark())

	// Classes, calls and instances.
	case opGlobal:
		return m.global()
	case opStackGlobal:
		return m.stackGlobal()
	case opReduce:
		return m.reduceOp()
	case opNewObj:
		return m.newObj()
	case opNewObjEx:
		return m.newObjEx()
	case opInst:
		return m.inst()
	case opObj:
		return m.obj()
	case opBuild:
		return m.build()

	case opReadOnlyBuffer:
		return m.readOnlyBuffer()
	case opPersID, opBinPersID:
		return unsupported("a persistent id")
	case opExt1, opExt2, opExt4:
		return unsupported("an extension code")
	case opNextBuffer:
		return unsupported("an out-of-band buffer")
	}
	return malformed("unknown opcode")
}

// protocol notes the protocol, by which only the names of globals differ.
func (m *machine) protocol() error {
	b, err := m.read(1)
	if err != nil {
		return err
	}
	if b[0] > highestProtocol {
		return malformed("unknown protocol")
	}
	m.proto = int(b[0])
	return nil
}

// frame checks that the frame is there; where it begins and ends has no meaning besides.
func (m *machine) frame() error {
	b, err := m.read(8)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint64(b) > uint64(len(m.data)-m.next) {
		return errTruncated
	}
	return nil
}

// read returns the next n bytes, which are part of data.
func (m *machine) read(n int) ([]byte, error) {
	if n > len(m.data)-m.next {
		return nil, errTruncated
	}
	b := m.data[m.next : m.next+n]
	m.next += n
	return b, nil
}

// readLine returns the bytes up to the next line end, which it skips.
func (m *machine) readLine() ([]byte, error) {
	n := bytes.IndexByte(m.data[m.next:], '\n')
	if n < 0 {
		return nil, errTruncated
	}
	line := m.data[m.next : m.next+n]
	m.next += n + 1
	return line, nil
}

// readUnsigned reads a little-endian number of 1, 2, 4 or 8 bytes.
func (m *machine) readUnsigned(width int) (uint64, error) {
	b, err := m.read(width)
	if err != nil {
		return 0, err
	}
	var word [8]byte
	copy(word[:], b)
	return binary.LittleEndian.Uint64(word[:]), nil
}

// readSized reads bytes that their length stands before.
func (m *machine) readSized(width int) ([]byte, error) {
	n, err := m.readUnsigned(width)
	if err != nil {
		return nil, err
	}
	if n > math.MaxInt32 {
		return nil, errTruncated // no pickle is that long
	}
	return m.read(int(n))
}
