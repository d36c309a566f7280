package djangocompat

import (
	"errors"
	"math/big"
	"strconv"

	"github.com/belleville/belleville/pickle"
)

// pythonReader reads checked JSON into the values of package pickle.
type pythonReader struct{ jsonReader }

func (r *pythonReader) value() any {
	switch r.rest[0] {
	case '{':
		return r.dict()
	case '[':
		return r.list()
	}
	return r.jsonReader.value()
}

func (r *pythonReader) list() *pickle.List {
	l := pickle.NewList()
	r.rest = r.rest[1:]
	for r.more() {
		l.Items = append(l.Items, r.value())
	}
	return l
}

func (r *pythonReader) dict() *pickle.Dict {
	d := new(pickle.Dict)
	r.rest = r.rest[1:]
	for r.more() {
		key := unquoteJSON(r.quoted())
		r.space()
		r.rest = r.rest[1:]
		r.space()
		_ = d.Set(key, r.value()) // a text is hashable
	}
	return d
}

var (
	errNotJSON  = errors.New("djangocompat: a pickled value has no JSON form")
	errLongJSON = errors.New("djangocompat: the JSON text of pickled values is too long")
)

// jsonOfPython returns the JSON text of v as json.dumps writes it for Django, or why that raises.
func jsonOfPython(v any) ([]byte, error) { return appendPython(nil, v, 0) }

// appendPython appends the JSON text of v. A value that is inside itself is too deep.
func appendPython(b []byte, v any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	if len(b) > maxShownJSON {
		return nil, errLongJSON
	}
	switch v := v.(type) {
	case nil, bool, int64, *big.Int, float64, string:
		return appendJSON(b, v, depth)
	case pickle.SafeString:
		return appendQuoted(b, string(v))
	case *pickle.List:
		return appendPythonList(b, v.Items, depth)
	case pickle.Tuple:
		return appendPythonList(b, v, depth)
	}
	if dict := dictOf(v); dict != nil {
		return appendPythonDict(b, dict, depth)
	}
	return nil, errNotJSON
}

func appendPythonList(b []byte, items []any, depth int) ([]byte, error) {
	b = append(b, '[')
	var err error
	for i, v := range items {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendPython(b, v, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendPythonDict(b []byte, dict *pickle.Dict, depth int) ([]byte, error) {
	start := len(b)
	b = append(b, '{')
	for key, v := range dict.All() {
		if len(b) > start+1 {
			b = append(b, ',')
		}
		name, err := pythonKey(key)
		if err != nil {
			return nil, err
		}
		if b, err = appendQuoted(b, name); err != nil {
			return nil, err
		}
		if b, err = appendPython(append(b, ':'), v, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// pythonKey returns the text that json.dumps makes of a key.
func pythonKey(key any) (string, error) {
	switch key := key.(type) {
	case string:
		return key, nil
	case pickle.SafeString:
		return string(key), nil
	case nil:
		return "null", nil
	case bool:
		return strconv.FormatBool(key), nil
	case int64, *big.Int, float64:
		text, err := appendJSON(nil, key, 0)
		return string(text), err
	}
	return "", errNotJSON
}
