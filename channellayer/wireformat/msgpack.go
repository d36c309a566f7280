package wireformat

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/belleville/belleville/channellayer"
)

// ErrMsgpack means that bytes are no msgpack, or msgpack beyond the bounds of an event. It shows nothing of them.
var ErrMsgpack = errors.New("wireformat: invalid msgpack")

// mapCost is for how many values a map counts: one with one key takes about as much memory.
const mapCost = 16

// AppendMsgpack appends a value of a checked event, in the bytes that msgpack.packb has for it. A map's keys
// come in any order.
func AppendMsgpack(dst []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		return msgp.AppendBool(dst, v)
	case int64:
		if v >= 0 {
			return msgp.AppendUint64(dst, uint64(v)) // as Python does, which has no signed and unsigned
		}
		return msgp.AppendInt64(dst, v)
	case float64:
		return msgp.AppendFloat64(dst, v)
	case string:
		return msgp.AppendString(dst, v)
	case []byte:
		return msgp.AppendBytes(dst, v)
	case []any:
		dst = msgp.AppendArrayHeader(dst, uint32(len(v)))
		for _, x := range v {
			dst = AppendMsgpack(dst, x)
		}
		return dst
	case map[string]any:
		dst = msgp.AppendMapHeader(dst, uint32(len(v)))
		for key, x := range v {
			dst = msgp.AppendString(dst, key)
			dst = AppendMsgpack(dst, x)
		}
		return dst
	default:
		return msgp.AppendNil(dst)
	}
}

// ParseMsgpack returns the value of msgpack from outside, as an event holds it. It takes more than Python does:
// a key that is a number or bytes becomes a string, what is not UTF-8 has U+FFFD in it, an integer beyond int64 is the
// nearest float64, a timestamp the float64 of its Unix time, any other extension its bytes. Of equal keys the
// last one wins.
//
// Memory grows with the bytes that are there, not with what they claim.
func ParseMsgpack(data []byte) (any, error) {
	p := msgpackParser{data: data, left: channellayer.MaxElements}
	v, err := p.value(1)
	if err != nil {
		return nil, err
	}
	if len(p.data) > 0 {
		return nil, ErrMsgpack // as in Python, which calls it extra data
	}
	return v, nil
}

// msgpackParser reads one value.
type msgpackParser struct {
	data []byte // what is still to be read
	left int    // how many values may still come
}

// value reads what stands at depth.
func (p *msgpackParser) value(depth int) (any, error) {
	if p.left--; p.left < 0 || len(p.data) == 0 {
		return nil, ErrMsgpack
	}
	switch lead := p.data[0]; {
	case lead == 0xC0: // nil
		p.data = p.data[1:]
		return nil, nil
	case isExtension(lead):
		return p.extension()
	}
	switch msgp.NextType(p.data) {
	case msgp.BoolType:
		return read(p, msgp.ReadBoolBytes)
	case msgp.IntType:
		return read(p, msgp.ReadInt64Bytes)
	case msgp.UintType:
		u, err := read(p, msgp.ReadUint64Bytes)
		if u > math.MaxInt64 {
			return float64(u), err
		}
		return int64(u), err
	case msgp.Float32Type:
		f, err := read(p, msgp.ReadFloat32Bytes)
		return float64(f), err
	case msgp.Float64Type:
		return read(p, msgp.ReadFloat64Bytes)
	case msgp.StrType:
		b, err := read(p, msgp.ReadStringZC)
		return validString(b), err
	case msgp.BinType:
		b, err := read(p, msgp.ReadBytesZC)
		return append([]byte{}, b...), err
	case msgp.ArrayType:
		return p.list(depth)
	case msgp.MapType:
		return p.object(depth)
	default:
		return nil, ErrMsgpack
	}
}

// read reads a value with one of msgp's functions, whose errors may show what they read.
func read[T any](p *msgpackParser, readBytes func([]byte) (T, []byte, error)) (T, error) {
	v, rest, err := readBytes(p.data)
	if err != nil {
		return v, ErrMsgpack
	}
	p.data = rest
	return v, nil
}

func (p *msgpackParser) list(depth int) (any, error) {
	n, err := read(p, msgp.ReadArrayHeaderBytes)
	if err != nil || depth > channellayer.MaxDepth || uint64(n) > uint64(len(p.data)) {
		return nil, ErrMsgpack // each value takes at least a byte
	}
	list := []any{}
	for range n {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (p *msgpackParser) object(depth int) (any, error) {
	n, err := read(p, msgp.ReadMapHeaderBytes)
	if err != nil || depth > channellayer.MaxDepth || 2*uint64(n) > uint64(len(p.data)) {
		return nil, ErrMsgpack
	}
	if p.left -= mapCost; p.left < 0 {
		return nil, ErrMsgpack
	}
	m := map[string]any{}
	for range n {
		key, err := p.key(depth)
		if err != nil {
			return nil, err
		}
		if m[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// key reads a map's key. What is no string becomes one, where it is simple enough.
func (p *msgpackParser) key(depth int) (string, error) {
	v, err := p.value(depth + 1)
	if err != nil {
		return "", err
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case []byte:
		return validString(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case bool, float64, nil:
		return string(channellayer.AppendJSON(nil, v)), nil
	default:
		return "", ErrMsgpack
	}
}

// isExtension reports whether an extension begins with lead.
func isExtension(lead byte) bool {
	return 0xC7 <= lead && lead <= 0xC9 || 0xD4 <= lead && lead <= 0xD8
}

// extension reads an extension: a length, which fixed ones have in their first byte, a type, and bytes.
func (p *msgpackParser) extension() (any, error) {
	lead, rest := p.data[0], p.data[1:]
	var size uint64
	switch {
	case lead >= 0xD4:
		size = 1 << (lead - 0xD4)
	case lead == 0xC7 && len(rest) >= 1:
		size, rest = uint64(rest[0]), rest[1:]
	case lead == 0xC8 && len(rest) >= 2:
		size, rest = uint64(binary.BigEndian.Uint16(rest)), rest[2:]
	case lead == 0xC9 && len(rest) >= 4:
		size, rest = uint64(binary.BigEndian.Uint32(rest)), rest[4:]
	default:
		return nil, ErrMsgpack
	}
	if uint64(len(rest)) < 1+size {
		return nil, ErrMsgpack
	}
	kind, body := int8(rest[0]), rest[1:1+size]
	p.data = rest[1+size:]
	if t, ok := timestamp(kind, body); ok {
		return t, nil
	}
	return append([]byte{}, body...), nil
}

// timestamp returns the Unix time that msgpack's extension -1 holds.
func timestamp(kind int8, body []byte) (float64, bool) {
	if kind != -1 {
		return 0, false
	}
	var seconds int64
	var nanoseconds uint32
	switch len(body) {
	case 4:
		seconds = int64(binary.BigEndian.Uint32(body))
	case 8:
		both := binary.BigEndian.Uint64(body)
		seconds, nanoseconds = int64(both&(1<<34-1)), uint32(both>>34)
	case 12:
		seconds, nanoseconds = int64(binary.BigEndian.Uint64(body[4:])), binary.BigEndian.Uint32(body)
	default:
		return 0, false
	}
	return float64(seconds) + float64(nanoseconds)/float64(time.Second), true
}

// validString returns a copy of b with U+FFFD for what is not UTF-8.
func validString(b []byte) string {
	return strings.ToValidUTF8(string(b), "\uFFFD")
}
