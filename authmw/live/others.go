package live

import (
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// others are the connections of users who are known by something that cannot be asked about again: nothing of them is
// followed, but whoever wants to reach a user wants to reach these, too. The zero others has none. It is guarded by
// Live.mu.
type others struct {
	users map[Hash]map[*seat]struct{}
}

// add takes a connection in, unless its visitor is nobody.
func (o *others) add(s *seat, u *djangocompat.User) {
	if u == nil || u.IsAnonymous() {
		return
	}
	s.other = HashUser(u.PK)
	if o.users == nil {
		o.users = make(map[Hash]map[*seat]struct{})
	}
	if o.users[s.other] == nil {
		o.users[s.other] = make(map[*seat]struct{})
	}
	o.users[s.other][s] = struct{}{}
}

// remove forgets a connection, if it is there.
func (o *others) remove(s *seat) {
	delete(o.users[s.other], s)
	if len(o.users[s.other]) == 0 {
		delete(o.users, s.other)
	}
}

// instances returns the connections of a user.
func (o *others) instances(user Hash) []consumers.Watched {
	var all []consumers.Watched
	for s := range o.users[user] {
		all = append(all, s.instance)
	}
	return all
}
