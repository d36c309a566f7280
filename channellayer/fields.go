package channellayer

import (
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// field is one field of a struct, as its json tags have it.
type field struct {
	name      string
	index     []int // for reflect.Value.FieldByIndex
	tagged    bool  // the name comes from a tag
	omitEmpty bool
	omitZero  bool
	quoted    bool // the tag's option "string": a number or bool stands in a string
}

// embedded is a struct whose fields are also those of the struct it stands in.
type embedded struct {
	typ   reflect.Type
	index []int
}

// fieldsOf returns the fields of a struct that encoding/json would see, by the same rules: the fields of
// embedded structs count, and of several with one name the least deep one, then the tagged one.
func fieldsOf(t reflect.Type) []field {
	all := make([]field, 0, t.NumField())
	var seen []reflect.Type
	for level := []embedded{{typ: t}}; len(level) > 0; {
		var next []embedded
		for _, s := range level {
			if !slices.Contains(seen, s.typ) {
				all, next = appendFields(all, next, s)
			}
		}
		for _, s := range level {
			seen = append(seen, s.typ)
		}
		level = next
	}
	kept := make([]field, 0, len(all))
	for i := range all {
		if wins(all, i) {
			kept = append(kept, all[i])
		}
	}
	return kept
}

// wins reports whether a field has its name to itself. Of two with equal right none does.
func wins(all []field, i int) bool {
	for j := range all {
		if j != i && all[j].name == all[i].name && all[j].rank() <= all[i].rank() {
			return false
		}
	}
	return true
}

// rank is lower for a field with more right to its name.
func (f field) rank() int {
	if f.tagged {
		return 2 * len(f.index)
	}
	return 2*len(f.index) + 1
}

// appendFields appends the fields of s itself to fields, and the structs embedded in it to next.
func appendFields(fields []field, next []embedded, s embedded) ([]field, []embedded) {
	for i := range s.typ.NumField() {
		sf := s.typ.Field(i)
		tag := sf.Tag.Get("json")
		if tag == "-" {
			continue
		}
		index := append(append(make([]int, 0, len(s.index)+1), s.index...), i)
		name, options, _ := strings.Cut(tag, ",")
		if !validTagName(name) {
			name = ""
		}
		if inner := structType(sf); inner != nil && name == "" {
			next = append(next, embedded{inner, index})
			continue
		}
		if !sf.IsExported() {
			continue
		}
		f := field{name: name, index: index, tagged: name != ""}
		if name == "" {
			f.name = sf.Name
		}
		f.readOptions(options, sf.Type)
		fields = append(fields, f)
	}
	return fields, next
}

// structType returns the struct that sf embeds, or nil.
func structType(sf reflect.StructField) reflect.Type {
	t := sf.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !sf.Anonymous || t.Kind() != reflect.Struct {
		return nil
	}
	return t
}

// readOptions reads what follows the name in a tag.
func (f *field) readOptions(options string, t reflect.Type) {
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			f.omitEmpty = true
		case "omitzero":
			f.omitZero = true
		case "string":
			f.quoted = isNumberOrBool(t)
		}
	}
}

func isNumberOrBool(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return reflect.Bool <= t.Kind() && t.Kind() <= reflect.Float64
}

// validTagName reports whether encoding/json takes name from a tag; otherwise the field's own name counts.
func validTagName(name string) bool {
	for _, r := range name {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return name != ""
}
