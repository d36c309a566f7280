package config

import (
	"reflect"
	"slices"
	"strings"
)

// A Key is one key that a file may have.
type Key struct {
	// Path is its place in the file, as in "django.secret_key". In a list of tables the list's name stands
	// for each of them, as in "routes.path".
	Path string
	// Env is the environment variable that sets it; N in it is the place in the list, from 0.
	Env string

	index []int // for reflect.Value.FieldByIndex
	typ   reflect.Type
	list  bool // one of a list of tables
}

// Keys returns all keys, in the order of the structs.
func Keys() []Key {
	return appendKeys(nil, reflect.TypeFor[Config](), Key{Env: "BELLEVILLE"})
}

// appendKeys appends the keys of a struct, whose own key is parent.
func appendKeys(keys []Key, t reflect.Type, parent Key) []Key {
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("toml")
		if name == "" {
			continue // filled in by other means
		}
		k := Key{
			Path:  strings.TrimPrefix(parent.Path+"."+name, "."),
			Env:   parent.Env + "_" + strings.ToUpper(name),
			index: append(append([]int(nil), parent.index...), i),
			typ:   f.Type,
			list:  parent.list,
		}
		switch {
		case isTable(f.Type):
			keys = appendKeys(keys, f.Type, k)
		case isTableList(f.Type):
			keys = appendKeys(keys, f.Type.Elem(), Key{Path: k.Path, Env: k.Env + "_N", list: true})
		default:
			keys = append(keys, k)
		}
	}
	return keys
}

// isTable reports whether a value of the type is written as a table whose keys this package names.
func isTable(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() > 0 && t.Field(0).Tag.Get("toml") != ""
}

func isTableList(t reflect.Type) bool { return t.Kind() == reflect.Slice && isTable(t.Elem()) }

// fieldOf returns the field of a struct that a key of the file means. Django's settings are in upper case,
// so case does not count.
func fieldOf(table reflect.Value, name string) (reflect.Value, bool) {
	t := table.Type()
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("toml"); tag != "" && strings.EqualFold(tag, name) {
			return table.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// nearest returns the key that an unknown one was probably meant to be, or "".
func nearest(path string) string {
	leaf := path[strings.LastIndexByte(path, '.')+1:]
	best, bestDistance := "", 0
	for _, known := range tablesAndKeys() {
		d := min(distance(path, known), distance(leaf, known[strings.LastIndexByte(known, '.')+1:])+1)
		if best == "" || d < bestDistance {
			best, bestDistance = known, d
		}
	}
	if bestDistance > 1+len(leaf)/4 {
		return ""
	}
	return best
}

// tablesAndKeys returns the paths of all keys and of the tables that they are in.
func tablesAndKeys() []string {
	var paths []string
	for _, k := range Keys() {
		for i, c := range k.Path {
			if c == '.' && !slices.Contains(paths, k.Path[:i]) {
				paths = append(paths, k.Path[:i])
			}
		}
		paths = append(paths, k.Path)
	}
	return paths
}

// maxCompared bounds the work of distance.
const maxCompared = 64

// distance is how many characters must be added, removed or replaced to make b of a.
func distance(a, b string) int {
	a, b = a[:min(len(a), maxCompared)], b[:min(len(b), maxCompared)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := corner
			if lower(a[i]) != lower(b[j]) {
				replaced++
			}
			corner = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
