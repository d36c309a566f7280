package channellayer

import (
	"fmt"
	"iter"
	"strings"
	"sync"
)

// Local is the part of a layer that is the same for all: the channels that are open in one process, the groups
// they are in, and the handing out of events to them. It knows nothing of other processes, clocks or limits
// but the capacity that each channel was opened with. Its methods may be called concurrently.
//
// It is made for a million channels: a channel costs its name, 48 bytes, and an entry of a map; a
// membership 16 bytes; a group as much as a channel. Memory that is no longer needed is used again.
type Local struct {
	buffers sync.Pool // of *[]target, for DeliverGroup

	mu       sync.RWMutex // guards the fields below
	byName   map[string]uint32
	channels slab[localChannel]
	byGroup  map[string]uint32
	groups   slab[localGroup]
}

// localChannel is an open channel.
type localChannel struct {
	target
	links []link
}

// target is where the events of a channel go.
type target struct {
	receiver Receiver
	capacity int32
}

// localGroup is a group with at least one open channel.
type localGroup struct {
	name    string
	members []member
}

// link is a membership as its channel has it, member the same membership as its group has it. Each knows
// where the other one stands, so that either can be moved when a neighbour goes.
type link struct {
	group  uint32
	member uint32 // the place in localGroup.members
}

type member struct {
	channel uint32
	link    uint32 // the place in localChannel.links
}

// NewLocal returns a Local without channels.
func NewLocal() *Local {
	l := &Local{byName: make(map[string]uint32), byGroup: make(map[string]uint32)}
	l.buffers.New = func() any { return new([]target) }
	return l
}

// Open opens a channel, whose events go to r, of which it holds at most capacity. A name that is open
// already is refused.
func (l *Local) Open(name string, capacity int, r Receiver) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, open := l.byName[name]; open {
		return fmt.Errorf("channellayer: channel %.99q is open already", name)
	}
	slot := l.channels.add()
	l.channels.at(slot).target = target{r, int32(min(capacity, 1<<31-1))}
	l.byName[name] = slot
	return nil
}

// Close takes a channel out of all its groups and forgets it. It returns the groups that have no open channel
// any more. An event that was on its way already may reach the receiver even after Close.
func (l *Local) Close(name string) (ended []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slot, open := l.byName[name]
	if !open {
		return nil
	}
	for c := l.channels.at(slot); len(c.links) > 0; {
		group, last := l.unlinkLocked(slot, len(c.links)-1)
		if last {
			ended = append(ended, group)
		}
	}
	l.channels.remove(slot)
	if delete(l.byName, name); len(l.byName) == 0 {
		l.byName = make(map[string]uint32) // a map never shrinks
	}
	return ended
}

// Join makes an open channel a member of a group, if it is none yet, and reports whether it is the first one.
// It returns [ErrNoChannel] where the channel is not open.
func (l *Local) Join(group, channel string) (first bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slot, open := l.byName[channel]
	if !open {
		return false, ErrNoChannel
	}
	at, exists := l.byGroup[group]
	if !exists {
		group = strings.Clone(group) // it may be a piece of something large, as a request's path
		at = l.groups.add()
		l.groups.at(at).name = group
		l.byGroup[group] = at
	}
	if l.findLocked(slot, at) >= 0 {
		return false, nil
	}
	c, g := l.channels.at(slot), l.groups.at(at)
	c.links = append(c.links, link{at, uint32(len(g.members))})
	g.members = append(g.members, member{slot, uint32(len(c.links) - 1)})
	return !exists, nil
}

// Leave ends a membership, if there is one, and reports whether the group has no open channel any more.
func (l *Local) Leave(group, channel string) (last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slot, open := l.byName[channel]
	at, exists := l.byGroup[group]
	if !open || !exists {
		return false
	}
	i := l.findLocked(slot, at)
	if i < 0 {
		return false
	}
	_, last = l.unlinkLocked(slot, i)
	return last
}

// Deliver hands d to an open channel. It returns [ErrFull] or [ErrNoChannel] where it could not.
func (l *Local) Deliver(channel string, d *Delivery) error {
	l.mu.RLock()
	slot, open := l.byName[channel]
	var t target
	if open {
		t = l.channels.at(slot).target
	}
	l.mu.RUnlock()
	switch {
	case !open:
		return ErrNoChannel
	case !t.receiver.Receive(d, int(t.capacity)):
		return ErrFull
	}
	return nil
}

