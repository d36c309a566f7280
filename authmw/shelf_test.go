package authmw_test

import (
	"context"
	"maps"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// shelf keeps sessions in memory: a Store of visitors who are nobody, and their sessions' Backend.
type shelf struct {
	rows map[string]djangocompat.SessionData
}

// newShelf returns a shelf with one session, of one value.
func newShelf(key string) *shelf {
	data, err := djangocompat.SessionData{}.With("a", int64(1))
	if err != nil {
		panic(err)
	}
	return &shelf{map[string]djangocompat.SessionData{key: data}}
}

// Load implements authmw.Store.
func (f *shelf) Load(_ context.Context, key string) (*djangocompat.Session, error) {
	data, ok := f.rows[key]
	if !ok {
		key = ""
	}
	return djangocompat.NewSession(key, data, f), nil
}

// User implements authmw.Store.
func (*shelf) User(context.Context, *djangocompat.Session) (*djangocompat.User, error) {
	return new(djangocompat.User), nil
}

// Save implements djangocompat.Backend.
func (f *shelf) Save(_ context.Context, s *djangocompat.Session, mode djangocompat.SaveMode) (string, error) {
	_, ok := f.rows[s.Key()]
	switch {
	case ok && mode == djangocompat.MustCreate:
		return "", djangocompat.ErrSessionExists
	case !ok && mode == djangocompat.MustUpdate:
		return "", djangocompat.ErrSessionGone
	}
	f.rows[s.Key()] = s.Data()
	return s.Key(), nil
}

// Replace implements djangocompat.Backend.
func (f *shelf) Replace(ctx context.Context, old string, s *djangocompat.Session) (string, error) {
	delete(f.rows, old)
	return f.Save(ctx, s, djangocompat.MustCreate)
}

// Delete implements djangocompat.Backend.
func (f *shelf) Delete(_ context.Context, key string) error {
	delete(f.rows, key)
	return nil
}

// keys returns the keys of all sessions.
func (f *shelf) keys() []string {
	var keys []string
	for key := range maps.Keys(f.rows) {
		keys = append(keys, key)
	}
	return keys
}

// httpVisit makes the Scope of an HTTP request with these Cookie headers.
func httpVisit(cookies ...string) *consumers.Scope {
	s := visit(cookies...)
	s.Type, s.Method, s.Path = consumers.TypeHTTP, "GET", "/"
	return s
}
