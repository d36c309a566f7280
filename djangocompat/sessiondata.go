package djangocompat

import (
	"iter"

	"github.com/belleville/belleville/pickle"
)

// The keys under which a session keeps what Django itself needs.
const (
	AuthUserIDKey  = "_auth_user_id"      // the primary key as text
	AuthBackendKey = "_auth_user_backend" // the dotted path of the backend
	AuthHashKey    = "_auth_user_hash"    // the session auth hash
	ExpiryKey      = "_session_expiry"    // seconds, or the ISO text of a time; in a pickle also a datetime
)

// SessionData is the dict of a session. It never changes, so it may be shared; With and Without return a
// changed copy. The zero SessionData is empty.
//
// It was read from JSON or from a pickle, as the site's serializer and engine have it, and what is made of
// it remains so. In JSON, a value that was not touched keeps the text that it was read from, byte by byte,
// and the package's table has the Go values. A pickle that was not touched is written back byte by byte,
// the values are those of package pickle, objects that are referred to twice stay so when another key is
// changed, and keys that are no texts remain, though only Len, Pickle and JSON know of them. Either way a
// value is made anew each time that it is read: changing it does not change the session.
type SessionData struct {
	dict    *sessionDict // of JSON
	pickled *pickledDict // or of a pickle; where both are nil there is the empty dict
}

// ParseSessionData reads the JSON text of a dict as Python does: a byte that is not ASCII is a Latin-1
// character, NaN and the infinities are numbers, the last of equal keys wins.
func ParseSessionData(text []byte) (SessionData, error) { return parseSession(string(text)) }

func parseSession(text string) (SessionData, error) {
	if int64(len(text)) > 1<<31 {
		return SessionData{}, ErrTooLarge
	}
	var few [8]pair
	pairs, wide, ok := scanDict(few[:0], text)
	if !ok {
		return SessionData{}, ErrMalformed
	}
	if wide {
		return parseSession(escapeLatin1(text))
	}
	if !canonical(text, pairs) {
		return SessionData{dict: buildDict(unique(text, pairs))}, nil
	}
	return SessionData{dict: newDict(text, pairs)}, nil
}

// IsPickled reports whether the data was read from a pickle, so that its values are those of package
// pickle, and With takes what pickle.Encode takes.
func (d SessionData) IsPickled() bool { return d.pickled != nil }

// Len returns the number of keys.
func (d SessionData) Len() int {
	if d.pickled != nil {
		return d.pickled.size
	}
	return d.dict.len()
}

// Has reports whether there is a value under key.
func (d SessionData) Has(key string) bool {
	if d.pickled != nil {
		return d.pickled.find(key) >= 0
	}
	_, at := d.dict.find(key)
	return at >= 0
}

// RawJSON returns the JSON text of the value under key. It is ASCII. A value from a pickle is shown as by
// pickle.AppendJSON; there is no text of one that takes too much room, because it is shared too often.
func (d SessionData) RawJSON(key string) (string, bool) {
	if d.pickled != nil {
		return d.pickled.rawJSON(key)
	}
	m, at := d.dict.find(key)
	return m.value, at >= 0
}

// Get returns the value under key.
func (d SessionData) Get(key string) (any, bool) {
	if d.pickled != nil {
		return d.pickled.get(key)
	}
	raw, ok := d.RawJSON(key)
	if !ok {
		return nil, false
	}
	return jsonValue(raw), true
}

// GetString returns the value under key if it is a text. It is the quick way to the three _auth_ keys: it
// copies nothing where the text has no escapes.
func (d SessionData) GetString(key string) (string, bool) {
	if d.pickled != nil {
		return d.pickled.text(key)
	}
	raw, ok := d.RawJSON(key)
	if !ok || raw[0] != '"' {
		return "", false
	}
	return unquoteJSON(raw), true
}

// Keys walks over the keys in the order of the dict.
func (d SessionData) Keys() iter.Seq[string] {
	if d.pickled != nil {
		return d.pickled.keys()
	}
	return func(yield func(string) bool) {
		for _, m := range d.dict.each {
			if !yield(m.name()) {
				return
			}
		}
	}
}

// All walks over keys and values in the order of the dict.
func (d SessionData) All() iter.Seq2[string, any] {
	if d.pickled != nil {
		return d.pickled.all()
	}
	return func(yield func(string, any) bool) {
		for _, m := range d.dict.each {
			if !yield(m.name(), jsonValue(m.value)) {
				return
			}
		}
	}
}

// Equal reports whether both have the same keys with the same values in the same order, as far as their
// JSON texts or their pickles tell: they are compared byte by byte.
func (d SessionData) Equal(other SessionData) bool {
	switch {
	case d.pickled == nil && other.pickled == nil:
		return d.dict == other.dict || d.text() == other.text()
	case d.pickled == nil || other.pickled == nil:
		return d.Len() == 0 && other.Len() == 0
	default:
		return d.pickled.equal(other.pickled)
	}
}

// JSON returns the JSON text: ASCII, no spaces between keys and values. Of data that was read from JSON it
// is the text as Django writes it. Of a pickle it is what pickle.AppendJSON shows, with {"$type": …} for
// what JSON lacks; nil if that takes too much room, and then MarshalJSON has the error.
func (d SessionData) JSON() []byte {
	text, err := d.MarshalJSON()
	if err != nil {
		return nil
	}
	return text
}

// MarshalJSON implements json.Marshaler. NaN and the infinities of JSON are written as Python writes them,
// which encoding/json refuses: use JSON where they may occur.
func (d SessionData) MarshalJSON() ([]byte, error) {
	if d.pickled != nil {
		root, _ := d.pickled.decode()
		return shownJSON(root)
	}
	return []byte(d.text()), nil
}

// text returns the JSON text of data that is no pickle.
func (d SessionData) text() string {
	if d.dict == nil {
		return "{}"
	}
	return d.dict.json()
}

// Pickle returns the pickle of the dict, which every supported Django reads: of a pickle that was read and
// not changed the same bytes, of JSON the pickle of the dict that Python's json.loads gives. An error means
// that it would be too large.
func (d SessionData) Pickle() ([]byte, error) {
	if d.pickled != nil {
		return append([]byte(nil), d.pickled.data...), nil
	}
	return pickle.Encode(d.dict.python())
}

// Size returns about how many bytes the data takes in memory.
func (d SessionData) Size() int {
	const perKey = 32
	switch {
	case d.pickled != nil:
		return len(d.pickled.data) + perKey*d.pickled.size
	case d.dict != nil:
		return len(d.dict.text) + perKey*d.dict.len()
	default:
		return 0
	}
}
