package pickle

import ogorek "github.com/kisielk/og-rek"

// A List is a Python list. Lists are compared by identity: one *List is one list, wherever it stands.
type List struct {
	Items []any
}

// NewList makes the list of items.
func NewList(items ...any) *List { return &List{Items: items} }

// A Tuple is a Python tuple. It is not to be changed. A tuple with elements has an identity, its
// backing array, and Encode keeps it.
type Tuple []any

// Bytes is a Python bytes object.
type Bytes = ogorek.Bytes

// A ByteArray is a Python bytearray.
type ByteArray struct {
	Data []byte
}

// A Class is a class, a function or any other global that Python would import. It is only a name here.
type Class = ogorek.Class
