package live

import (
	"crypto/sha256"
	"math"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// sumOf returns the first bytes of a text's SHA-256.
func sumOf(text []byte) Hash {
	sum := sha256.Sum256(text)
	return Hash(sum[:len(Hash{})])
}

// watched is one session that open connections have. It is guarded by Live.mu. There may be a million, so it holds
// nothing that can be computed.
type watched struct {
	key     string
	user    *djangocompat.User
	seats   *seat // those who are connected with it
	expires int64 // Unix nanoseconds; 0 while unknown

	nextOfUser, previousOfUser *watched
	next, previous             *watched // in the slot of the wheel
	slot                       int32    // of the wheel; one of the special ones below

	mixed     bool // not all connections know the same user
	strangers bool // some know another user than others
	asking    bool // the store is being asked
	again     bool // it changed while the store was being asked
}

// farthest is the last second that a number of nanoseconds since 1970 can hold: in the year 2262. A session that ends
// later does not end.
const farthest = math.MaxInt64 / int64(time.Second)

// hash returns the name of the session in the index.
func (w *watched) hash() Hash { return HashSession(w.key) }

// ofUser returns the name of its user in the index.
func (w *watched) ofUser() Hash { return HashUser(w.user.PK) }

// seat is one connection of a session. It is guarded by Live.mu, but for what is set at birth.
type seat struct {
	live           *Live             // set at birth; nil from when the connection has ended
	instance       consumers.Watched // set before the server has it
	of             *watched          // nil while it is in no session
	next, previous *seat
}

// Ended implements consumers.Watch. It is called once.
func (s *seat) Ended() { s.live.leave(s) }

// through reports whether the connection has ended.
func (s *seat) through() bool { return s.live == nil }

// index finds sessions by key and by user.
type index struct {
	sessions map[Hash]*watched
	users    map[Hash]*watched // the first one; the others follow as nextOfUser
	seats    int
}

func newIndex() index {
	return index{sessions: make(map[Hash]*watched), users: make(map[Hash]*watched)}
}

// add returns the session under a key, which it makes if there is none.
func (ix *index) add(key string, user *djangocompat.User) (w *watched, isNew bool) {
	hash := HashSession(key)
	before := ix.sessions[hash]
	if before != nil && before.key == key {
		return before, false
	}
	w = &watched{key: key, slot: nowhere}
	if before == nil { // of two with one hash the second is found by nobody, but asked about like any other
		ix.sessions[hash] = w
	}
	ix.assign(w, user)
	return w, true
}

// assign notes whose session it is.
func (ix *index) assign(w *watched, user *djangocompat.User) {
	if w.user != nil {
		ix.unassign(w)
	}
	hash := HashUser(user.PK)
	w.user = user
	w.nextOfUser, w.previousOfUser = ix.users[hash], nil
	if w.nextOfUser != nil {
		w.nextOfUser.previousOfUser = w
	}
	ix.users[hash] = w
}

func (ix *index) unassign(w *watched) {
	if w.nextOfUser != nil {
		w.nextOfUser.previousOfUser = w.previousOfUser
	}
	switch {
	case w.previousOfUser != nil:
		w.previousOfUser.nextOfUser = w.nextOfUser
	case w.nextOfUser != nil:
		ix.users[w.ofUser()] = w.nextOfUser
	default:
		delete(ix.users, w.ofUser())
	}
	w.user, w.nextOfUser, w.previousOfUser = nil, nil, nil
}

// sit adds a connection to a session.
func (ix *index) sit(s *seat, w *watched) {
	s.of = w
	s.next = w.seats
	if s.next != nil {
		s.next.previous = s
	}
	w.seats = s
	ix.seats++
}

// stand takes a connection out of its session, and reports whether that was the last one.
func (ix *index) stand(s *seat) (w *watched, last bool) {
	w = s.of
	if s.next != nil {
		s.next.previous = s.previous
	}
	if s.previous != nil {
		s.previous.next = s.next
	} else {
		w.seats = s.next
	}
	s.of, s.next, s.previous = nil, nil, nil
	ix.seats--
	return w, w.seats == nil
}

// remove forgets a session without connections.
func (ix *index) remove(w *watched) {
	if hash := w.hash(); ix.sessions[hash] == w {
		delete(ix.sessions, hash)
	}
	ix.unassign(w)
}

// instances returns the connections of a session.
func (w *watched) instances() []consumers.Watched {
	var all []consumers.Watched
	for s := w.seats; s != nil; s = s.next {
		all = append(all, s.instance)
	}
	return all
}
