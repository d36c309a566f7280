package djangocompat

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/big"

	"github.com/belleville/belleville/pickle"
)

// pickledDict is a dict as a pickle. Values that nobody can change are at hand; for the others the pickle
// is decoded once more, so that each reader gets its own.
type pickledDict struct {
	data    []byte
	size    int              // how many keys there are
	entries []pickledEntry   // those whose key is a text
	index   map[string]int32 // by key, where there are more than indexedFrom entries
}

type pickledEntry struct {
	key   string
	value any
	kept  bool // value is the value; else it must be decoded
}

// maxShownJSON bounds the JSON text that is made of pickled values, in bytes: a shared value is written
// each time.
const maxShownJSON = 4 << 20

// ParsePickledSession reads the pickle of a dict, as PickleSerializer and Django's cache engines store it.
// An error is ErrTooLarge or ErrMalformed, and wraps the *pickle.OpcodeError if there is one.
func ParsePickledSession(data []byte, maxBytes int) (SessionData, error) {
	if len(data) > maxBytes {
		return SessionData{}, ErrTooLarge
	}
	return parsePickled(bytes.Clone(data), pickle.Config{MaxBytes: max(maxBytes, 1)})
}

// parsePickled makes the data of a pickle, which it keeps.
func parsePickled(data []byte, cfg pickle.Config) (SessionData, error) {
	root, err := pickle.Decode(data, cfg)
	switch {
	case errors.Is(err, pickle.ErrLimit):
		return SessionData{}, fmt.Errorf("%w: %w", ErrTooLarge, err)
	case err != nil:
		return SessionData{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	dict := dictOf(root)
	if dict == nil {
		return SessionData{}, ErrMalformed
	}
	p := &pickledDict{data: data, size: dict.Len()}
	for key, v := range dict.All() {
		if name, ok := textOf(key); ok {
			v, kept := unchangeable(v)
			p.entries = append(p.entries, pickledEntry{name, v, kept})
		}
	}
	if len(p.entries) > indexedFrom {
		p.index = make(map[string]int32, len(p.entries))
		for i, e := range p.entries {
			p.index[e.key] = int32(i)
		}
	}
	return SessionData{pickled: p}, nil
}

// dictOf returns the dict that a session may be; nil if v is none.
func dictOf(v any) *pickle.Dict {
	switch v := v.(type) {
	case *pickle.Dict:
		return v
	case *pickle.OrderedDict:
		return &v.Dict
	case *pickle.DefaultDict:
		return &v.Dict
	}
	return nil
}

// textOf returns a Python str.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case pickle.SafeString:
		return string(v), true
	}
	return "", false
}

// unchangeable returns v, and whether everybody may have the same.
func unchangeable(v any) (any, bool) {
	switch t := v.(type) {
	case nil, bool, int64, float64, complex128, string, pickle.SafeString, pickle.Bytes, pickle.Decimal,
		pickle.UUID, pickle.Date, pickle.TimeDelta, pickle.Class:
		return v, true
	case pickle.DateTime:
		_, opaque := t.Zone.(*pickle.Object)
		return v, !opaque
	}
	return nil, false
}

// decode returns a value that is the caller's alone, and the dict that it is.
func (p *pickledDict) decode() (any, *pickle.Dict) {
	root, err := pickle.Decode(p.data, ownPickle())
	if err != nil { // it was decoded before, within less
		root = new(pickle.Dict)
	}
	return root, dictOf(root)
}

// ownPickle bounds what was decoded before, or made here.
func ownPickle() pickle.Config {
	const far = math.MaxInt32
	return pickle.Config{MaxBytes: far, MaxOps: far, MaxElements: far, MaxMemo: far, MaxMemory: far}
}

// find returns where key is, or -1.
func (p *pickledDict) find(key string) int {
	if p.index != nil {
		if i, ok := p.index[key]; ok {
			return int(i)
		}
		return -1
	}
	for i := range p.entries {
		if p.entries[i].key == key {
			return i
		}
	}
	return -1
}

func (p *pickledDict) get(key string) (any, bool) {
	i := p.find(key)
	if i < 0 {
		return nil, false
	}
	if e := p.entries[i]; e.kept {
		return e.value, true
	}
	_, dict := p.decode()
	return dict.Get(key)
}

func (p *pickledDict) text(key string) (string, bool) {
	if i := p.find(key); i >= 0 {
		return textOf(p.entries[i].value)
	}
	return "", false
}

func (p *pickledDict) rawJSON(key string) (string, bool) {
	v, ok := p.get(key)
	if !ok {
		return "", false
	}
	text, err := shownJSON(v)
	return string(text), err == nil
}

func shownJSON(v any) ([]byte, error) { return pickle.AppendJSON(nil, v, maxShownJSON) }

func (p *pickledDict) keys() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range p.entries {
			if !yield(p.entries[i].key) {
				return
			}
		}
	}
}

func (p *pickledDict) all() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		_, dict := p.decode()
		for key, v := range dict.All() {
			if name, ok := textOf(key); ok && !yield(name, v) {
				return
			}
		}
	}
}

func (p *pickledDict) equal(other *pickledDict) bool {
	return p == other || bytes.Equal(p.data, other.data)
}

// changed returns the data that is left when change has changed the dict.
func (p *pickledDict) changed(change func(*pickle.Dict) error) (SessionData, error) {
	root, dict := p.decode()
	if err := change(dict); err != nil {
		return SessionData{}, err
	}
	data, err := pickle.Encode(root)
	if err != nil {
		return SessionData{}, err
	}
	return parsePickled(data, ownPickle())
}

// rebase puts the changes that made p of base onto another dict.
func (p *pickledDict) rebase(base, onto *pickledDict) (SessionData, error) {
	return onto.changed(func(dict *pickle.Dict) error {
		_, ours := p.decode()
		_, before := base.decode()
		for key := range before.All() {
			if _, ok := ours.Get(key); !ok {
				dict.Delete(key)
			}
		}
		for key, v := range ours.All() {
			old, ok := before.Get(key)
			if ok && sameValue(old, v) {
				continue
			}
			if err := dict.Set(key, v); err != nil {
				return err
			}
		}
		return nil
	})
}

// sameValue reports whether two values have the same pickle.
func sameValue(a, b any) bool {
	switch a := a.(type) {
	case nil, bool, int64, string:
		return a == b
	case *big.Int:
		b, ok := b.(*big.Int)
		return ok && a.Cmp(b) == 0
	}
	one, err := pickle.Encode(a)
	if err != nil {
		return false
	}
	other, err := pickle.Encode(b)
	return err == nil && bytes.Equal(one, other)
}

// without returns the data without a key.
func (p *pickledDict) without(key string) SessionData {
	d, err := p.changed(func(dict *pickle.Dict) error {
		dict.Delete(key)
		return nil
	})
	if err != nil { // what is left was written before
		return emptyPickle()
	}
	return d
}
