package channellayer

import (
	"hash/maphash"
	"iter"
	"strings"
	"sync"
)

// Local is the part of a layer that is the same for all: the channels that are open in one process, the groups
// they are in, and the handing out of events to them. It knows nothing of other processes, clocks or limits
// but the capacity that each channel was opened with. Its methods may be called concurrently.
//
// It is made for a million channels: a channel costs 40 bytes beside its name, which only its owner has; a membership
// 24 bytes; a group its name, 40 bytes, and an entry of a map. Memory that is no longer needed is used again.
type Local struct {
	// Set at birth, never changed.
	count    Tally
	targets  sync.Pool    // of *[]target, empty ones
	sortings sync.Pool    // of *sorting, empty ones
	seed     maphash.Seed // of the sums of prefixes

	mu       sync.RWMutex // guards the fields below
	channels slab[localChannel]
	open     int // how many of them are
	links    slab[link]
	byGroup  map[string]uint32
	groups   slab[localGroup]
	lanes    []lane // the first one stands for channels without a Carrier
}

// A Tally counts what became of an event: how many receivers took it, and how many were full. It may be called several
// times for an event, and concurrently.
type Tally func(d *Delivery, delivered, dropped int)

// localChannel is an open channel.
type localChannel struct {
	receiver Receiver // nil while the slot is free
	capacity int32
	links    uint32 // the first membership's slot
	prefix   uint16 // a sum of what the name begins with
	lane     uint16 // of its receiver's Carrier
	secret   secret
}

// target is where the events of a channel go.
type target struct {
	receiver Receiver
	capacity int32
}

// target returns where the events of the channel go.
func (c *localChannel) target() target { return target{c.receiver, c.capacity} }

// localGroup is a group with at least one open channel.
type localGroup struct {
	name    string
	members []member
}

// link is a membership as its channel has it, member the same membership as its group has it. Each knows
// where the other one stands, so that a member can be moved when a neighbour goes.
type link struct {
	group          uint32
	member         uint32 // the place in localGroup.members
	next, previous uint32 // the slots of the channel's other memberships; none at either end
}

type member struct {
	channel uint32
	link    uint32 // its slot
}

// none is no slot.
const none = ^uint32(0)

// NewLocal returns a Local without channels, which tells count, unless that is nil, what becomes of events.
func NewLocal(count Tally) *Local {
	if count == nil {
		count = func(*Delivery, int, int) {}
	}
	l := &Local{count: count, seed: maphash.MakeSeed(), byGroup: make(map[string]uint32), lanes: make([]lane, 1)}
	l.targets.New = func() any { return new([]target) }
	l.sortings.New = func() any { return new(sorting) }
	return l
}

// Open opens a channel, whose events go to r, as many at a time as capacities say. It returns the name:
// prefix, and [TailLen] characters. Nobody guesses it, however many others he knows.
func (l *Local) Open(prefix string, capacities Capacities, r Receiver) (name string) {
	key := newSecret()
	l.mu.Lock()
	defer l.mu.Unlock()
	slot := l.channels.add()
	name = nameOf(prefix, key, slot)
	*l.channels.at(slot) = localChannel{
		receiver: r, capacity: int32(min(capacities.Of(name), 1<<31-1)), links: none,
		prefix: l.sum(prefix), lane: l.enterLocked(r), secret: key,
	}
	l.open++
	return name
}

// sum returns a sum of a prefix. It need not tell all apart: nobody has a name by chance.
func (l *Local) sum(prefix string) uint16 { return uint16(maphash.String(l.seed, prefix)) }

// findLocked returns the slot of an open channel.
func (l *Local) findLocked(name string) (slot uint32, open bool) {
	prefix, key, slot, ok := parseName(name)
	if !ok || slot >= l.channels.next {
		return 0, false
	}
	c := l.channels.at(slot)
	return slot, c.receiver != nil && c.secret == key && c.prefix == l.sum(prefix)
}

// Close takes a channel out of all its groups and forgets it. It returns the groups that have no open channel
// any more. An event that was on its way already may reach the receiver even after Close.
func (l *Local) Close(name string) (ended []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slot, open := l.findLocked(name)
	if !open {
		return nil
	}
	for c := l.channels.at(slot); c.links != none; {
		group, last := l.unlinkLocked(slot, c.links)
		if last {
			ended = append(ended, group)
		}
	}
	l.exitLocked(l.channels.at(slot).lane)
	l.channels.remove(slot)
	l.open--
	return ended
}

