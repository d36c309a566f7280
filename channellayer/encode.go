package channellayer

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// ValueOf returns v as an [Event] holds it: what encoding/json would make of it, by the same tags and the
// same MarshalJSON and MarshalText methods, except that integers become int64, floats float64 also where they
// have no fraction, and []byte stays what it is. The result shares nothing with v.
//
// What no layer can carry is refused with an error that wraps [ErrInvalidEvent]: an integer beyond 64 bits, a
// string that is not UTF-8, a function, more than [MaxDepth] levels or [MaxElements] values.
func ValueOf(v any) (any, error) {
	c := converter{left: MaxElements}
	return c.value(v, 1)
}

// converter makes one Event value.
type converter struct {
	left int // how many values may still come
}

// value converts the commonest types without reflection.
func (c *converter) value(v any, depth int) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64, float64:
		return v, c.count()
	case int:
		return int64(v), c.count()
	case string:
		return v, c.str(v)
	case []byte:
		return bytes.Clone(v), c.count()
	case map[string]any:
		return c.mapOfAny(v, depth)
	case Event:
		return c.mapOfAny(v, depth)
	default:
		return c.reflected(reflect.ValueOf(v), depth)
	}
}

// reflected converts what stands at depth. A map or list at a depth over MaxDepth is refused, which also
// ends what contains itself.
func (c *converter) reflected(v reflect.Value, depth int) (any, error) {
	if marshaled, value, err := c.marshaled(v, depth); marshaled {
		return value, err
	}
	switch k := v.Kind(); k {
	case reflect.Bool:
		return v.Bool(), c.count()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), c.count()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if v.Uint() > math.MaxInt64 {
			return nil, errBigInteger()
		}
		return int64(v.Uint()), c.count()
	case reflect.Float32:
		// The decimal number that json would write, not that of the nearest float64.
		f, err := strconv.ParseFloat(strconv.FormatFloat(v.Float(), 'g', -1, 32), 64)
		if err != nil {
			return nil, err
		}
		return f, c.count()
	case reflect.Float64:
		return v.Float(), c.count()
	case reflect.String:
		return v.String(), c.str(v.String())
	case reflect.Invalid:
		return nil, c.count()
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice, reflect.Array, reflect.Struct:
		return c.container(v, depth)
	default:
		return nil, fmt.Errorf("%w: it holds a value of type %v", ErrInvalidEvent, v.Type())
	}
}

// container converts what other values stand in.
func (c *converter) container(v reflect.Value, depth int) (any, error) {
	if v.Kind() != reflect.Array && v.Kind() != reflect.Struct && v.IsNil() {
		return nil, c.count()
	}
	switch v.Kind() {
	case reflect.Interface:
		return c.value(v.Interface(), depth)
	case reflect.Pointer:
		return c.pointedTo(v.Elem(), depth)
	}
	if depth > MaxDepth {
		return nil, errTooDeep()
	}
	switch v.Kind() {
	case reflect.Map:
		return c.fromMap(v, depth)
	case reflect.Struct:
		return c.fromStruct(v, depth)
	default:
		return c.fromList(v, depth)
	}
}

// pointedTo converts what a pointer points to. Where that is a pointer again, it may lead back to itself, so
// it counts as a level.
func (c *converter) pointedTo(v reflect.Value, depth int) (any, error) {
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if depth++; depth > MaxDepth+1 {
			return nil, errTooDeep()
		}
	}
	return c.reflected(v, depth)
}

func (c *converter) fromList(v reflect.Value, depth int) (any, error) {
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		return bytes.Clone(v.Bytes()), c.count()
	}
	if err := c.count(); err != nil {
		return nil, err
	}
	list := make([]any, v.Len())
	for i := range list {
		x, err := c.reflected(v.Index(i), depth+1)
		if err != nil {
			return nil, err
		}
		list[i] = x
	}
	return list, nil
}

