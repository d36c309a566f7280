package djangocompat

import "slices"

// With returns a copy that has v under key, in the place of an old value or at the end. An error means
// that v has no JSON form.
func (d SessionData) With(key string, v any) (SessionData, error) {
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
	if i := d.dict.find(key); i >= 0 {
		members[i].value = m.value
	} else {
		members = append(members, m)
	}
	return SessionData{buildDict(members)}
}

// Without returns a copy that has nothing under key.
func (d SessionData) Without(key string) SessionData {
	i := d.dict.find(key)
	if i < 0 {
		return d
	}
	return SessionData{buildDict(slices.Delete(d.dict.members(), i, i+1))}
}

// rebase returns onto with the changes that made d of base.
func (d SessionData) rebase(base, onto SessionData) SessionData {
	if onto.Equal(base) {
		return d
	}
	for key := range base.Keys() {
		if !d.Has(key) {
			onto = onto.Without(key)
		}
	}
	for i := range d.Len() {
		key, m := d.dict.key(i), d.dict.member(i)
		if old, ok := base.RawJSON(key); !ok || old != m.value {
			onto = onto.withMember(key, m)
		}
	}
	return onto
}
