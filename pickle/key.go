package pickle

import (
	"math"
	"math/big"
)

// Keys that Python takes for equal have the same canonical form, a comparable Go value. Most canonical
// forms are the key itself; the types below are the rest.
type (
	noneKey      struct{}
	bigKey       string // sign and magnitude of an int beyond int64
	compositeKey uint64 // the name that a keyring gave to a tuple or a frozenset
	instantKey   int64  // an aware datetime: microseconds since 1970 in UTC
	aliasKey     struct {
		kind  string
		value any
	}
)

// A nanKey is the form of all NaNs. They are equal to no key, not even to each other, and so they are
// in no index.
type nanKey struct{}

// errUnhashable is what Python raises TypeError for.
var errUnhashable = malformed("a key is unhashable")

// canonicalAtom returns the canonical form of a key that is neither tuple nor frozenset.
func canonicalAtom(key any) (any, error) {
	switch key := key.(type) {
	case string, int64, Bytes, Class, UUID, Date, TimeDelta, *Object, *LazyString:
		return key, nil
	case nil:
		return noneKey{}, nil
	case bool:
		if key {
			return int64(1), nil
		}
		return int64(0), nil
	case *big.Int:
		return canonicalInt(key), nil
	case float64:
		return canonicalFloat(key), nil
	case complex128:
		return canonicalComplex(key), nil
	case SafeString:
		return string(key), nil
	case Decimal:
		return canonicalDecimal(key)
	case DateTime:
		return canonicalDateTime(key), nil
	case Time:
		return canonicalTime(key), nil
	case UTC, FixedZone, ZoneInfo, PytzUTC, PytzZone, PytzFixed:
		return canonicalZone(key), nil
	}
	if n, ok := goInteger(key); ok {
		return canonicalAtom(n)
	}
	return nil, errUnhashable
}

func canonicalInt(n *big.Int) any {
	if n.IsInt64() {
		return n.Int64()
	}
	if n.Sign() < 0 {
		return bigKey("-" + string(n.Bytes()))
	}
	return bigKey("+" + string(n.Bytes()))
}

// canonicalFloat makes a whole number the int that it equals.
func canonicalFloat(f float64) any {
	switch {
	case math.IsNaN(f):
		return nanKey{}
	case math.IsInf(f, 0) || f != math.Trunc(f):
		return f
	case math.Abs(f) < 1<<62:
		return int64(f)
	}
	n, _ := big.NewFloat(f).Int(nil)
	return canonicalInt(n)
}

func canonicalComplex(c complex128) any {
	re, im := real(c), imag(c)
	switch {
	case im == 0:
		return canonicalFloat(re)
	case math.IsNaN(re) || math.IsNaN(im):
		return nanKey{}
	}
	return complex(re+0, im) // -0 + 0 is 0
}

// isNaN reports whether v is a number that is not equal to itself.
func isNaN(v any) bool {
	switch v := v.(type) {
	case float64:
		return math.IsNaN(v)
	case complex128:
		return math.IsNaN(real(v)) || math.IsNaN(imag(v))
	case Decimal:
		return v.isNaN()
	}
	return false
}

// goInteger returns an integer of one of Go's own types as int64 or *big.Int.
func goInteger(v any) (any, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int8:
		return int64(v), true
	case int16:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case uint:
		return normalInt(new(big.Int).SetUint64(uint64(v))), true
	case uint64:
		return normalInt(new(big.Int).SetUint64(v)), true
	}
	return nil, false
}

// normalInt returns n as int64 where it fits.
func normalInt(n *big.Int) any {
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}
