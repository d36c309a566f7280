package redislayer

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// everyone is the group of all open channels, which is no valid name and therefore nobody else's.
const everyone = "*"

// groups are the memberships of this process's channels. The process as a whole is a member, by a representative,
// of each group that has an open channel; it becomes one before the first channel's Join returns, and stays one
// for a while after the last channel has left.
type groups struct {
	// Set at birth, never changed.
	local *channellayer.Local
	names nodeNames

	// foreign is set once a peer has made one of our connections a member of a group by its own name.
	foreign atomic.Bool

	mu        sync.Mutex          // guards the fields below, and every membership in local
	changing  map[string]*change  // the groups whose representative is being added or removed
	lingering map[string]lingerer // the groups without open channels that Redis may still have us in
	hashed    map[string]string   // the suffixes of representatives with a hash, and their groups
	closed    bool
}

// lingerer is a group that its last channel has left.
type lingerer struct {
	since time.Time
	sure  bool // whether Redis certainly has our representative
}

// change is the adding or removing of a representative.
type change struct {
	done chan struct{} // closed when it is over
}

func newGroups(local *channellayer.Local, names nodeNames) *groups {
	return &groups{
		local: local, names: names,
		changing:  make(map[string]*change),
		lingering: make(map[string]lingerer),
		hashed:    make(map[string]string),
	}
}

// join makes an open channel a member of a group. Where it is the first one, register adds the representative,
// which others that join meanwhile wait for.
func (g *groups) join(ctx context.Context, group, channel string, register func(context.Context, string) error) error {
	for {
		busy, first, err := g.tryJoin(group, channel)
		switch {
		case err != nil:
			return err
		case busy != nil:
			select {
			case <-busy.done:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		case !first:
			return nil
		}
		if err = register(ctx, group); err != nil {
			g.abort(group, channel)
			return err
		}
		g.finish(group)
		return nil
	}
}

// tryJoin joins, unless the representative is changing. It reports whether the caller must add it, as a change that
// it finishes.
func (g *groups) tryJoin(group, channel string) (busy *change, first bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.changing[group]; c != nil {
		return c, false, nil
	}
	first, err = g.local.Join(group, channel)
	if err != nil || !first {
		return nil, false, err
	}
	still := g.lingering[group]
	delete(g.lingering, group)
	if still.sure {
		return nil, false, nil
	}
	g.changing[group] = &change{done: make(chan struct{})}
	if suffix := g.names.suffix(group); strings.HasPrefix(suffix, hashSuffix) {
		g.hashed[suffix] = group
	}
	return nil, true, nil
}

// finish ends the change of a group.
func (g *groups) finish(group string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.finishLocked(group)
}

func (g *groups) finishLocked(group string) {
	close(g.changing[group].done)
	delete(g.changing, group)
}

// abort ends the change of a group whose representative may or may not have been added.
func (g *groups) abort(group, channel string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.local.Leave(group, channel); g.local.Members(group) == 0 {
		g.lingering[group] = lingerer{since: time.Now()}
	}
	g.finishLocked(group)
}

// doubt says that Redis has forgotten who is in which group.
func (g *groups) doubt() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for group, l := range g.lingering {
		l.sure = false
		g.lingering[group] = l
	}
}

// leave ends a membership, and reports whether there was one.
func (g *groups) leave(group, channel string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.local.Members(group)
	if g.local.Leave(group, channel) {
		g.lingering[group] = lingerer{time.Now(), true}
	}
	return g.local.Members(group) < before
}

// open opens a channel.
func (g *groups) open(name string, capacity int, r channellayer.Receiver) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return channellayer.ErrClosed
	}
	if err := g.local.Open(name, capacity, r); err != nil {
		return err
	}
	_, err := g.local.Join(everyone, name)
	return err
}

// close closes a channel, with all its memberships.
func (g *groups) close(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, group := range g.local.Close(name) {
		if group != everyone {
			g.lingering[group] = lingerer{time.Now(), true}
		}
	}
}

// linger lets a group without open channels that is not known to linger do so.
func (g *groups) linger(group string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.lingering[group]; !known && g.local.Members(group) == 0 && g.changing[group] == nil {
		g.lingering[group] = lingerer{time.Now(), true}
	}
}

// isMemberOfAny reports whether an open channel is in one of some groups.
func (g *groups) isMemberOfAny(groups []string, channel string) bool {
	for _, group := range groups {
		if g.isMember(group, channel) {
			return true
		}
	}
	return false
}

// isMember finds out by joining: who was no member leaves again before anybody can see it.
func (g *groups) isMember(group, channel string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.local.Members(group)
	if before == 0 {
		return false
	}
	if _, err := g.local.Join(group, channel); errors.Is(err, channellayer.ErrNoChannel) {
		return false
	}
	if g.local.Members(group) == before {
		return true
	}
	g.local.Leave(group, channel)
	return false
}

// represented returns the group that a suffix of a representative stands for.
func (g *groups) represented(suffix string) (string, bool) {
	if group, ok := strings.CutPrefix(suffix, groupSuffix); ok {
		return group, group != ""
	}
	if !strings.HasPrefix(suffix, hashSuffix) {
		return "", false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	group, ok := g.hashed[suffix]
	return group, ok
}

// startLeaving returns some of the groups that have lingered since before a time, as changes that the caller finishes
// with doneLeaving. It looks at no more than most groups, so that nobody waits long for the lock.
func (g *groups) startLeaving(before time.Time, most int) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var groups []string
	for group, l := range g.lingering {
		if most--; most < 0 {
			break
		}
		switch {
		case l.since.After(before) || g.changing[group] != nil:
			continue
		case g.local.Members(group) > 0: // it has come to life again
			delete(g.lingering, group)
			continue
		}
		g.changing[group] = &change{done: make(chan struct{})}
		groups = append(groups, group)
	}
	return groups
}

// doneLeaving finishes what startLeaving began; err says that the representatives may not have been removed. Those
// linger on.
func (g *groups) doneLeaving(groups []string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, group := range groups {
		g.finishLocked(group)
		if err != nil {
			g.lingering[group] = lingerer{since: g.lingering[group].since}
			continue
		}
		delete(g.lingering, group)
		if suffix := g.names.suffix(group); strings.HasPrefix(suffix, hashSuffix) && g.local.Members(group) == 0 {
			delete(g.hashed, suffix)
		}
	}
}

// end refuses channels from now on.
func (g *groups) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}
