package pickle

import "time"

// The classes whose values become Go values. Each takes the arguments that Python's own pickler
// writes, and returns nil for any others, which stay an Object.

var (
	messageClass = Class{Module: "django.contrib.messages.storage.base", Name: "Message"}
	lazyClass    = Class{Module: "django.utils.functional", Name: "_lazy_proxy_unpickle"}
)

// known is the value that class makes of args, or nil.
func (m *machine) known(how byte, class Class, args Tuple) (any, error) {
	if how == opNewObj {
		return safeString(class, args), nil
	}
	if how != opReduce {
		return nil, nil
	}
	switch class.Module {
	case "builtins":
		return m.builtin(class.Name, args)
	case "_codecs":
		return m.latin1(class.Name, args)
	case "copyreg":
		return reconstructed(class, args), nil
	case "collections":
		return m.collection(class.Name, args)
	}
	if err := m.budget.take(knownSize); err != nil {
		return nil, err
	}
	switch class.Module {
	case "datetime":
		return dateOrTime(class.Name, args), nil
	case "zoneinfo", "pytz":
		return namedZone(class, args), nil
	case "decimal":
		return m.decimalNumber(class.Name, args)
	case "django.utils.functional":
		return lazyString(class.Name, args), nil
	}
	return nil, nil
}

func safeString(class Class, args Tuple) any {
	if class.Module != "django.utils.safestring" || class.Name != "SafeString" && class.Name != "SafeText" {
		return nil
	}
	if text, ok := only[string](args); ok {
		return SafeString(text)
	}
	return nil
}

// only is the single argument of args, if it is a T.
func only[T any](args Tuple) (T, bool) {
	if len(args) != 1 {
		var zero T
		return zero, false
	}
	v, ok := args[0].(T)
	return v, ok
}

// reconstructed is a subclass of str as protocols 0 and 1 write it.
func reconstructed(class Class, args Tuple) any {
	if class != reconstructor || len(args) != 3 || args[1] != any(Class{Module: "builtins", Name: "str"}) {
		return nil
	}
	if of, ok := args[0].(Class); ok {
		return safeString(of, args[2:])
	}
	return nil
}

// builtin is a set, bytes, a bytearray, a complex number, or the method that makes a ZoneInfo.
func (m *machine) builtin(name string, args Tuple) (any, error) {
	if err := m.budget.take(dictSize); err != nil {
		return nil, err
	}
	switch name {
	case "set":
		s := new(Set)
		if items, ok := only[*List](args); ok {
			return s, m.fillSet(&s.members, items.Items)
		}
	case "frozenset":
		s := new(FrozenSet)
		if items, ok := only[*List](args); ok {
			return s, m.fillSet(&s.members, items.Items)
		}
	case "bytes":
		if len(args) == 0 {
			return Bytes(""), nil
		}
	case "bytearray":
		if data, ok := only[Bytes](args); ok {
			return &ByteArray{Data: []byte(data)}, m.budget.take(len(data))
		}
		if len(args) == 0 {
			return new(ByteArray), nil
		}
	case "complex":
		if len(args) == 2 {
			re, ok := args[0].(float64)
			im, alsoOK := args[1].(float64)
			if ok && alsoOK {
				return complex(re, im), nil
			}
		}
	case "getattr":
		if len(args) == 2 && args[0] == any(zoneInfoClass) && args[1] == "_unpickle" {
			return zoneInfoMaker, nil
		}
	}
	return nil, nil
}

var (
	zoneInfoClass = Class{Module: "zoneinfo", Name: "ZoneInfo"}
	zoneInfoMaker = Class{Module: "zoneinfo", Name: "ZoneInfo._unpickle"}
)

// latin1 is how protocols 0 to 2 write bytes: _codecs.encode(text, "latin1").
func (m *machine) latin1(name string, args Tuple) (any, error) {
	if name != "encode" || len(args) != 2 || args[1] != "latin1" {
		return nil, nil
	}
	text, ok := args[0].(string)
	if !ok {
		return nil, nil
	}
	if err := m.budget.take(2*len(text) + boxSize); err != nil {
		return nil, err
	}
	data := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil, malformed("text is not Latin-1")
		}
		data = append(data, byte(r))
	}
	return Bytes(data), nil
}

func (m *machine) collection(name string, args Tuple) (any, error) {
	switch {
	case name == "OrderedDict" && len(args) == 0:
		return new(OrderedDict), m.budget.take(2 * dictSize)
	case name == "defaultdict" && len(args) == 0:
		return new(DefaultDict), m.budget.take(2 * dictSize)
	case name == "defaultdict" && len(args) == 1:
		switch args[0].(type) {
		case nil, Class, *Object:
			m.nested++
			return &DefaultDict{Factory: args[0]}, m.budget.take(2 * dictSize)
		}
	}
	return nil, nil
}

