package djangocompat

import "iter"

// The keys under which login() keeps who is logged in.
const (
	AuthUserIDKey  = "_auth_user_id"      // the primary key as text
	AuthBackendKey = "_auth_user_backend" // the dotted path of the backend
	AuthHashKey    = "_auth_user_hash"    // the session auth hash
	ExpiryKey      = "_session_expiry"    // seconds, or the ISO text of a time
)

// SessionData is the dict of a session. It never changes, so it may be shared; With and Without return
// a changed copy. A value that was not touched keeps the JSON text that it was read from, byte by byte;
// reading one makes a fresh Go value each time. The zero SessionData is empty.
type SessionData struct {
	dict *sessionDict
}

type sessionDict struct{}

// ParseSessionData reads the JSON text of a dict as Python does: a byte that is not ASCII is a Latin-1
// character, NaN and the infinities are numbers, the last of equal keys wins.
func ParseSessionData(text []byte) (SessionData, error) { return SessionData{}, ErrMalformed }

// Len returns the number of keys.
func (d SessionData) Len() int { return 0 }

// Has reports whether there is a value under key.
func (d SessionData) Has(key string) bool { return false }

// Get returns the value under key.
func (d SessionData) Get(key string) (any, bool) { return nil, false }

// GetString returns the value under key if it is a text. It is the quick way to the _auth_ keys.
func (d SessionData) GetString(key string) (string, bool) { return "", false }

// RawJSON returns the JSON text of the value under key, in ASCII.
func (d SessionData) RawJSON(key string) (string, bool) { return "", false }

// Keys walks over the keys in the order of the dict.
func (d SessionData) Keys() iter.Seq[string] { return func(func(string) bool) {} }

// All walks over keys and values in the order of the dict.
func (d SessionData) All() iter.Seq2[string, any] { return func(func(string, any) bool) {} }

// With returns a copy that has v under key. An error means that v has no JSON form.
func (d SessionData) With(key string, v any) (SessionData, error) { return d, nil }

// Without returns a copy that has nothing under key.
func (d SessionData) Without(key string) SessionData { return d }

// Equal reports whether both have the same keys with the same JSON texts in the same order.
func (d SessionData) Equal(other SessionData) bool { return true }

// JSON returns the JSON text as Django writes it: ASCII, without spaces between the keys.
func (d SessionData) JSON() []byte { return []byte("{}") }

// MarshalJSON implements json.Marshaler. NaN and the infinities are written as Python writes them, and
// encoding/json refuses them: use JSON where they may occur.
func (d SessionData) MarshalJSON() ([]byte, error) { return d.JSON(), nil }