// DeliverGroup hands d to the channels of a group, and returns how many took it and how many were full.
func (l *Local) DeliverGroup(group string, d *Delivery) (delivered, dropped int) {
	buffer := l.buffers.Get().(*[]target)
	*buffer = l.appendTargets((*buffer)[:0], group)
	for _, t := range *buffer {
		if t.receiver.Receive(d, int(t.capacity)) {
			delivered++
		} else {
			dropped++
		}
	}
	clear(*buffer) // a pooled buffer keeps nothing alive
	l.buffers.Put(buffer)
	return delivered, dropped
}

// Members returns how many open channels a group has.
func (l *Local) Members(group string) int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	at, exists := l.byGroup[group]
	if !exists {
		return 0
	}
	return len(l.groups.at(at).members)
}

// Channels returns how many channels are open.
func (l *Local) Channels() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.byName)
}

// CountGroups returns how many groups have an open channel.
func (l *Local) CountGroups() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.byGroup)
}

// Groups walks the groups that have open channels, without a lock between its steps: a group that begins or
// ends meanwhile is met or not, and any other is met exactly once.
func (l *Local) Groups() iter.Seq[string] {
	return func(yield func(string) bool) {
		var names []string
		for from := uint32(0); ; from += slabChunk {
			var more bool
			if names, more = l.appendGroups(names[:0], from); !more {
				return
			}
			for _, name := range names {
				if !yield(name) {
					return
				}
			}
		}
	}
}

// appendGroups appends the names of a chunk of groups, and reports whether there is such a chunk.
func (l *Local) appendGroups(names []string, from uint32) ([]string, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for at := from; at < min(l.groups.next, from+slabChunk); at++ {
		if g := l.groups.at(at); len(g.members) > 0 {
			names = append(names, g.name)
		}
	}
	return names, from < l.groups.next
}

// appendTargets appends the receivers of a group.
func (l *Local) appendTargets(targets []target, group string) []target {
	l.mu.RLock()
	defer l.mu.RUnlock()
	at, exists := l.byGroup[group]
	if !exists {
		return targets
	}
	for _, m := range l.groups.at(at).members {
		targets = append(targets, l.channels.at(m.channel).target)
	}
	return targets
}

// findLocked returns where in its links a channel has a group, or -1. It searches the shorter of the two
// lists, so that neither a channel in many groups nor a group of many channels makes it slow.
func (l *Local) findLocked(channel, group uint32) int {
	links, members := l.channels.at(channel).links, l.groups.at(group).members
	if len(links) <= len(members) {
		for i, k := range links {
			if k.group == group {
				return i
			}
		}
		return -1
	}
	for _, m := range members {
		if m.channel == channel {
			return int(m.link)
		}
	}
	return -1
}

// unlinkLocked ends the membership that stands at place i of a channel's links. The last ones of both lists
// move into the gaps. A group without members ends, which is reported with its name.
func (l *Local) unlinkLocked(channel uint32, i int) (group string, last bool) {
	c := l.channels.at(channel)
	gone := c.links[i]
	g := l.groups.at(gone.group)

	moved := g.members[len(g.members)-1]
	g.members[gone.member] = moved
	g.members = shrink(g.members[:len(g.members)-1])
	l.channels.at(moved.channel).links[moved.link].member = gone.member

	c.links[i] = c.links[len(c.links)-1]
	c.links = shrink(c.links[:len(c.links)-1])
	if i < len(c.links) {
		k := c.links[i]
		l.groups.at(k.group).members[k.member].link = uint32(i)
	}
	if len(g.members) > 0 {
		return "", false
	}
	name := g.name
	l.groups.remove(gone.group)
	if delete(l.byGroup, name); len(l.byGroup) == 0 {
		l.byGroup = make(map[string]uint32)
	}
	return name, true
}

// shrink gives back the memory of a list that was once much longer.
func shrink[T any](list []T) []T {
	if cap(list) < 64 || len(list) > cap(list)/4 {
		return list
	}
	return append(make([]T, 0, 2*len(list)), list...)
}
