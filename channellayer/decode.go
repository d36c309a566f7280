package channellayer

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// assign stores an Event value in dst, which can be set, as json.Unmarshal would.
func assign(dst reflect.Value, v any, depth int) error {
	if depth > MaxDepth+1 {
		return errTooDeep()
	}
	if handled, err := unmarshaled(dst, v); handled {
		return err
	}
	if v == nil {
		switch dst.Kind() {
		case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
			dst.SetZero()
		}
		return nil
	}
	switch dst.Kind() {
	case reflect.Pointer:
		if dst.IsNil() {
			dst.Set(reflect.New(dst.Type().Elem()))
		}
		return assign(dst.Elem(), v, depth)
	case reflect.Interface:
		if dst.NumMethod() > 0 {
			return errMismatch(dst, v)
		}
		dst.Set(reflect.ValueOf(clone(v)))
		return nil
	}
	switch v := v.(type) {
	case bool:
		if dst.Kind() != reflect.Bool {
			return errMismatch(dst, v)
		}
		dst.SetBool(v)
		return nil
	case int64, float64:
		return assignNumber(dst, v)
	case string:
		return assignString(dst, v)
	case []byte:
		return assignBytes(dst, v)
	case []any:
		return assignList(dst, v, depth)
	case map[string]any:
		return assignMap(dst, v, depth)
	default:
		return errMismatch(dst, v)
	}
}

// unmarshaled leaves v to the methods that dst has for it, if it has such methods.
func unmarshaled(dst reflect.Value, v any) (handled bool, err error) {
	if dst.Kind() == reflect.Pointer || dst.Type().PkgPath() == "" && dst.Kind() != reflect.Struct {
		return false, nil
	}
	switch u := dst.Addr().Interface().(type) {
	case json.Unmarshaler:
		if u.UnmarshalJSON(AppendJSON(nil, v)) != nil {
			return true, errMismatch(dst, v) // the method's own error may show what it read
		}
		return true, nil
	case encoding.TextUnmarshaler:
		s, ok := v.(string)
		if !ok {
			return false, nil
		}
		if u.UnmarshalText([]byte(s)) != nil {
			return true, errMismatch(dst, v)
		}
		return true, nil
	case *json.Number:
		switch v.(type) {
		case int64, float64:
			*u = json.Number(AppendJSON(nil, v))
			return true, nil
		}
	}
	return false, nil
}

// assignNumber stores v, which is an int64 or a float64.
func assignNumber(dst reflect.Value, v any) error {
	switch {
	case dst.CanFloat():
		f, isFloat := v.(float64)
		if !isFloat {
			f = float64(v.(int64))
		}
		if dst.OverflowFloat(f) {
			return errMismatch(dst, v)
		}
		dst.SetFloat(f)
		return nil
	case dst.CanInt():
		i, ok := integer(v)
		if !ok || dst.OverflowInt(i) {
			return errMismatch(dst, v)
		}
		dst.SetInt(i)
		return nil
	case dst.CanUint():
		i, ok := integer(v)
		if !ok || i < 0 || dst.OverflowUint(uint64(i)) {
			return errMismatch(dst, v)
		}
		dst.SetUint(uint64(i))
		return nil
	}
	return errMismatch(dst, v)
}

// integer returns a number as an int64, if it is one.
func integer(v any) (int64, bool) {
	f, isFloat := v.(float64)
	if !isFloat {
		i, ok := v.(int64)
		return i, ok
	}
	if f != math.Trunc(f) || f < math.MinInt64 || f >= math.MaxInt64 {
		return 0, false
	}
	return int64(f), true
}

// assignString also takes base64 for bytes, as JSON has them.
func assignString(dst reflect.Value, s string) error {
	switch {
	case dst.Kind() == reflect.String:
		dst.SetString(s)
		return nil
	case isBytes(dst):
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return errMismatch(dst, s)
		}
		dst.SetBytes(b)
		return nil
	}
	return errMismatch(dst, s)
}

func assignBytes(dst reflect.Value, b []byte) error {
	if !isBytes(dst) {
		return errMismatch(dst, b)
	}
	dst.SetBytes(append([]byte{}, b...))
	return nil
}