// Join makes an open channel a member of a group, if it is none yet, and reports whether it is the first one.
// It returns [ErrNoChannel] where the channel is not open.
func (l *Local) Join(group, channel string) (first bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slot, open := l.findLocked(channel)
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
	if l.linkLocked(slot, at) != none {
		return false, nil
	}
	c, g, place := l.channels.at(slot), l.groups.at(at), l.links.add()
	*l.links.at(place) = link{group: at, member: uint32(len(g.members)), next: c.links, previous: none}
	if c.links != none {
		l.links.at(c.links).previous = place
	}
	c.links = place
	g.members = append(g.members, member{slot, place})
	return !exists, nil
}

// Leave ends a membership, if there is one, and reports whether the group has no open channel any more.
func (l *Local) Leave(group, channel string) (last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slot, open := l.findLocked(channel)
	at, exists := l.byGroup[group]
	if !open || !exists {
		return false
	}
	place := l.linkLocked(slot, at)
	if place == none {
		return false
	}
	_, last = l.unlinkLocked(slot, place)
	return last
}

// Deliver hands d to an open channel, and counts what becomes of it. It returns [ErrFull] where the channel is full and
// its Carrier idle or none, and [ErrNoChannel], which is not counted.
func (l *Local) Deliver(channel string, d *Delivery) error {
	l.mu.RLock()
	slot, open := l.findLocked(channel)
	var t target
	var c Carrier
	if open {
		at := l.channels.at(slot)
		t, c = at.target(), l.lanes[at.lane].carrier
	}
	l.mu.RUnlock()
	if !open {
		return ErrNoChannel
	}
	if c != nil && !c.Idle() { // what was sent before comes first
		targets := l.getTargets()
		*targets = append(*targets, t)
		Load{l, d, targets}.bring(c)
		return nil
	}
	if !t.receiver.Receive(d, int(t.capacity)) {
		l.count(d, 0, 1)
		return ErrFull
	}
	l.count(d, 1, 0)
	return nil
}

// DeliverGroup hands d to the channels of a group, and returns how many those are. What becomes of it is counted.
func (l *Local) DeliverGroup(group string, d *Delivery) (members int) {
	s := l.sortings.Get().(*sorting)
	members = l.sort(s, group)
	for _, part := range s.loads {
		Load{l, d, part.targets}.bring(part.carrier)
	}
	clear(s.loads)
	s.loads = s.loads[:0]
	l.sortings.Put(s)
	return members
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
	return l.open
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

// linkLocked returns the slot of a channel's membership of a group, or none. It searches both lists at once, so that
// neither a channel in many groups nor a group of many channels makes it slow.
func (l *Local) linkLocked(channel, group uint32) uint32 {
	place := l.channels.at(channel).links
	for _, m := range l.groups.at(group).members {
		if m.channel == channel {
			return m.link
		}
		if place == none {
			return none
		}
		k := l.links.at(place)
		if k.group == group {
			return place
		}
		place = k.next
	}
	return none
}

// unlinkLocked ends a membership of a channel. The last one of the group's list moves into the gap. A group without
// members ends, which is reported with its name.
func (l *Local) unlinkLocked(channel, place uint32) (group string, last bool) {
	gone := *l.links.at(place)
	g := l.groups.at(gone.group)

	moved := g.members[len(g.members)-1]
	g.members[gone.member] = moved
	g.members = shrink(g.members[:len(g.members)-1])
	l.links.at(moved.link).member = gone.member

	if gone.previous != none {
		l.links.at(gone.previous).next = gone.next
	} else {
		l.channels.at(channel).links = gone.next
	}
	if gone.next != none {
		l.links.at(gone.next).previous = gone.previous
	}
	l.links.remove(place)
	if len(g.members) > 0 {
		return "", false
	}
	name := g.name
	l.groups.remove(gone.group)
	if delete(l.byGroup, name); len(l.byGroup) == 0 {
		l.byGroup = make(map[string]uint32) // a map never shrinks
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
