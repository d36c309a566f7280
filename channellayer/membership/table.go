// Package membership knows which groups the channels of a process are in, for layers where the process as a whole is
// the member: by a representative, which it makes known to the layer's server with the first channel of a group, and
// takes back some time after the last one has left.
//
// Start with [New]. It speaks to no server: who holds a [Table] does, when the Table says so.
package membership

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// Everyone is the group of all open channels, which is no valid name and therefore nobody else's.
const Everyone = "*"

// A Table is the memberships of a process's channels. The process is a member of each group that has an open channel;
// it becomes one before the first channel's Join returns, and stays one for a while after the last channel has left. Its
// methods may be called concurrently.
type Table struct {
	// Set at birth, never changed.
	local  *channellayer.Local
	suffix func(group string) string

	mu        sync.Mutex               // guards the fields below, and every membership in local
	changing  map[string]chan struct{} // the groups whose representative is being added or removed; closed when that is over
	lingering map[string]lingerer      // the groups without open channels that the server may still have us in
	hashed    map[string]string        // the suffixes of representatives with a hash, and their groups
	closed    bool
}

// lingerer is a group that its last channel has left.
type lingerer struct {
	since time.Time
	sure  bool // whether the server certainly has our representative
}

// New returns a Table whose channels are those of local. From then on nobody else opens and closes channels there, nor
// changes who is in a group. The name of a representative ends with suffix, which is [Suffix].
func New(local *channellayer.Local, suffix func(group string) string) *Table {
	return &Table{
		local: local, suffix: suffix,
		changing:  make(map[string]chan struct{}),
		lingering: make(map[string]lingerer),
		hashed:    make(map[string]string),
	}
}

// Open opens a channel, and returns its name, which begins with prefix.
func (t *Table) Open(prefix string, capacities channellayer.Capacities, r channellayer.Receiver) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return "", channellayer.ErrClosed
	}
	name := t.local.Open(prefix, capacities, r)
	_, err := t.local.Join(Everyone, name)
	return name, err
}

// Close closes a channel, with all its memberships.
func (t *Table) Close(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, group := range t.local.Close(name) {
		if group != Everyone {
			t.lingering[group] = lingerer{time.Now(), true}
		}
	}
}

// End refuses channels from now on.
func (t *Table) End() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
}

// Join makes an open channel a member of a group. Where it is the first one, register adds the representative,
// which others that join meanwhile wait for.
func (t *Table) Join(ctx context.Context, group, channel string, register func(context.Context, string) error) error {
	for {
		busy, first, err := t.tryJoin(group, channel)
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
		t.registered(group, channel, err)
		return err
	}
}

// tryJoin joins, unless the representative is changing. It reports whether the caller must add it, as a change that
// ends with registered.
func (t *Table) tryJoin(group, channel string) (busy chan struct{}, first bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if busy := t.changing[group]; busy != nil {
		return busy, false, nil
	}
	first, err = t.local.Join(group, channel)
	if err != nil || !first {
		return nil, false, err
	}
	still := t.lingering[group]
	delete(t.lingering, group)
	if still.sure {
		return nil, false, nil
	}
	t.changing[group] = make(chan struct{})
	if suffix := t.suffix(group); isHash(suffix) {
		t.hashed[suffix] = group
	}
	return nil, true, nil
}

// registered ends the change that tryJoin began. After an error the representative may be there or not.
func (t *Table) registered(group, channel string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		if t.local.Leave(group, channel); t.local.Members(group) == 0 {
			t.lingering[group] = lingerer{since: time.Now()}
		}
	}
	t.endChangeLocked(group)
}

func (t *Table) endChangeLocked(group string) {
	close(t.changing[group])
	delete(t.changing, group)
}

// Leave ends a membership, and reports whether there was one.
func (t *Table) Leave(group, channel string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.local.Members(group)
	if t.local.Leave(group, channel) {
		t.lingering[group] = lingerer{time.Now(), true}
	}
	return t.local.Members(group) < before
}

// IsMember reports whether an open channel is in one of some groups.
func (t *Table) IsMember(channel string, groups ...string) bool {
	for _, group := range groups {
		if t.isMember(channel, group) {
			return true
		}
	}
	return false
}

// isMember finds out by joining: who was no member leaves again before anybody can see it.
func (t *Table) isMember(channel, group string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.local.Members(group)
	if before == 0 {
		return false
	}
	if _, err := t.local.Join(group, channel); errors.Is(err, channellayer.ErrNoChannel) {
		return false
	}
	if t.local.Members(group) == before {
		return true
	}
	t.local.Leave(group, channel)
	return false
}
