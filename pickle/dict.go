package pickle

import (
	"iter"
	"slices"
)

// A Dict is a Python dict: it keeps the order in which keys came, and takes keys for equal as Python
// does (1, 1.0 and True are one key, "a" and b"a" are two). The zero Dict is empty and ready for use.
// Reading it from several goroutines is safe while nobody writes to it or to another dict or set of the
// same pickle.
type Dict struct {
	entries []Entry
	index   map[any]int32 // canonical key → place in entries, but for NaNs; nil while all keys are str and few
	keys    *keyring      // names for keys that are tuples and frozensets; nil without such
}

// An Entry is a key of a dict with its value.
type Entry struct {
	Key, Value any
}

// An OrderedDict is Python's collections.OrderedDict.
type OrderedDict struct {
	Dict
	state []any // attributes that were set on the object itself
}

// A DefaultDict is Python's collections.defaultdict.
type DefaultDict struct {
	Dict
	// Factory is the callable that makes missing values: a Class, an *Object, or nil.
	Factory any
}

// scanned is how many entries are looked through rather than indexed.
const scanned = 8

// NewDict makes the dict of entries; where a key comes twice the last value counts. It fails where a
// key is unhashable in Python, as a list is.
func NewDict(entries ...Entry) (*Dict, error) {
	d := new(Dict)
	for _, e := range entries {
		if err := d.Set(e.Key, e.Value); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// Len is the number of entries.
func (d *Dict) Len() int { return len(d.entries) }

// All walks the entries in order.
func (d *Dict) All() iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		for _, e := range d.entries {
			if !yield(e.Key, e.Value) {
				return
			}
		}
	}
}

// Get returns the value of key, and whether there is one.
func (d *Dict) Get(key any) (any, bool) {
	if i := d.find(key); i >= 0 {
		return d.entries[i].Value, true
	}
	return nil, false
}

// Set gives key a value; a key that is there already keeps its place. It fails where key is unhashable
// in Python.
func (d *Dict) Set(key, value any) error { return d.set(key, value, nil) }

// Delete takes key out, and reports whether it was there.
func (d *Dict) Delete(key any) bool {
	i := d.find(key)
	if i < 0 {
		return false
	}
	d.entries = slices.Delete(d.entries, i, i+1)
	if d.index == nil {
		return true
	}
	for canonical, place := range d.index {
		switch {
		case int(place) == i:
			delete(d.index, canonical)
		case int(place) > i:
			d.index[canonical] = place - 1
		}
	}
	return true
}

// find returns the place of key in entries, or -1.
func (d *Dict) find(key any) int {
	if len(d.entries) == 0 {
		return -1
	}
	canonical, ok := d.keys.lookup(key)
	if !ok {
		return -1
	}
	return d.place(canonical)
}

func (d *Dict) place(canonical any) int {
	if d.index != nil {
		if i, ok := d.index[canonical]; ok {
			return int(i)
		}
		return -1
	}
	name, ok := canonical.(string)
	if !ok {
		return -1
	}
	for i := range d.entries {
		if d.entries[i].Key == name {
			return i
		}
	}
	return -1
}

// set is Set with what it allocates taken from b.
func (d *Dict) set(key, value any, b *budget) error {
	if d.keys == nil && isComposite(key) {
		d.keys = new(keyring)
	}
	canonical, err := d.keys.canonical(key, b)
	if err != nil {
		return err
	}
	if i := d.place(canonical); i >= 0 {
		d.entries[i].Value = value
		return nil
	}
	if d.entries, err = reserve(b, d.entries, 1, entrySize); err != nil {
		return err
	}
	d.entries = append(d.entries, Entry{Key: key, Value: value})
	return d.indexLast(canonical, b)
}

// indexLast puts the newest entry into the index, and makes the index when it is time.
func (d *Dict) indexLast(canonical any, b *budget) error {
	last := len(d.entries) - 1
	if d.index == nil {
		_, canonicalIsStr := canonical.(string)
		_, keyIsStr := d.entries[last].Key.(string)
		if canonicalIsStr && keyIsStr && last < scanned {
			return nil
		}
		if err := b.take((last + 1) * indexSize); err != nil {
			return err
		}
		d.index = make(map[any]int32, last+1)
		for i, e := range d.entries[:last] { // all of them str, or there had been an index
			d.index[e.Key] = int32(i)
		}
	}
	if canonical == any(nanKey{}) {
		return nil
	}
	d.index[canonical] = int32(last)
	return b.take(indexSize)
}