func (c *converter) fromMap(v reflect.Value, depth int) (any, error) {
	if err := c.count(); err != nil {
		return nil, err
	}
	m := make(map[string]any, v.Len())
	for it := v.MapRange(); it.Next(); {
		key, err := mapKey(it.Key())
		if err != nil {
			return nil, err
		}
		if err := checkString(key); err != nil {
			return nil, err
		}
		if m[key], err = c.reflected(it.Value(), depth+1); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// mapOfAny is fromMap for the type that Go code makes most.
func (c *converter) mapOfAny(v map[string]any, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, errTooDeep()
	}
	if err := c.count(); err != nil || v == nil {
		return nil, err
	}
	m := make(map[string]any, len(v))
	for key, x := range v {
		if err := checkString(key); err != nil {
			return nil, err
		}
		value, err := c.value(x, depth+1)
		if err != nil {
			return nil, err
		}
		m[key] = value
	}
	return m, nil
}

// mapKey returns a map's key as encoding/json writes it.
func mapKey(k reflect.Value) (string, error) {
	if k.Kind() == reflect.String {
		return k.String(), nil
	}
	if m, ok := k.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		return string(text), err
	}
	switch {
	case k.CanInt():
		return strconv.FormatInt(k.Int(), 10), nil
	case k.CanUint():
		return strconv.FormatUint(k.Uint(), 10), nil
	}
	return "", fmt.Errorf("%w: a map's key of type %v", ErrInvalidEvent, k.Type())
}

func (c *converter) fromStruct(v reflect.Value, depth int) (any, error) {
	if err := c.count(); err != nil {
		return nil, err
	}
	fields := fieldsOf(v.Type())
	m := make(map[string]any, len(fields))
	for _, f := range fields {
		x, err := v.FieldByIndexErr(f.index)
		if err != nil || f.omits(x) {
			continue // the error means that the struct it stands in is a nil pointer
		}
		value, err := c.reflected(x, depth+1)
		if err != nil {
			return nil, err
		}
		if f.quoted && value != nil {
			value = string(AppendJSON(nil, value))
		}
		m[f.name] = value
	}
	return m, nil
}

// omits reports whether the tag's options leave the field out where it is v.
func (f field) omits(v reflect.Value) bool {
	if f.omitZero {
		if z, ok := v.Interface().(interface{ IsZero() bool }); ok && (v.Kind() != reflect.Pointer || !v.IsNil()) {
			return z.IsZero()
		}
		return v.IsZero()
	}
	if !f.omitEmpty {
		return false
	}
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

// marshaled returns what v's own methods say that it is, if it has such methods.
func (c *converter) marshaled(v reflect.Value, depth int) (marshaled bool, value any, err error) {
	if !v.IsValid() || v.Type().PkgPath() == "" && v.Kind() != reflect.Pointer && v.Kind() != reflect.Struct {
		return false, nil, nil
	}
	if v.Kind() == reflect.Pointer && v.IsNil() || !v.CanInterface() {
		return false, nil, nil
	}
	if n, ok := v.Interface().(json.Number); ok {
		value, err = c.parsed([]byte(n), depth)
		return true, value, err
	}
	if m, ok := methodsOf[json.Marshaler](v); ok {
		text, err := m.MarshalJSON()
		if err != nil {
			return true, nil, err
		}
		value, err = c.parsed(text, depth)
		return true, value, err
	}
	if m, ok := methodsOf[encoding.TextMarshaler](v); ok {
		text, err := m.MarshalText()
		if err != nil {
			return true, nil, err
		}
		return true, string(text), c.str(string(text))
	}
	return false, nil, nil
}

// methodsOf returns v, or the pointer to it, as the interface M, if it implements that.
func methodsOf[M any](v reflect.Value) (m M, ok bool) {
	if m, ok = v.Interface().(M); ok || !v.CanAddr() {
		return m, ok
	}
	m, ok = v.Addr().Interface().(M)
	return m, ok
}

// parsed returns the value of JSON that a MarshalJSON wrote.
func (c *converter) parsed(text []byte, depth int) (any, error) {
	p := parser{data: text, left: c.left, wholeIntegers: true}
	value, err := p.document(depth)
	if err != nil {
		return nil, fmt.Errorf("%w: what MarshalJSON wrote: %w", ErrInvalidEvent, err)
	}
	c.left = p.left
	return value, nil
}

// count counts one value.
func (c *converter) count() error {
	if c.left--; c.left < 0 {
		return errTooLarge()
	}
	return nil
}

// str counts a string, and checks it.
func (c *converter) str(s string) error {
	if err := checkString(s); err != nil {
		return err
	}
	return c.count()
}

func errBigInteger() error {
	return fmt.Errorf("%w: an integer beyond 64 bits", ErrInvalidEvent)
}
