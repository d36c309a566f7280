package pickle

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"
)

// How each kind of value is written: as opcodes, as elements, or as a call that Python is to make.

// composite writes a reference to v, opens v, or writes the simpler value that v stands for.
func (e *encoder) composite(v any) error {
	if isNil(v) {
		return fmt.Errorf("pickle: cannot encode a nil %T", v)
	}
	switch v := v.(type) {
	case Tuple:
		return e.tuple(v)
	case *List:
		return e.list(v, v.Items)
	case *Dict:
		return e.filled(v, opEmptyDict, part{kind: partPairs, op: opSetItems, entries: v.entries})
	case *Set:
		return e.filled(v, opEmptySet, part{kind: partMembers, op: opAddItems, entries: v.members.entries})
	case *FrozenSet:
		return e.frozenSet(v)
	case *Object:
		return e.object(v)
	case []any:
		return e.list(identityOfSlice(v), v)
	case map[string]any:
		return e.goMap(v)
	case []byte:
		e.bytes(Bytes(v))
		return nil
	case float32:
		return e.value(float64(v))
	case time.Time:
		return e.value(NewDateTime(v))
	case time.Duration:
		return e.value(newTimeDeltaFrom(v))
	}
	if n, ok := goInteger(v); ok {
		return e.value(n)
	}
	return e.known(v)
}

func (e *encoder) tuple(t Tuple) error {
	if len(t) == 0 {
		e.out = append(e.out, opEmptyTuple)
		return nil
	}
	id := identityOfTuple(t)
	if !e.remembered(id) {
		e.begin(id, append(finishTuple(t), part{kind: partMemorize})...)
	}
	return nil
}

// finishTuple is the parts that make a tuple of values.
func finishTuple(values []any) []part {
	elements := part{kind: partValues, values: values}
	switch len(values) {
	case 0:
		return []part{{kind: partOps, ops: string(rune(opEmptyTuple))}}
	case 1:
		return []part{elements, {kind: partFinish, op: opTuple1, ops: "0"}}
	case 2:
		return []part{elements, {kind: partFinish, op: opTuple2, ops: "00"}}
	case 3:
		return []part{elements, {kind: partFinish, op: opTuple3, ops: "000"}}
	}
	return []part{{kind: partOps, ops: "("}, elements, {kind: partFinish, op: opTuple, ops: "1"}}
}

func (e *encoder) list(identity any, items []any) error {
	return e.filled(identity, opEmptyList, part{kind: partBatches, op: opAppends, values: items})
}

// filled writes a container that is made empty and then filled.
func (e *encoder) filled(identity any, empty byte, content part) error {
	if identity != nil && e.remembered(identity) {
		return nil
	}
	e.out = append(e.out, empty)
	e.memorize(identity)
	e.begin(identity, content)
	return nil
}

func (e *encoder) frozenSet(s *FrozenSet) error {
	if e.remembered(s) {
		return nil
	}
	members := make([]any, 0, s.Len())
	for m := range s.All() {
		members = append(members, m)
	}
	e.begin(s, part{kind: partOps, ops: "("}, part{kind: partValues, values: members},
		part{kind: partFinish, op: opFrozenSet, ops: "1"}, part{kind: partMemorize})
	return nil
}

func (e *encoder) goMap(m map[string]any) error {
	content := part{kind: partPairs, op: opSetItems, entries: sortedEntries(m)}
	return e.filled(identityOfMap(m), opEmptyDict, content)
}

func sortedEntries(m map[string]any) []Entry {
	entries := make([]Entry, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		entries = append(entries, Entry{key, m[key]})
	}
	return entries
}

// object writes what was read of an Object.
func (e *encoder) object(o *Object) error {
	if o.callable == nil {
		return fmt.Errorf("pickle: cannot encode an Object that Decode did not make")
	}
	if e.remembered(o) {
		return nil
	}
	call := construction(o.how, o.callable, o.args, o.kwargs)
	for _, s := range o.steps {
		switch s.op {
		case opSetItems:
			call = append(call, part{kind: partPairs, op: s.op, entries: pairs(s.values)})
		case opBuild:
			call = append(call, part{kind: partValues, values: s.values}, part{kind: partOps, ops: "b"})
		default:
			call = append(call, part{kind: partBatches, op: s.op, values: s.values})
		}
	}
	e.begin(o, call...)
	return nil
}

func pairs(values []any) []Entry {
	entries := make([]Entry, 0, len(values)/2)
	for pair := range slices.Chunk(values, 2) {
		entries = append(entries, Entry{pair[0], pair[1]})
	}
	return entries
}

// construction is the parts that make the result of a call, and remember it.
func construction(how byte, callable any, args Tuple, kwargs *Dict) []part {
	memorize := part{kind: partMemorize}
	if how == opObj {
		return []part{
			{kind: partOps, ops: "("},
			{kind: partValues, values: append([]any{callable}, args...)},
			{kind: partFinish, op: opObj, ops: "1"},
			memorize,
		}
	}
	parts := []part{{kind: partValues, values: []any{callable}}}
	for _, p := range finishTuple(args) {
		if p.kind == partFinish { // the tuple is not the value that is finished
			p = part{kind: partOps, ops: string([]byte{p.op})}
		}
		parts = append(parts, p)
	}
	if how == opNewObjEx {
		// Not remembered: Python unpacks it, and must find it filled.
		return append(parts, part{kind: partOps, ops: "}"},
			part{kind: partPairs, op: opSetItems, entries: kwargs.entries},
			part{kind: partFinish, op: how, ops: "000"}, memorize)
	}
	return append(parts, part{kind: partFinish, op: how, ops: "00"}, memorize)
}