// dateOrTime is a value of the module datetime.
func dateOrTime(name string, args Tuple) any {
	switch name {
	case "timedelta":
		return timeDelta(args)
	case "timezone":
		return timezone(args)
	}
	if len(args) == 0 || len(args) > 2 {
		return nil
	}
	packed, ok := args[0].(Bytes)
	if !ok {
		return nil
	}
	var zone Zone
	if len(args) == 2 {
		if zone, ok = args[1].(Zone); !ok {
			return nil
		}
	}
	switch name {
	case "datetime":
		if dt, ok := unpackDateTime(packed); ok {
			dt.Zone = zone
			return dt
		}
	case "time":
		if t, ok := unpackTime(packed); ok {
			t.Zone = zone
			return t
		}
	case "date":
		if d, ok := unpackDate(packed); ok && len(args) == 1 {
			return d
		}
	}
	return nil
}

func timeDelta(args Tuple) any {
	if len(args) != 3 {
		return nil
	}
	var parts [3]int
	for i, arg := range args {
		n, ok := arg.(int64)
		if !ok {
			return nil
		}
		parts[i] = int(n)
	}
	if td, ok := NewTimeDelta(parts[0], parts[1], parts[2]); ok {
		return td
	}
	return nil
}

func timezone(args Tuple) any {
	if len(args) == 0 || len(args) > 2 {
		return nil
	}
	td, ok := args[0].(TimeDelta)
	if !ok {
		return nil
	}
	offset, ok := td.Duration()
	if !ok || offset <= -24*time.Hour || offset >= 24*time.Hour {
		return nil
	}
	if len(args) == 2 {
		if name, ok := args[1].(string); ok && name != "" && len(name) <= maxZoneName {
			return FixedZone{Offset: offset, Name: name}
		}
		return nil
	}
	if offset == 0 {
		return UTC{}
	}
	return FixedZone{Offset: offset}
}

// maxZoneName is the length of the longest name of a zone that becomes a value.
const maxZoneName = 255

// namedZone is a zone of zoneinfo or pytz.
func namedZone(class Class, args Tuple) any {
	switch {
	case class == zoneInfoMaker && len(args) == 2:
		key, ok := args[0].(string)
		cached, alsoOK := args[1].(int64)
		if ok && alsoOK && len(key) <= maxZoneName {
			return ZoneInfo{Key: key, Uncached: cached == 0}
		}
	case class == Class{Module: "pytz", Name: "_UTC"} && len(args) == 0:
		return PytzUTC{}
	case class == Class{Module: "pytz", Name: "FixedOffset"}:
		if minutes, ok := only[int64](args); ok && -1440 < minutes && minutes < 1440 {
			return PytzFixed{Minutes: int(minutes)}
		}
	case class == Class{Module: "pytz", Name: "_p"}:
		return pytzZone(args)
	}
	return nil
}

func pytzZone(args Tuple) any {
	if name, ok := only[string](args); ok && len(name) <= maxZoneName {
		return PytzZone{Zone: name}
	}
	if len(args) != 4 {
		return nil
	}
	name, nameOK := args[0].(string)
	offset, offsetOK := args[1].(int64)
	dst, dstOK := args[2].(int64)
	abbreviation, abbreviationOK := args[3].(string)
	if !nameOK || !offsetOK || !dstOK || !abbreviationOK || max(len(name), len(abbreviation)) > maxZoneName ||
		max(offset, -offset, dst, -dst) >= secondsPerDay {
		return nil
	}
	return PytzZone{Zone: name, Varies: true, Offset: int(offset), DST: int(dst), Name: abbreviation}
}

func (m *machine) decimalNumber(name string, args Tuple) (any, error) {
	text, ok := only[string](args)
	if !ok || name != "Decimal" {
		return nil, nil
	}
	if err := m.budget.take(4 * len(text)); err != nil {
		return nil, err
	}
	if d, ok := newDecimal(text); ok {
		return d, nil
	}
	return nil, nil
}

func lazyString(name string, args Tuple) any {
	if name != lazyClass.Name || len(args) < 3 {
		return nil
	}
	function, functionOK := args[0].(Class)
	positional, positionalOK := args[1].(Tuple)
	named, namedOK := args[2].(*Dict)
	if !functionOK || !positionalOK || !namedOK {
		return nil
	}
	return &LazyString{Func: function, Args: positional, Kwargs: named, Results: args[3:]}
}

// withState is the value of a new instance of class when it is given its state, or nil.
func withState(class Class, state any) any {
	attributes, ok := state.(*Dict)
	if !ok {
		return nil
	}
	switch class {
	case Class{Module: "uuid", Name: "UUID"}:
		return uuidWithState(attributes)
	case messageClass:
		level, levelOK := attributes.Get("level")
		message, messageOK := attributes.Get("message")
		tags, tagsOK := attributes.Get("extra_tags")
		number, numberOK := level.(int64)
		if levelOK && messageOK && tagsOK && numberOK && attributes.Len() == 3 {
			return &Message{Level: int(number), Message: message, ExtraTags: tags}
		}
	}
	return nil
}

func uuidWithState(attributes *Dict) any {
	number, _ := attributes.Get("int")
	u, ok := uuidFromInt(number)
	known := 1
	if safety, found := attributes.Get("is_safe"); found {
		if _, isInt := safety.(int64); isInt {
			known = 2
		}
	}
	if !ok || attributes.Len() != known {
		return nil
	}
	return u
}
