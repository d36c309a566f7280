package djangocompat

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/belleville/belleville/pickle"
)

// ErrBadPK means that a value is no primary key of the wanted kind.
var ErrBadPK = errors.New("djangocompat: not a primary key")

// PKKind is the kind of primary key that a user model has.
type PKKind uint8

// The kinds of primary key.
const (
	PKNone PKKind = iota // an unsaved row, and AnonymousUser
	PKInt                // AutoField, BigAutoField, IntegerField
	PKText               // CharField, and every other one that is text in the database
	PKUUID               // UUIDField
)

// PK is a primary key of any kind. It can be compared with ==; the zero PK is none.
type PK struct {
	kind   PKKind
	number int64
	text   string // or the 16 bytes of a UUID
}

// IntPK makes the PK of an integer.
func IntPK(n int64) PK { return PK{kind: PKInt, number: n} }

// TextPK makes the PK of a text.
func TextPK(s string) PK { return PK{kind: PKText, text: s} }

// UUIDPK makes the PK of a UUID.
func UUIDPK(u [16]byte) PK { return PK{kind: PKUUID, text: string(u[:])} }

// Kind says which kind of key it is.
func (p PK) Kind() PKKind { return p.kind }

// IsZero reports whether there is no key.
func (p PK) IsZero() bool { return p.kind == PKNone }

// Int64 returns the key of an integer column.
func (p PK) Int64() (int64, bool) { return p.number, p.kind == PKInt }

// UUID returns the key of a UUID column.
func (p PK) UUID() ([16]byte, bool) {
	var u [16]byte
	if p.kind != PKUUID {
		return u, false
	}
	copy(u[:], p.text)
	return u, true
}

// String returns the key as Django's str() does, which is what a session holds in _auth_user_id; "" if
// there is none.
func (p PK) String() string {
	switch p.kind {
	case PKInt:
		return strconv.FormatInt(p.number, 10)
	case PKUUID:
		u, _ := p.UUID()
		var b [36]byte
		hex.Encode(b[:8], u[:4])
		hex.Encode(b[9:13], u[4:6])
		hex.Encode(b[14:18], u[6:8])
		hex.Encode(b[19:23], u[8:10])
		hex.Encode(b[24:], u[10:])
		b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
		return string(b[:])
	default:
		return p.text
	}
}

// MarshalJSON implements json.Marshaler: an integer is a number, no key is null, the rest is text.
func (p PK) MarshalJSON() ([]byte, error) {
	switch p.kind {
	case PKNone:
		return []byte("null"), nil
	case PKInt:
		return strconv.AppendInt(nil, p.number, 10), nil
	default:
		return appendQuoted(nil, p.String())
	}
}

// PKFrom makes a PK of a value from a session, as a model field of that kind would read it.
// Python: Field.to_python.
func PKFrom(kind PKKind, v any) (PK, error) {
	if text, ok := textOf(v); ok {
		return ParsePK(kind, text)
	}
	if id, ok := v.(pickle.UUID); ok && kind != PKInt {
		return ParsePK(kind, id.String())
	}
	switch kind {
	case PKInt:
		return intPKFrom(v)
	case PKText:
		return textPKFrom(v)
	case PKUUID:
		return uuidPKFrom(v)
	}
	return PK{}, ErrBadPK
}

func intPKFrom(v any) (PK, error) {
	switch v := v.(type) {
	case bool:
		if v {
			return IntPK(1), nil
		}
		return IntPK(0), nil
	case int64:
		return IntPK(v), nil
	case float64:
		if n, ok := truncate(v); ok {
			return IntPK(n), nil
		}
	}
	return PK{}, ErrBadPK
}

func textPKFrom(v any) (PK, error) {
	switch v := v.(type) {
	case bool:
		if v {
			return TextPK("True"), nil
		}
		return TextPK("False"), nil
	case int64:
		return TextPK(strconv.FormatInt(v, 10)), nil
	case *big.Int:
		return TextPK(v.String()), nil
	}
	return PK{}, ErrBadPK
}

func uuidPKFrom(v any) (PK, error) {
	var u [16]byte
	switch v := v.(type) {
	case int64:
		if v >= 0 {
			binary.BigEndian.PutUint64(u[8:], uint64(v))
			return UUIDPK(u), nil
		}
	case *big.Int:
		if v.Sign() >= 0 && v.BitLen() <= 128 {
			v.FillBytes(u[:])
			return UUIDPK(u), nil
		}
	}
	return PK{}, ErrBadPK
}

// ParsePK reads a text as a model field of that kind would.
func ParsePK(kind PKKind, text string) (PK, error) {
	switch kind {
	case PKInt:
		return ParseIntPK(text)
	case PKText:
		return TextPK(text), nil
	case PKUUID:
		return ParseUUIDPK(text)
	}
	return PK{}, ErrBadPK
}

// ParseIntPK reads text as Python's int() does: " 7 ", "+7", "6_59" and the digits of other scripts are
// integers.
func ParseIntPK(text string) (PK, error) {
	digits, negative, ok := pythonDigits(text, 10)
	if !ok {
		return PK{}, ErrBadPK
	}
	if negative {
		digits = "-" + digits
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return PK{}, ErrBadPK
	}
	return IntPK(n), nil
}

// ParseUUIDPK reads text as Python's uuid.UUID() does: with and without dashes, in braces, as a URN.
func ParseUUIDPK(text string) (PK, error) {
	if len(text) > 200 { // more dashes and braces than anybody writes
		return PK{}, ErrBadPK
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "urn:", ""), "uuid:", "")
	text = strings.ReplaceAll(strings.Trim(text, "{}"), "-", "")
	digits, negative, ok := pythonDigits(text, 16)
	if !ok || negative || utf8.RuneCountInString(text) != 32 {
		return PK{}, ErrBadPK
	}
	var u [16]byte
	if _, err := hex.Decode(u[:], []byte(strings.Repeat("0", 32-len(digits))+digits)); err != nil {
		return PK{}, ErrBadPK
	}
	return UUIDPK(u), nil
}