func isBytes(dst reflect.Value) bool {
	return dst.Kind() == reflect.Slice && dst.Type().Elem().Kind() == reflect.Uint8
}

func assignList(dst reflect.Value, list []any, depth int) error {
	switch dst.Kind() {
	case reflect.Slice:
		dst.Set(reflect.MakeSlice(dst.Type(), len(list), len(list)))
	case reflect.Array:
		dst.SetZero() // and what is too much for it is left out
	default:
		return errMismatch(dst, list)
	}
	for i := range min(len(list), dst.Len()) {
		if err := assign(dst.Index(i), list[i], depth+1); err != nil {
			return err
		}
	}
	return nil
}

func assignMap(dst reflect.Value, m map[string]any, depth int) error {
	switch dst.Kind() {
	case reflect.Struct:
		return assignStruct(dst, m, depth)
	case reflect.Map:
	default:
		return errMismatch(dst, m)
	}
	if dst.IsNil() {
		dst.Set(reflect.MakeMapWithSize(dst.Type(), len(m)))
	}
	for name, v := range m {
		key := reflect.New(dst.Type().Key()).Elem()
		if err := assignKey(key, name); err != nil {
			return err
		}
		value := reflect.New(dst.Type().Elem()).Elem()
		if err := assign(value, v, depth+1); err != nil {
			return err
		}
		dst.SetMapIndex(key, value)
	}
	return nil
}

// assignKey stores a map's key in dst.
func assignKey(dst reflect.Value, name string) error {
	if dst.Kind() == reflect.String {
		dst.SetString(name)
		return nil
	}
	if u, ok := dst.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if u.UnmarshalText([]byte(name)) != nil {
			return errMismatch(dst, name)
		}
		return nil
	}
	return assignQuoted(dst, name)
}

func assignStruct(dst reflect.Value, m map[string]any, depth int) error {
	for _, f := range fieldsOf(dst.Type()) {
		v, ok := m[f.name]
		if !ok {
			continue
		}
		x, err := fieldForSet(dst, f.index)
		if err != nil {
			return err
		}
		if s, isString := v.(string); isString && f.quoted {
			err = assignQuoted(x, s)
		} else {
			err = assign(x, v, depth+1)
		}
		if err != nil {
			return fmt.Errorf("%w (field %s)", err, f.name)
		}
	}
	return nil
}

// fieldForSet returns a field, making the embedded structs on the way to it.
func fieldForSet(dst reflect.Value, index []int) (reflect.Value, error) {
	for i, n := range index {
		if i > 0 && dst.Kind() == reflect.Pointer {
			if dst.IsNil() && !dst.CanSet() {
				return dst, fmt.Errorf("channellayer: decode into %v, which is embedded and unexported", dst.Type())
			}
			if dst.IsNil() {
				dst.Set(reflect.New(dst.Type().Elem()))
			}
			dst = dst.Elem()
		}
		dst = dst.Field(n)
	}
	return dst, nil
}

// assignQuoted stores a number or bool that stands in a string.
func assignQuoted(dst reflect.Value, s string) error {
	if dst.Kind() == reflect.Pointer {
		if dst.IsNil() {
			dst.Set(reflect.New(dst.Type().Elem()))
		}
		dst = dst.Elem()
	}
	switch {
	case dst.Kind() == reflect.Bool && (s == "true" || s == "false"):
		dst.SetBool(s == "true")
		return nil
	case dst.CanUint():
		u, err := strconv.ParseUint(s, 10, dst.Type().Bits())
		if err != nil {
			return errMismatch(dst, s)
		}
		dst.SetUint(u)
		return nil
	}
	n, err := ParseJSON([]byte(s))
	if err != nil {
		return errMismatch(dst, s)
	}
	switch n.(type) {
	case int64, float64:
		return assignNumber(dst, n)
	}
	return errMismatch(dst, s)
}

// errMismatch says of which types two things are, and nothing of what they hold.
func errMismatch(dst reflect.Value, v any) error {
	return fmt.Errorf("%w: %T does not fit into %v", ErrInvalidEvent, v, dst.Type())
}