// known writes a value of a class that this package knows.
func (e *encoder) known(v any) error {
	id, how, class, args, more := recipe(v)
	if how == 0 {
		return fmt.Errorf("pickle: cannot encode a %T", v)
	}
	if e.remembered(id) {
		return nil
	}
	if more == nil && allPlain(args) {
		return e.plainCall(id, how, class, args)
	}
	e.begin(id, append(construction(how, class, args, nil), more...)...)
	return nil
}

// allPlain reports whether value writes all args at once, without opening one.
func allPlain(args Tuple) bool {
	for _, arg := range args {
		switch arg.(type) {
		case string, Bytes, int, int64, float64:
		default:
			return false
		}
	}
	return true
}

// plainCall writes a call at once.
func (e *encoder) plainCall(id any, how byte, class Class, args Tuple) error {
	if err := e.class(class); err != nil {
		return err
	}
	makeTuple := byte(opEmptyTuple)
	switch n := len(args); {
	case n > 3:
		e.out = append(e.out, opMark)
		makeTuple = opTuple
	case n > 0:
		makeTuple = opTuple1 + byte(n-1)
	}
	for _, arg := range args {
		if err := e.value(arg); err != nil {
			return err
		}
	}
	e.out = append(e.out, makeTuple, how)
	e.memorize(id)
	return nil
}

// recipe is how Python makes v: what it is remembered by, if it is, and how which class is called with what, and
// what is done with the result. how is 0 for a value of no known type.
func recipe(v any) (id any, how byte, class Class, args Tuple, more []part) {
	id, how = v, opReduce
	switch v := v.(type) {
	case complex128:
		id = nil // 0 and -0 are equal in Go, and two values
		class, args = Class{Module: "builtins", Name: "complex"}, Tuple{real(v), imag(v)}
	case *ByteArray:
		class, args = Class{Module: "builtins", Name: "bytearray"}, Tuple{Bytes(v.Data)}
	case SafeString:
		id, how = identityOfText(v), opNewObj
		class, args = Class{Module: "django.utils.safestring", Name: "SafeString"}, Tuple{string(v)}
	case Decimal:
		id = identityOfText(v)
		if v.isNaN() {
			id = nil // as keys, two of them are two
		}
		class, args = Class{Module: "decimal", Name: "Decimal"}, Tuple{string(v)}
	case UUID:
		how, class = opNewObj, Class{Module: "uuid", Name: "UUID"}
		more = attributes(Entry{"int", new(big.Int).SetBytes(v[:])})
	case *OrderedDict:
		class = Class{Module: "collections", Name: "OrderedDict"}
		more = []part{{kind: partPairs, op: opSetItems, entries: v.entries}}
		for _, state := range v.state {
			more = append(more, part{kind: partValues, values: []any{state}}, part{kind: partOps, ops: "b"})
		}
	case *DefaultDict:
		class = Class{Module: "collections", Name: "defaultdict"}
		if v.Factory != nil {
			args = Tuple{v.Factory}
		}
		more = []part{{kind: partPairs, op: opSetItems, entries: v.entries}}
	case *Message:
		how, class = opNewObj, messageClass
		more = attributes(Entry{"level", v.Level}, Entry{"message", v.Message}, Entry{"extra_tags", v.ExtraTags})
	case *LazyString:
		class = lazyClass
		args = append(Tuple{v.Func, v.Args, v.kwargs()}, v.Results...)
	default:
		class, args = timeRecipe(v)
		if class == (Class{}) {
			how = 0
		}
	}
	return id, how, class, args, more
}

func (l *LazyString) kwargs() *Dict {
	if l.Kwargs == nil {
		return new(Dict)
	}
	return l.Kwargs
}

// attributes is the parts that give a new instance its attributes.
func attributes(entries ...Entry) []part {
	return []part{
		{kind: partOps, ops: "}"},
		{kind: partPairs, op: opSetItems, entries: entries},
		{kind: partOps, ops: "b"},
	}
}

// timeRecipe is how Python makes a date, a time or a zone.
func timeRecipe(v any) (class Class, args Tuple) {
	name := ""
	switch v := v.(type) {
	case Date:
		name, args = "date", Tuple{v.packed()}
	case Time:
		name, args = "time", withZone(v.packed(), v.Zone)
	case DateTime:
		name, args = "datetime", withZone(v.packed(), v.Zone)
	case TimeDelta:
		name, args = "timedelta", Tuple{v.Days, v.Seconds, v.Microseconds}
	case UTC:
		name, args = "timezone", Tuple{TimeDelta{}}
	case FixedZone:
		name, args = "timezone", Tuple{newTimeDeltaFrom(v.Offset)}
		if v.Name != "" {
			args = append(args, v.Name)
		}
	case ZoneInfo:
		cached := 1
		if v.Uncached {
			cached = 0
		}
		return zoneInfoMaker, Tuple{v.Key, cached}
	case PytzUTC:
		return Class{Module: "pytz", Name: "_UTC"}, nil
	case PytzFixed:
		return Class{Module: "pytz", Name: "FixedOffset"}, Tuple{v.Minutes}
	case PytzZone:
		if v.Varies {
			return Class{Module: "pytz", Name: "_p"}, Tuple{v.Zone, v.Offset, v.DST, v.Name}
		}
		return Class{Module: "pytz", Name: "_p"}, Tuple{v.Zone}
	default:
		return Class{}, nil
	}
	return Class{Module: "datetime", Name: name}, args
}

func withZone(packed Bytes, zone Zone) Tuple {
	if zone == nil {
		return Tuple{packed}
	}
	return Tuple{packed, zone}
}
