package channellayer

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"unicode/utf8"
)

const (
	// MaxDepth is how deep lists and maps may stand in each other in an event, which counts itself.
	MaxDepth = 64

	// MaxElements is how many values an event may hold, with those in its lists and maps.
	MaxElements = 1 << 20

	// channelKey is where the layers of channels_redis note the channels of an event.
	channelKey = "__asgi_channel__"
)

// An Event is what travels over a channel layer: Channels' dict with a "type".
//
// Its values are nil, bool, int64, float64, string, []byte, []any and map[string]any: what msgpack and
// Python have in common. [NewEvent] makes one from a Go struct, [Event.Decode] a struct from it.
type Event map[string]any

// NewEvent returns the event of a type whose other keys are the fields of v, which is a struct, a map, or nil
// where there are none. What v says about "type" does not count; keys that begin with "__" are reserved, and
// refused like all that [ValueOf] refuses.
func NewEvent(typ string, v any) (Event, error) {
	value, err := ValueOf(v)
	if err != nil {
		return nil, err
	}
	fields, ok := value.(map[string]any)
	if !ok && value != nil {
		return nil, fmt.Errorf("%w: made from %T, which has no keys", ErrInvalidEvent, v)
	}
	e := Event(fields)
	if e == nil {
		e = make(Event, 1)
	}
	for key := range e {
		if strings.HasPrefix(key, "__") {
			return nil, fmt.Errorf("%w: a key begins with __, which is reserved", ErrInvalidEvent)
		}
	}
	e["type"] = typ
	if err := checkType(e); err != nil {
		return nil, err
	}
	return e, nil
}

// GapType is the type of the event that a layer sends to every channel of this process when it was cut off for a
// while and is back: what was sent meanwhile may be missing. A consumer that does not handle it is not told.
const GapType = "layer.gap"

// Type returns the event's type, as in "chat.message", or "" where it has none.
func (e Event) Type() string {
	t, _ := e["type"].(string)
	return t
}

// Decode stores the event in what into points to, by its json tags, as json.Unmarshal would. It is
// more lenient in numbers: a float without fraction fits an integer. Names must match exactly, keys without a
// field are ignored, fields without a key stay as they are. Nothing of the event is shared with into.
func (e Event) Decode(into any) error {
	p := reflect.ValueOf(into)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("channellayer: decode into %T, which is no pointer to anything", into)
	}
	return assign(p.Elem(), map[string]any(e), 1)
}

// Check returns an error that wraps [ErrInvalidEvent] unless every layer can carry e: it has a type, is no
// deeper than [MaxDepth] and no larger than [MaxElements], its strings are valid UTF-8, its values are of the
// types that stand at [Event], and it does not have the key "__asgi_channel__", which layers write.
func (e Event) Check() error {
	if err := checkType(e); err != nil {
		return err
	}
	if _, reserved := e[channelKey]; reserved {
		return fmt.Errorf("%w: it has the reserved key %s", ErrInvalidEvent, channelKey)
	}
	left := MaxElements
	return check(map[string]any(e), 1, &left)
}

// Clone returns a copy that shares nothing with e, which has passed [Event.Check].
func (e Event) Clone() Event {
	return Event(cloneMap(e))
}

func checkType(e Event) error {
	switch t := e.Type(); {
	case t == "":
		return fmt.Errorf("%w: it has no type", ErrInvalidEvent)
	case !utf8.ValidString(t):
		return fmt.Errorf("%w: its type is not UTF-8", ErrInvalidEvent)
	}
	return nil
}

// check is Event.Check for what stands at depth; left counts down the values that are still allowed.
func check(v any, depth int, left *int) error {
	if *left--; *left < 0 {
		return errTooLarge()
	}
	switch v := v.(type) {
	case nil, bool, int64, float64, []byte:
		return nil
	case string:
		return checkString(v)
	case []any:
		if depth > MaxDepth {
			return errTooDeep()
		}
		for _, x := range v {
			if err := check(x, depth+1, left); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		return checkMap(v, depth, left)
	default:
		return fmt.Errorf("%w: it holds a value of type %T, see NewEvent", ErrInvalidEvent, v)
	}
}

func checkMap(m map[string]any, depth int, left *int) error {
	if depth > MaxDepth {
		return errTooDeep()
	}
	for key, x := range m {
		if err := checkString(key); err != nil {
			return err
		}
		if err := check(x, depth+1, left); err != nil {
			return err
		}
	}
	return nil
}

func checkString(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%w: a string in it is not UTF-8", ErrInvalidEvent)
	}
	return nil
}

func errTooDeep() error {
	return fmt.Errorf("%w: deeper than %d levels", ErrInvalidEvent, MaxDepth)
}

func errTooLarge() error {
	return fmt.Errorf("%w: more than %d values", ErrInvalidEvent, MaxElements)
}

// clone copies an Event's value.
func clone(v any) any {
	switch v := v.(type) {
	case []byte:
		return bytes.Clone(v)
	case []any:
		if v == nil {
			return v
		}
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = clone(x)
		}
		return list
	case map[string]any:
		return cloneMap(v)
	default:
		return v
	}
}

func cloneMap(m map[string]any) map[string]any {
	c := maps.Clone(m)
	for key, x := range c {
		switch x.(type) {
		case []byte, []any, map[string]any:
			c[key] = clone(x)
		}
	}
	return c
}
