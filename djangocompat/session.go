package djangocompat

import (
	"context"
	"iter"
	"sync/atomic"
)

// SaveMode says what must be so before a session is saved.
type SaveMode uint8

// The ways to save a session.
const (
	MustCreate SaveMode = iota // the key must be free, else ErrSessionExists
	MustUpdate                 // the key must be in use, else ErrSessionGone
)

// Backend stores sessions. Package sessionstore has one for each of Django's session engines.
type Backend interface {
	// Exists reports whether a session is stored under key.
	Exists(ctx context.Context, key string) (bool, error)
	// Save stores s under s.Key(), with s.Data() and the expiry that s has, and returns the key
	// under which it is now found: another one only where the key is made of the data, as with
	// signed cookies.
	Save(ctx context.Context, s *Session, mode SaveMode) (key string, err error)
	// Delete removes what is stored under key, if anything is.
	Delete(ctx context.Context, key string) error
}

// Session is the session of one visitor. The zero Session is empty and belongs to nobody; it can be used,
// but not saved. Any number of goroutines may read it; who changes or saves it must be alone with it.
// Python: django.contrib.sessions.backends.base.SessionBase.
type Session struct {
	// Set at birth, never changed.
	backend Backend
	loaded  SessionData

	// Owned by whoever changes the session.
	key      string
	data     SessionData
	modified bool

	// Shared by all who read.
	accessed atomic.Bool
}

// NewSession makes the Session of data that was loaded by backend under key. A session that is not stored
// has the key "".
func NewSession(key string, data SessionData, backend Backend) *Session {
	return &Session{key: key, data: data, loaded: data, backend: backend}
}

// Clone returns a Session of its own that shares the data until one of the two changes it.
func (s *Session) Clone() *Session {
	return &Session{key: s.key, data: s.data, loaded: s.loaded, modified: s.modified, backend: s.backend}
}

// Key returns the session key; "" if the session is not stored.
func (s *Session) Key() string { return s.key }

// Data returns the data as it is now.
func (s *Session) Data() SessionData { return s.data }

// Accessed reports whether a value was asked for or set, so that an answer depends on the cookie.
func (s *Session) Accessed() bool { return s.accessed.Load() }

// Modified reports whether there is something to save.
func (s *Session) Modified() bool { return s.modified }

// IsEmpty reports whether there is neither a key nor a value.
func (s *Session) IsEmpty() bool { return s.key == "" && s.data.Len() == 0 }

// Len returns the number of values.
func (s *Session) Len() int { return s.data.Len() }

// Has reports whether there is a value under key.
func (s *Session) Has(key string) bool { return s.data.Has(key) }

// Get returns the value under key, made anew: changing it does not change the session.
func (s *Session) Get(key string) (any, bool) { return s.data.Get(key) }

// GetString returns the value under key if it is a text.
func (s *Session) GetString(key string) (string, bool) { return s.data.GetString(key) }

// Keys walks over the keys in the order of the dict.
func (s *Session) Keys() iter.Seq[string] { return s.data.Keys() }

// Set puts v under key. If v has no JSON form, Save says so.
func (s *Session) Set(key string, v any) {}

// Delete removes the value under key.
func (s *Session) Delete(key string) {}

// Pop removes the value under key and returns it.
func (s *Session) Pop(key string) (any, bool) { return nil, false }

// Clear removes all values.
func (s *Session) Clear() {}

// Rebase returns newer with the changes that were made to s since it was loaded: for a backend that finds
// that somebody else has saved the session meanwhile.
func (s *Session) Rebase(newer SessionData) SessionData { return newer }

// Save stores the session; one without a key gets one. ErrSessionGone means that it was deleted
// meanwhile, as by a logout.
func (s *Session) Save(ctx context.Context) error { return ErrNoBackend }

// Create stores the session under a new key. What was stored under the old one remains.
func (s *Session) Create(ctx context.Context) error { return ErrNoBackend }

// Flush deletes the session and its data; it is then empty and has no key.
func (s *Session) Flush(ctx context.Context) error { return ErrNoBackend }

// CycleKey moves the session to a new key, as at login, so that nobody who knew the old one can use it.
func (s *Session) CycleKey(ctx context.Context) error { return ErrNoBackend }
