package sessionstore

import (
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"
)

// keysCodec is the codec of an array, which encodes the keys of a batch without a box for each. Everything else it
// leaves to the codec inside.
type keysCodec struct{ pgtype.Codec }

// registerKeys makes m encode the arrays of keys.
func registerKeys(m *pgtype.Map) {
	for _, oid := range []uint32{pgtype.TextArrayOID, pgtype.Int8ArrayOID} {
		if t, ok := m.TypeForOID(oid); ok {
			m.RegisterType(&pgtype.Type{Name: t.Name, OID: t.OID, Codec: keysCodec{t.Codec}})
		}
	}
}

// PlanEncode implements pgtype.Codec.
func (c keysCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if format == pgtype.BinaryFormatCode {
		switch value.(type) {
		case []string:
			if oid == pgtype.TextArrayOID {
				return textsPlan{}
			}
		case []int64:
			if oid == pgtype.Int8ArrayOID {
				return numbersPlan{}
			}
		}
	}
	return c.Codec.PlanEncode(m, oid, format, value)
}

// arrayHeader is the size of what an array of one dimension begins with.
const arrayHeader = 20

// appendArray appends the header of an array of n elements, none of them NULL.
func appendArray(buf []byte, element uint32, n int) []byte {
	const dimensions, noNulls, first = 1, 0, 1
	for _, field := range [...]uint32{dimensions, noNulls, element, uint32(n), first} {
		buf = binary.BigEndian.AppendUint32(buf, field)
	}
	return buf
}

// textsPlan encodes a []string as a text[].
type textsPlan struct{}

// Encode implements pgtype.EncodePlan.
func (textsPlan) Encode(value any, buf []byte) ([]byte, error) {
	texts := value.([]string)
	if texts == nil {
		return nil, nil
	}
	size := arrayHeader
	for _, text := range texts {
		size += 4 + len(text)
	}
	buf = appendArray(slices.Grow(buf, size), pgtype.TextOID, len(texts))
	for _, text := range texts {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(text)))
		buf = append(buf, text...)
	}
	return buf, nil
}

// numbersPlan encodes a []int64 as a bigint[].
type numbersPlan struct{}

// Encode implements pgtype.EncodePlan.
func (numbersPlan) Encode(value any, buf []byte) ([]byte, error) {
	numbers := value.([]int64)
	if numbers == nil {
		return nil, nil
	}
	const size = 8
	buf = appendArray(slices.Grow(buf, arrayHeader+(4+size)*len(numbers)), pgtype.Int8OID, len(numbers))
	for _, n := range numbers {
		buf = binary.BigEndian.AppendUint32(buf, size)
		buf = binary.BigEndian.AppendUint64(buf, uint64(n))
	}
	return buf, nil
}
