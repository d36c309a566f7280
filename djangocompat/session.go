package djangocompat

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
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
	// Save stores s.Data() under s.Key(), until what s says of its expiry, and returns the key under
	// which it is now found: another one only where the key is made of the data, as with signed
	// cookies. A backend that finds other data stored than s.Loaded() calls s.Rebase before it writes.
	Save(ctx context.Context, s *Session, mode SaveMode) (key string, err error)
	// Replace is Save with MustCreate, and deletes what is stored under the key old: both or neither,
	// where it can.
	Replace(ctx context.Context, old string, s *Session) (key string, err error)
	// Delete removes what is stored under key, if anything is.
	Delete(ctx context.Context, key string) error
}

// Session is the session of one visitor. The zero Session is empty and belongs to no backend: it can be
// used, but not saved. Any number of goroutines may read it; who changes or saves it must be alone with
// it. Python: django.contrib.sessions.backends.base.SessionBase.
type Session struct {
	// Set at birth, never changed.
	backend Backend

	// Owned by whoever changes the session.
	key   string
	data  SessionData
	edits *edits // nil while nothing was changed

	// Shared by all who read.
	accessed atomic.Bool
}

// edits are what only a session has that was changed, as few are.
type edits struct {
	loaded   SessionData // what data was when it was loaded or saved
	failed   map[string]error
	modified bool
}

// clone returns a copy.
func (e *edits) clone() *edits {
	if e == nil {
		return nil
	}
	return &edits{e.loaded, maps.Clone(e.failed), e.modified}
}

// edited returns the edits of a session that is about to be changed.
func (s *Session) edited() *edits {
	if s.edits == nil {
		s.edits = &edits{loaded: s.data}
	}
	return s.edits
}

// NewSession makes the Session of data that backend has loaded from under key. A session that is not
// stored has the key "".
func NewSession(key string, data SessionData, backend Backend) *Session {
	return &Session{backend: backend, key: key, data: data}
}

// Clone returns a Session that shares the data of s until one of the two changes it.
func (s *Session) Clone() *Session {
	c := NewSession(s.key, s.data, s.backend)
	c.edits = s.edits.clone()
	return c
}

// Key returns the session key; "" if the session is not stored.
func (s *Session) Key() string { return s.key }

// Data returns the data as it is now.
func (s *Session) Data() SessionData { return s.data }

// Loaded returns the data as it was when it was loaded or last saved.
func (s *Session) Loaded() SessionData {
	if s.edits == nil {
		return s.data
	}
	return s.edits.loaded
}

// Accessed reports whether a value was asked for or set, so that an answer depends on the cookie.
func (s *Session) Accessed() bool { return s.accessed.Load() }

// Modified reports whether the session was changed since it was loaded. As in Django it remains so when
// the session is saved: the visitor's cookie is yet to be set.
func (s *Session) Modified() bool { return s.edits != nil && s.edits.modified }

// IsEmpty reports whether there is neither a key nor a value.
func (s *Session) IsEmpty() bool { return s.key == "" && s.data.Len() == 0 }

// Len returns the number of values.
func (s *Session) Len() int { return s.read().Len() }

// Has reports whether there is a value under key.
func (s *Session) Has(key string) bool { return s.read().Has(key) }

// Get returns the value under key, made anew: changing it does not change the session.
func (s *Session) Get(key string) (any, bool) { return s.read().Get(key) }

// GetString returns the value under key if it is a text.
func (s *Session) GetString(key string) (string, bool) { return s.read().GetString(key) }

// Keys walks over the keys in the order of the dict.
func (s *Session) Keys() iter.Seq[string] { return s.read().Keys() }

// All walks over keys and values in the order of the dict.
func (s *Session) All() iter.Seq2[string, any] { return s.read().All() }

// read returns the data, and notes that it was asked for.
func (s *Session) read() SessionData {
	if !s.accessed.Load() { // so that readers do not take the cache line from each other
		s.accessed.Store(true)
	}
	return s.data
}

