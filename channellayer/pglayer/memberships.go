package pglayer

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// everyone is the group of all open channels, which is no valid name and therefore nobody else's.
const everyone = "*"

// memberships are the groups that this process's channels are in. The process as a whole is a member, by a
// representative, of each group that has an open channel; it becomes one before the first channel's join returns, and
// stays one for a while after the last channel has left.
type memberships struct {
	// Set at birth, never changed.
	local *channellayer.Local
	names nodeNames

	// foreign is set once somebody else has made one of our channels a member of a group by its own name.
	foreign atomic.Bool

	mu        sync.Mutex               // guards the fields below, and every membership in local
	changing  map[string]chan struct{} // the groups whose row is being added or removed; closed when that is over
	lingering map[string]time.Time     // the groups without open channels whose row may be there, and since when
	unsure    map[string]bool          // those of them whose row may not be there
	hashed    map[string]string        // the suffixes of representatives with a hash, and their groups
	closed    bool
}

func newMemberships(local *channellayer.Local, names nodeNames) *memberships {
	return &memberships{
		local: local, names: names,
		changing:  make(map[string]chan struct{}),
		lingering: make(map[string]time.Time),
		unsure:    make(map[string]bool),
		hashed:    make(map[string]string),
	}
}

// join makes an open channel a member of a group. Where it is the first one, register adds the representative's row,
// which others that join meanwhile wait for.
func (m *memberships) join(ctx context.Context, group, channel string, register func(context.Context, string) error) error {
	for {
		busy, first, err := m.tryJoin(group, channel)
		switch {
		case err != nil:
			return err
		case busy != nil:
			select {
			case <-busy:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		case !first:
			return nil
		}
		err = register(ctx, group)
		m.registered(group, channel, err)
		return err
	}
}

// tryJoin joins, unless the row is changing. It reports whether the caller must add it, and end the change.
func (m *memberships) tryJoin(group, channel string) (busy chan struct{}, first bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if busy := m.changing[group]; busy != nil {
		return busy, false, nil
	}
	first, err = m.local.Join(group, channel)
	if err != nil || !first {
		return nil, false, err
	}
	_, there := m.lingering[group]
	there = there && !m.unsure[group]
	m.forgetLocked(group)
	if there {
		return nil, false, nil
	}
	m.changing[group] = make(chan struct{})
	if suffix := m.names.suffix(group); strings.HasPrefix(suffix, hashSuffix) {
		m.hashed[suffix] = group
	}
	return nil, true, nil
}

// registered ends the change that tryJoin began. After an error the row may be there or not.
func (m *memberships) registered(group, channel string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		if m.local.Leave(group, channel); m.local.Members(group) == 0 {
			m.lingering[group], m.unsure[group] = time.Now(), true
		}
	}
	m.endChangeLocked(group)
}

func (m *memberships) endChangeLocked(group string) {
	close(m.changing[group])
	delete(m.changing, group)
}

func (m *memberships) forgetLocked(group string) {
	delete(m.lingering, group)
	delete(m.unsure, group)
}

// doubt says that the rows may have been removed by others. The groups that have members are registered anew by the
// caller.
func (m *memberships) doubt() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for group := range m.lingering {
		m.unsure[group] = true
	}
}

// leave ends a membership, and reports whether there was one.
func (m *memberships) leave(group, channel string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.local.Members(group)
	if m.local.Leave(group, channel) {
		m.lingering[group] = time.Now()
	}
	return m.local.Members(group) < before
}

// open opens a channel.
func (m *memberships) open(name string, capacity int, r channellayer.Receiver) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return channellayer.ErrClosed
	}
	if err := m.local.Open(name, capacity, r); err != nil {
		return err
	}
	_, err := m.local.Join(everyone, name)
	return err
}

// close closes a channel, with all its memberships.
func (m *memberships) close(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, group := range m.local.Close(name) {
		if group != everyone {
			m.lingering[group] = time.Now()
		}
	}
}

// linger lets a group linger whose row is there although no open channel is in it.
func (m *memberships) linger(group string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.lingering[group]; !known && m.local.Members(group) == 0 && m.changing[group] == nil {
		m.lingering[group] = time.Now()
	}
}

// isMember reports whether an open channel is in a group. It finds out by joining: who was no member leaves again
// before anybody can see it.
func (m *memberships) isMember(group, channel string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.local.Members(group)
	if before == 0 {
		return false
	}
	if _, err := m.local.Join(group, channel); err != nil {
		return false
	}
	if m.local.Members(group) == before {
		return true
	}
	m.local.Leave(group, channel)
	return false
}

// represented returns the group that a suffix of a representative stands for.
func (m *memberships) represented(suffix string) (string, bool) {
	if group, ok := strings.CutPrefix(suffix, groupSuffix); ok {
		return group, group != ""
	}
	if !strings.HasPrefix(suffix, hashSuffix) {
		return "", false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	group, ok := m.hashed[suffix]
	return group, ok
}

// startLeaving returns some of the groups that have lingered since before a time, as changes that the caller ends
// with doneLeaving. It looks at no more than most groups, so that nobody waits long for the lock.
func (m *memberships) startLeaving(before time.Time, most int) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var groups []string
	for group, since := range m.lingering {
		if most--; most < 0 {
			break
		}
		switch {
		case since.After(before) || m.changing[group] != nil:
			continue
		case m.local.Members(group) > 0: // it has come to life again
			m.forgetLocked(group)
			continue
		}
		m.changing[group] = make(chan struct{})
		groups = append(groups, group)
	}
	return groups
}

// doneLeaving ends what startLeaving began; err says that the rows may still be there. Those groups linger on.
func (m *memberships) doneLeaving(groups []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, group := range groups {
		m.endChangeLocked(group)
		if err != nil {
			m.unsure[group] = true
			continue
		}
		m.forgetLocked(group)
		if suffix := m.names.suffix(group); strings.HasPrefix(suffix, hashSuffix) && m.local.Members(group) == 0 {
			delete(m.hashed, suffix)
		}
	}
}

// end refuses channels from now on.
func (m *memberships) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
}
