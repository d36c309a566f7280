package pickle

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"math/big"
	"strings"
)

// How JSON objects become values.

type field struct {
	name  string
	value any
}

type fields []field

var errTagged = malformed("a tagged value is not complete")

// value is what a JSON object stands for: a dict, or a tagged value where a name begins with "$".
func (f fields) value() (any, error) {
	for _, one := range f {
		if strings.HasPrefix(one.name, "$") {
			kind, _ := get[string](f, "$type")
			return f.tagged(kind)
		}
	}
	d := &Dict{entries: make([]Entry, 0, len(f))}
	for _, one := range f {
		if err := d.Set(one.name, one.value); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// get is the field of that name, if it is a T.
func get[T any](f fields, name string) (T, bool) {
	for _, one := range f {
		if one.name == name {
			v, ok := one.value.(T)
			return v, ok
		}
	}
	var zero T
	return zero, false
}

func (f fields) tagged(kind string) (any, error) {
	switch kind {
	case "opaque", "recursive":
		return nil, unsupported("a value of that kind cannot be made of JSON")
	case "dict", "OrderedDict", "defaultdict":
		return f.dict(kind)
	case "tuple", "set", "frozenset":
		return f.collection(kind)
	case "bytes", "bytearray":
		return f.bytes(kind)
	case "str":
		return f.codePoints()
	case "complex":
		re, ok := get[float64](f, "real")
		im, alsoOK := get[float64](f, "imag")
		return valueIf(complex(re, im), ok && alsoOK)
	case "timedelta":
		return f.timeDelta()
	case "datetime", "date", "time":
		return f.moment(kind)
	case "tzinfo":
		zone, _ := get[*Dict](f, "tz")
		return parseZone(zone, moment{})
	}
	text, ok := get[string](f, "value")
	if !ok {
		return nil, errTagged
	}
	return textValue(kind, text)
}

// valueIf is v, or an error.
func valueIf[T any](v T, ok bool) (any, error) {
	if !ok {
		return nil, errTagged
	}
	return v, nil
}

// textValue is a value that is tagged with its text.
func textValue(kind, text string) (any, error) {
	switch kind {
	case "int":
		return decimalInt(text)
	case "float":
		f, ok := map[string]float64{"nan": math.NaN(), "inf": math.Inf(1), "-inf": math.Inf(-1)}[text]
		return valueIf(f, ok)
	case "SafeString":
		return SafeString(text), nil
	case "Decimal":
		return valueIf(newDecimal(text))
	case "UUID":
		var u UUID
		n, err := hex.Decode(u[:], []byte(strings.ReplaceAll(text[:min(len(text), 36)], "-", "")))
		return valueIf(u, err == nil && n == 16 && u.String() == text)
	}
	return nil, malformed("a tagged value is of an unknown kind")
}

// decimalInt is an int of any sign and size.
func decimalInt(text string) (any, error) {
	if len(text) > 2*maxIntBytes {
		return nil, limited("digits of an int")
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || strings.HasPrefix(text, "+") || strings.Contains(text, "_") {
		return nil, errTagged
	}
	return normalInt(n), nil
}

func (f fields) codePoints() (any, error) {
	points, ok := get[*List](f, "code_points")
	if !ok {
		return nil, errTagged
	}
	var text []byte
	for _, item := range points.Items {
		point, ok := item.(int64)
		if !ok || point < 0 || point > 0x10ffff {
			return nil, errTagged
		}
		text = appendCodePoint(text, rune(point))
	}
	return string(text), nil
}

func (f fields) bytes(kind string) (any, error) {
	text, ok := get[string](f, "b64")
	data, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return nil, errTagged
	}
	if kind == "bytearray" {
		return &ByteArray{Data: data}, nil
	}
	return Bytes(data), nil
}

func (f fields) collection(kind string) (any, error) {
	items, ok := get[*List](f, "items")
	if !ok {
		return nil, errTagged
	}
	switch kind {
	case "set":
		return anyOf(NewSet(items.Items...))
	case "frozenset":
		return anyOf(NewFrozenSet(items.Items...))
	}
	return Tuple(items.Items), nil
}

func anyOf[T any](v T, err error) (any, error) { return v, err }

func (f fields) dict(kind string) (any, error) {
	items, ok := get[*List](f, "items")
	if !ok {
		return nil, errTagged
	}
	d := new(Dict)
	for _, item := range items.Items {
		pair, ok := item.(*List)
		if !ok || len(pair.Items) != 2 {
			return nil, errTagged
		}
		if err := d.Set(pair.Items[0], pair.Items[1]); err != nil {
			return nil, err
		}
	}
	switch kind {
	case "OrderedDict":
		return &OrderedDict{Dict: *d}, nil
	case "defaultdict":
		factory, _ := get[any](f, "factory")
		name, isName := factory.(string)
		dot := strings.LastIndexByte(name, '.')
		if isName && dot > 0 {
			factory = Class{Module: name[:dot], Name: name[dot+1:]}
		} else if factory != nil {
			return nil, errTagged
		}
		return &DefaultDict{Dict: *d, Factory: factory}, nil
	}
	return d, nil
}

func (f fields) timeDelta() (any, error) {
	var parts [3]int
	for i, name := range []string{"days", "seconds", "microseconds"} {
		n, ok := get[int64](f, name)
		if !ok {
			return nil, errTagged
		}
		parts[i] = int(n)
	}
	return valueIf(NewTimeDelta(parts[0], parts[1], parts[2]))
}
