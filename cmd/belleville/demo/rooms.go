package demo

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	// maxRooms is how many rooms are remembered; for one more the quietest that is empty is forgotten.
	maxRooms = 64
	// maxHistory is how many messages of a room are remembered.
	maxHistory = 50
)

// errNoRoomLeft means that there are as many rooms as may be, with somebody in each.
var errNoRoomLeft = errors.New("demo: too many rooms")

// rooms is what the demo remembers of its rooms: who is in them, and what was said last. It knows of this
// process only, which is all there is of the demo.
type rooms struct {
	// Set at birth, never changed.
	now func() time.Time

	mu     sync.Mutex // guards the field below
	byName map[string]*room
}

// room is guarded by the lock of its rooms.
type room struct {
	tabs     map[string]int // by user: who opens a second tab is here once
	revision int64          // counts the changes of tabs
	said     []ChatMessage  // the oldest first, at most maxHistory
	lastID   int64
	quiet    time.Time // since when nothing has happened
}

func newRooms() *rooms {
	return &rooms{now: time.Now, byName: make(map[string]*room)}
}

// join takes a tab of user's into a room and returns who is there now and what was said before.
func (rs *rooms) join(name, user string) (ChatPresence, []ChatMessage, error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.byName[name]
	if r == nil {
		if len(rs.byName) >= maxRooms && !rs.forgetLocked() {
			return ChatPresence{}, nil, errNoRoomLeft
		}
		r = &room{tabs: make(map[string]int)}
		rs.byName[name] = r
	}
	r.tabs[user]++
	rs.touchLocked(r)
	return r.presenceLocked(), append([]ChatMessage{}, r.said...), nil // never nil, for JSON's sake
}

// leave takes a tab of user's, which has joined, out of a room and returns who is left.
func (rs *rooms) leave(name, user string) ChatPresence {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.byName[name]
	if r.tabs[user]--; r.tabs[user] == 0 {
		delete(r.tabs, user)
	}
	rs.touchLocked(r)
	return r.presenceLocked()
}

// say remembers what somebody who has joined says in a room, and returns it with its ID and time.
func (rs *rooms) say(name string, m ChatMessage) ChatMessage {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.byName[name]
	m.At = rs.now().UnixMilli()
	m.ID = max(m.At, r.lastID+1)
	r.lastID = m.ID
	if len(r.said) == maxHistory {
		r.said = slices.Delete(r.said, 0, 1)
	}
	r.said = append(r.said, m)
	return m
}

// touchLocked notes that the people in r have changed.
func (rs *rooms) touchLocked(r *room) {
	r.revision++
	r.quiet = rs.now()
}

// forgetLocked forgets the room that has been empty for the longest time, and reports whether there is one.
func (rs *rooms) forgetLocked() bool {
	var quietest string
	for name, r := range rs.byName {
		if len(r.tabs) > 0 {
			continue
		}
		if quietest == "" || r.quiet.Before(rs.byName[quietest].quiet) {
			quietest = name
		}
	}
	delete(rs.byName, quietest)
	return quietest != ""
}

// presenceLocked lists who is in r, by name.
func (r *room) presenceLocked() ChatPresence {
	here := make([]Visitor, 0, len(r.tabs))
	for user, tabs := range r.tabs {
		here = append(here, Visitor{Name: user, Tabs: tabs})
	}
	slices.SortFunc(here, func(a, b Visitor) int { return cmp.Compare(a.Name, b.Name) })
	return ChatPresence{Revision: r.revision, Here: here}
}
