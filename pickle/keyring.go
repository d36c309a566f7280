package pickle

import (
	"encoding/binary"
	"slices"
	"unsafe"
)

// A keyring names tuples and frozensets that are keys: equal ones get the same name. Each is named
// once, from the names of its elements, so that a nest of shared tuples costs as much as it has
// tuples. A nil keyring knows none.
type keyring struct {
	atoms      map[any]uint64
	composites map[string]uint64
	names      uint64

	// seen holds the names by identity while a pickle is decoded, when nothing changes under it.
	seen map[any]uint64

	// sharedNaN says that the pickle refers twice to one NaN. Python finds a NaN key again by its
	// identity, which a float64 has not; such a key is refused.
	sharedNaN bool
}

// A tupleID is the identity of a tuple.
type tupleID struct {
	first  *any
	length int
}

func identityOfTuple(t Tuple) tupleID {
	if len(t) == 0 {
		return tupleID{}
	}
	return tupleID{unsafe.SliceData(t), len(t)}
}

func isComposite(key any) bool {
	switch key.(type) {
	case Tuple, *FrozenSet:
		return true
	}
	return false
}

// canonical returns the canonical form of key, and names tuples that had no name yet.
func (k *keyring) canonical(key any, b *budget) (any, error) {
	if !isComposite(key) {
		if err := b.takeKey(key); err != nil {
			return nil, err
		}
		return canonicalAtom(key)
	}
	n := namer{ring: k, budget: b, seen: k.seen, create: true}
	return n.name(key)
}

// lookup is canonical for a key that need not be there: it changes nothing, and reports whether the
// key has a form that something in the dict could have.
func (k *keyring) lookup(key any) (any, bool) {
	if !isComposite(key) {
		canonical, err := canonicalAtom(key)
		return canonical, err == nil
	}
	if k == nil {
		return nil, false
	}
	n := namer{ring: k}
	canonical, err := n.name(key)
	return canonical, err == nil && !n.unknown
}

// A namer finds the name of one key, without recursion.
type namer struct {
	ring    *keyring
	budget  *budget
	seen    map[any]uint64
	create  bool // names what has none; otherwise sets unknown
	unknown bool
	open    []openComposite
}

// An openComposite is a tuple or frozenset whose elements are being named.
type openComposite struct {
	identity any
	kind     byte // 't' or 'f'
	tuple    Tuple
	members  []Entry // of a frozenset
	names    []uint64
}

func (o *openComposite) length() int { return len(o.tuple) + len(o.members) }

func (o *openComposite) element(i int) any {
	if o.kind == 'f' {
		return o.members[i].Key
	}
	return o.tuple[i]
}

var errSharedNaN = unsupported("a NaN that is shared is a key")

// maxOpen bounds the nesting of values that the program makes; Config bounds those of a pickle.
const maxOpen = 1 << 17

func (n *namer) name(key any) (any, error) {
	if n.seen == nil {
		n.seen = make(map[any]uint64)
	}
	name, known, err := n.enter(key)
	for err == nil && !known {
		top := &n.open[len(n.open)-1]
		if done := len(top.names); done < top.length() {
			name, known, err = n.element(top.element(done))
			if known {
				top.names = append(top.names, name)
				known = false
			}
			continue
		}
		name, err = n.leave(top)
		n.open = n.open[:len(n.open)-1]
		if len(n.open) == 0 {
			break
		}
		parent := &n.open[len(n.open)-1]
		parent.names = append(parent.names, name)
	}
	return compositeKey(name), err
}

// element names an atom at once, and enters a composite.
func (n *namer) element(v any) (name uint64, known bool, err error) {
	if isComposite(v) {
		return n.enter(v)
	}
	if isNaN(v) && n.ring.sharedNaN {
		return 0, false, errSharedNaN
	}
	if err := n.budget.takeKey(v); err != nil {
		return 0, false, err
	}
	canonical, err := canonicalAtom(v)
	if err != nil {
		return 0, false, err
	}
	if name, ok := n.ring.atoms[canonical]; ok {
		return name, true, nil
	}
	if n.create && canonical == any(nanKey{}) {
		return n.ring.newName(), true, nil
	}
	if !n.create {
		n.unknown = true
		return 0, true, nil
	}
	if n.ring.atoms == nil {
		n.ring.atoms = make(map[any]uint64)
	}
	name = n.ring.newName()
	n.ring.atoms[canonical] = name
	return name, true, n.budget.take(indexSize)
}

// enter looks a composite up by identity, and opens it where it is new.
func (n *namer) enter(v any) (name uint64, known bool, err error) {
	o := openComposite{identity: v, kind: 'f'}
	if t, ok := v.(Tuple); ok {
		o.identity, o.kind, o.tuple = identityOfTuple(t), 't', t
	} else {
		o.members = v.(*FrozenSet).members.entries
	}
	if name, ok := n.seen[o.identity]; ok {
		return name, true, nil
	}
	if len(n.open) == maxOpen {
		return 0, false, limited("nesting of a key")
	}
	if err := n.budget.take(8*o.length() + 2*objectSize); err != nil {
		return 0, false, err
	}
	o.names = make([]uint64, 0, o.length())
	n.open = append(n.open, o)
	return 0, false, nil
}

// leave names a composite whose elements all have names.
func (n *namer) leave(o *openComposite) (uint64, error) {
	if err := n.budget.take(8*len(o.names) + 2*indexSize); err != nil {
		return 0, err
	}
	if o.kind == 'f' {
		slices.Sort(o.names)
	}
	spelled := append(make([]byte, 0, 1+8*len(o.names)), o.kind)
	for _, name := range o.names {
		spelled = binary.LittleEndian.AppendUint64(spelled, name)
	}
	name, ok := n.ring.composites[string(spelled)]
	if !ok && n.create {
		if n.ring.composites == nil {
			n.ring.composites = make(map[string]uint64)
		}
		name = n.ring.newName()
		n.ring.composites[string(spelled)] = name
	} else if !ok {
		n.unknown = true
	}
	n.seen[o.identity] = name
	return name, nil
}

func (k *keyring) newName() uint64 {
	k.names++
	return k.names
}
