package membership

import "time"

// Doubt says that the server may have forgotten who is in which group. The caller registers anew the groups that have
// members.
func (t *Table) Doubt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for group, l := range t.lingering {
		l.sure = false
		t.lingering[group] = l
	}
}

// Linger lets a group linger whose representative the server has although no open channel is in it.
func (t *Table) Linger(group string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.lingering[group]; !known && t.local.Members(group) == 0 && t.changing[group] == nil {
		t.lingering[group] = lingerer{time.Now(), true}
	}
}

// StartLeaving returns some of the groups that have lingered since before a time, as changes that the caller ends with
// [Table.DoneLeaving], which those who join such a group wait for. It looks at no more than most groups, so that nobody
// waits long for the lock.
func (t *Table) StartLeaving(before time.Time, most int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var groups []string
	for group, l := range t.lingering {
		if most--; most < 0 {
			break
		}
		switch {
		case l.since.After(before) || t.changing[group] != nil:
			continue
		case t.local.Members(group) > 0: // it has come to life again
			delete(t.lingering, group)
			continue
		}
		t.changing[group] = make(chan struct{})
		groups = append(groups, group)
	}
	return groups
}

// DoneLeaving ends what StartLeaving began; err says that the representatives may still be there. Those groups linger
// on.
func (t *Table) DoneLeaving(groups []string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, group := range groups {
		t.endChangeLocked(group)
		if err != nil {
			t.lingering[group] = lingerer{since: t.lingering[group].since}
			continue
		}
		delete(t.lingering, group)
		if suffix := t.suffix(group); isHash(suffix) && t.local.Members(group) == 0 {
			delete(t.hashed, suffix)
		}
	}
}
