package djangocompat

import (
	"slices"

	"github.com/belleville/belleville/pickle"
)

// With returns a copy that has v under key, in the place of an old value or at the end. An error means
// that v has no JSON form or, where the data is pickled, no pickle.
func (d SessionData) With(key string, v any) (SessionData, error) {
	if d.pickled != nil {
		changed, err := d.pickled.changed(func(dict *pickle.Dict) error { return dict.Set(key, v) })
		if err != nil {
			return d, err
		}
		return changed, nil
	}
	quoted, err := appendQuoted(nil, key)
	if err != nil {
		return d, err
	}
	raw, err := AppendJSON(nil, v)
	if err != nil {
		return d, err
	}
	return d.withMember(key, member{string(quoted), string(raw)}), nil
}

func (d SessionData) withMember(key string, m member) SessionData {
	members := d.dict.members()
	if _, i := d.dict.find(key); i >= 0 {
		members[i].value = m.value
	} else {
		members = append(members, m)
	}
	return SessionData{dict: buildDict(members)}
}

// Without returns a copy that has nothing under key.
func (d SessionData) Without(key string) SessionData {
	if !d.Has(key) {
		return d
	}
	if d.pickled != nil {
		return d.pickled.without(key)
	}
	_, i := d.dict.find(key)
	return SessionData{dict: buildDict(slices.Delete(d.dict.members(), i, i+1))}
}

// emptied returns the empty dict of the same kind.
func (d SessionData) emptied() SessionData {
	if d.pickled != nil {
		return emptyPickle()
	}
	return SessionData{}
}

// rebase returns onto with the changes that made d of base.
func (d SessionData) rebase(base, onto SessionData) SessionData {
	if onto.Equal(base) {
		return d
	}
	if d.pickled != nil || base.pickled != nil || onto.pickled != nil {
		return d.rebasePickled(base, onto)
	}
	for key := range base.Keys() {
		if !d.Has(key) {
			onto = onto.Without(key)
		}
	}
	for _, m := range d.dict.each {
		key := m.name()
		if old, ok := base.RawJSON(key); !ok || old != m.value {
			onto = onto.withMember(key, m)
		}
	}
	return onto
}

// rebasePickled is rebase where at least one is a pickle.
func (d SessionData) rebasePickled(base, onto SessionData) SessionData {
	var three [3]*pickledDict
	for i, data := range []SessionData{d, base, onto} {
		converted, err := PickleSerializer.Convert(data)
		if err != nil { // too large for a pickle
			return d
		}
		three[i] = converted.pickled
	}
	rebased, err := three[0].rebase(three[1], three[2])
	if err != nil {
		return d
	}
	return rebased
}