// Set puts v under key. If v has no form in the site's serializer, the old value remains and Save returns
// the error, until a later Set or Delete of that key.
func (s *Session) Set(key string, v any) {
	data, err := s.data.With(key, v)
	delete(s.change(data).failed, key)
	if err != nil {
		s.fail(key, err)
	}
}

func (s *Session) fail(key string, err error) {
	e := s.edited()
	if e.failed == nil {
		e.failed = make(map[string]error)
	}
	e.failed[key] = err
}

// Delete removes the value under key.
func (s *Session) Delete(key string) {
	if s.edits != nil {
		delete(s.edits.failed, key)
	}
	if s.Has(key) {
		s.change(s.data.Without(key))
	}
}

// Pop removes the value under key and returns it.
func (s *Session) Pop(key string) (any, bool) {
	v, ok := s.Get(key)
	s.Delete(key)
	return v, ok
}

// Clear removes all values.
func (s *Session) Clear() {
	s.change(s.data.emptied()).failed = nil
}

func (s *Session) change(data SessionData) *edits {
	e := s.edited()
	s.data = data
	e.modified = true
	s.accessed.Store(true)
	return e
}

// Rebase puts the changes that were made to s since it was loaded onto newer, which somebody else has
// saved meanwhile; newer then is what s was loaded from.
func (s *Session) Rebase(newer SessionData) {
	e := s.edited()
	s.data = s.data.rebase(e.loaded, newer)
	e.loaded = newer
}

// Save stores the session; one without a key gets one. ErrSessionGone means that it was deleted meanwhile,
// as by a logout. Python: SessionStore.save.
func (s *Session) Save(ctx context.Context) error {
	if s.key == "" {
		return s.Create(ctx)
	}
	if err := s.savable(); err != nil {
		return err
	}
	key, err := s.backend.Save(ctx, s, MustUpdate)
	if err != nil {
		return err
	}
	s.saved(key)
	return nil
}

func (s *Session) savable() error {
	if s.backend == nil {
		return ErrNoBackend
	}
	if s.edits == nil {
		return nil
	}
	if keys := slices.Sorted(maps.Keys(s.edits.failed)); len(keys) > 0 {
		return s.edits.failed[keys[0]]
	}
	return nil
}

func (s *Session) saved(key string) {
	s.key = key
	if s.edits != nil {
		s.edits.loaded = s.data
	}
}

// maxKeyTries bounds the search for a key that is free. The first one is, unless something is broken.
const maxKeyTries = 8

// Create stores the session under a new key. What was stored under the old one remains.
// Python: SessionStore.create.
func (s *Session) Create(ctx context.Context) error {
	return s.create(func() (string, error) { return s.backend.Save(ctx, s, MustCreate) })
}

// CycleKey moves the session to a new key, as at login, so that whoever knew the old one has nothing.
// Python: SessionBase.cycle_key.
func (s *Session) CycleKey(ctx context.Context) error {
	old := s.key
	if old == "" {
		return s.Create(ctx)
	}
	return s.create(func() (string, error) { return s.backend.Replace(ctx, old, s) })
}

// create calls store with new keys until one is free.
func (s *Session) create(store func() (string, error)) error {
	if err := s.savable(); err != nil {
		return err
	}
	old := s.key
	err := ErrSessionExists
	for range maxKeyTries {
		s.key = NewSessionKey()
		var key string
		if key, err = store(); err == nil {
			s.change(s.data)
			s.saved(key)
			return nil
		}
		if !errors.Is(err, ErrSessionExists) {
			break
		}
	}
	s.key = old
	return err
}

// Flush removes the session's data and deletes what is stored; the session is then empty and has no key.
// Python: SessionBase.flush.
func (s *Session) Flush(ctx context.Context) error {
	s.Clear()
	if s.key == "" {
		return nil
	}
	if s.backend == nil {
		return ErrNoBackend
	}
	if err := s.backend.Delete(ctx, s.key); err != nil {
		return err
	}
	s.saved("")
	return nil
}
