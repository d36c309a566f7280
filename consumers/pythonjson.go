package consumers

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/belleville/belleville/channellayer"
)

// PythonJSON returns v as a text message in the bytes that Python's json.dumps has: ", " and ": " between
// values, ASCII alone, 1000.0 for a float, and NaN and Infinity, which no browser parses. The fields of a
// struct stand in its order, as a dict is written in the order in which it was filled; the keys of a map are
// sorted. It is for clients that compare bytes; others are better served by [JSONMessage].
//
// What an event cannot hold, as an integer beyond 64 bits, is refused. []byte, which json.dumps refuses, is
// base64.
//
// Python: JsonWebsocketConsumer.send_json.
func PythonJSON(v any) (Message, error) {
	value, err := channellayer.ValueOf(v)
	if err != nil {
		return Message{}, fmt.Errorf("encode message: %w", err)
	}
	return Message{Kind: Text, Data: appendPython(nil, value, reflect.ValueOf(v))}, nil
}

// appendPython appends value, which channellayer.ValueOf made of v. From v it learns the order of keys; where
// v does not tell, they are sorted.
func appendPython(dst []byte, value any, v reflect.Value) []byte {
	v = origin(v)
	switch value := value.(type) {
	case map[string]any:
		return appendDict(dst, value, v)
	case []any:
		dst = append(dst, '[')
		for i, item := range value {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			var from reflect.Value
			if k := kind(v); k == reflect.Slice || k == reflect.Array {
				from = v.Index(i)
			}
			dst = appendPython(dst, item, from)
		}
		return append(dst, ']')
	}
	return channellayer.AppendPythonJSON(dst, value)
}

// appendDict appends an object.
func appendDict(dst []byte, dict map[string]any, v reflect.Value) []byte {
	from := make(map[string]reflect.Value, len(dict))
	var keys []string
	switch kind(v) {
	case reflect.Struct:
		keys = fields(v, dict, from)
	case reflect.Map:
		for _, k := range v.MapKeys() {
			from[keyOf(k)] = v.MapIndex(k)
		}
	}
	if len(keys) != len(dict) {
		keys = slices.Sorted(maps.Keys(dict))
	}
	dst = append(dst, '{')
	for i, key := range keys {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(channellayer.AppendPythonJSON(dst, key), ": "...)
		dst = appendPython(dst, dict[key], from[key])
	}
	return append(dst, '}')
}

// fields returns the keys of dict in the order of the fields of v that they come from, which it notes in from.
// Where several fields have a name, the one that encoding/json takes is the least embedded.
func fields(v reflect.Value, dict map[string]any, from map[string]reflect.Value) []string {
	type place struct {
		index []int
		key   string
	}
	places := make(map[string]place, len(dict))
	for _, f := range reflect.VisibleFields(v.Type()) {
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" || !f.IsExported() || tag == "-" && options == "" {
			continue
		}
		key := f.Name
		if tag != "" {
			key = tag
		}
		p, seen := places[key]
		if _, used := dict[key]; used && (!seen || len(f.Index) < len(p.index)) {
			places[key] = place{f.Index, key}
		}
	}
	sorted := slices.SortedFunc(maps.Values(places), func(a, b place) int { return slices.Compare(a.index, b.index) })
	keys := make([]string, 0, len(sorted))
	for _, p := range sorted {
		keys = append(keys, p.key)
		if field, err := v.FieldByIndexErr(p.index); err == nil {
			from[p.key] = field
		}
	}
	return keys
}

// origin returns what pointers and interfaces lead to. What writes its own JSON tells nothing about the
// order of keys.
func origin(v reflect.Value) reflect.Value {
	for v.IsValid() {
		if v.CanInterface() {
			switch v.Interface().(type) {
			case json.Marshaler, encoding.TextMarshaler:
				return reflect.Value{}
			}
		}
		if v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface {
			return v
		}
		v = v.Elem()
	}
	return v
}

// kind is reflect.Invalid where there is no value.
func kind(v reflect.Value) reflect.Kind {
	if !v.IsValid() {
		return reflect.Invalid
	}
	return v.Kind()
}

// keyOf returns the key of a map as ValueOf has it, "" for what that refuses.
func keyOf(k reflect.Value) string {
	if k.Kind() == reflect.String {
		return k.String()
	}
	if t, ok := k.Interface().(encoding.TextMarshaler); ok {
		text, _ := t.MarshalText() // ValueOf would have returned the error
		return string(text)
	}
	switch {
	case k.CanInt():
		return strconv.FormatInt(k.Int(), 10)
	case k.CanUint():
		return strconv.FormatUint(k.Uint(), 10)
	}
	return ""
}
