package pickle

import (
	"reflect"
	"unsafe"
)

// The encoder remembers values by identity. Short immutable values are their own: equal ones are
// written once, which Python cannot tell from a shared one. Long ones go by where they lie in memory,
// so that finding them again costs nothing.

// longText is the length from which on text goes by its place.
const longText = 64

type (
	textID struct {
		kind   any // a zero value of the text's type
		first  *byte
		length int
	}
	classID struct{ module, name any }
	sliceID struct{ tupleID }
	mapID   struct{ at unsafe.Pointer }
)

func identityOfText[T string | Bytes | SafeString | Decimal](s T) any {
	if len(s) < longText {
		return s
	}
	return textID{T(""), unsafe.StringData(string(s)), len(s)}
}

func identityOfClass(c Class) any {
	return classID{identityOfText(c.Module), identityOfText(c.Name)}
}

// identityOfSlice is nil for an empty slice, which has none.
func identityOfSlice(s []any) any {
	if len(s) == 0 {
		return nil
	}
	return sliceID{identityOfTuple(s)}
}

func identityOfMap(m map[string]any) any {
	return mapID{reflect.ValueOf(m).UnsafePointer()}
}

// isNil reports whether v is a nil pointer, which stands for no Python value.
func isNil(v any) bool {
	p := reflect.ValueOf(v)
	return p.Kind() == reflect.Pointer && p.IsNil()
}
