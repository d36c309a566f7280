package djangocompat

import (
	"fmt"

	"github.com/belleville/belleville/pickle"
)

// Serializer is a site's SESSION_SERIALIZER. The zero Serializer is JSON, as in Django.
type Serializer uint8

// The serializers that Django has.
const (
	JSONSerializer Serializer = iota
	PickleSerializer
)

const serializers = "django.contrib.sessions.serializers."

// ParseSerializer returns the serializer of a dotted path. One of a site's own is refused: what it writes
// is known only to its code.
func ParseSerializer(path string) (Serializer, error) {
	for _, s := range []Serializer{JSONSerializer, PickleSerializer} {
		if path == s.String() {
			return s, nil
		}
	}
	return 0, fmt.Errorf("the session serializer %q is not Django's: only %q and %q can be read without running it",
		path, JSONSerializer, PickleSerializer)
}

// String returns the dotted path.
func (s Serializer) String() string {
	if s == PickleSerializer {
		return serializers + "PickleSerializer"
	}
	return serializers + "JSONSerializer"
}

// Empty returns the empty data of a new session. Values that are put into it are of the serializer's kind.
func (s Serializer) Empty() SessionData {
	if s == PickleSerializer {
		return emptyPickle()
	}
	return SessionData{}
}

func emptyPickle() SessionData {
	return SessionData{pickled: &pickledDict{data: []byte("\x80\x04}\x94.")}}
}

// Convert returns d as if it had been written and read by the serializer. JSON turns the tuples of a pickle
// into lists, and keys that are numbers into texts; where it cannot represent a value there is an error, as
// a TypeError in Python.
func (s Serializer) Convert(d SessionData) (SessionData, error) {
	switch {
	case s == PickleSerializer && d.pickled == nil:
		data, err := d.Pickle()
		if err != nil {
			return SessionData{}, err
		}
		return parsePickled(data, ownPickle())
	case s == JSONSerializer && d.pickled != nil:
		root, _ := d.pickled.decode()
		text, err := jsonOfPython(root)
		if err != nil {
			return SessionData{}, err
		}
		return parseSession(string(text))
	}
	return d, nil
}

// dump returns what the serializer makes of d. Python: dumps.
func (s Serializer) dump(d SessionData) ([]byte, error) {
	if s == PickleSerializer {
		return d.Pickle()
	}
	d, err := s.Convert(d)
	if err != nil {
		return nil, err
	}
	return []byte(d.text()), nil
}

// load reads what dump has made. Python: loads.
func (s Serializer) load(data []byte, maxBytes int) (SessionData, error) {
	if s == PickleSerializer {
		return ParsePickledSession(data, maxBytes)
	}
	d, err := parseSession(string(data))
	if err != nil && looksPickled(data) {
		err = ErrPickled
	}
	return d, err
}

// looksPickled reports whether data, which is no JSON, begins or ends as a pickle must.
func looksPickled(data []byte) bool {
	return len(data) > 0 && (data[0] == 0x80 || data[len(data)-1] == '.')
}

// python returns the dict that Python's json.loads gives.
func (d *sessionDict) python() *pickle.Dict {
	dict := new(pickle.Dict)
	for _, m := range d.each {
		r := pythonReader{jsonReader{m.value}}
		_ = dict.Set(m.name(), r.value()) // a text is hashable
	}
	return dict
}
