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
	names map[*seat]Hash // of their users
}

// add takes a connection in, unless its visitor is nobody.
func (o *others) add(s *seat, u *djangocompat.User) {
	if u == nil || u.IsAnonymous() {
		return
	}
	o.remove(s) // he may have been another one
	name := HashUser(u.PK)
	if o.users == nil {
		o.users, o.names = make(map[Hash]map[*seat]struct{}), make(map[*seat]Hash)
	}
	if o.users[name] == nil {
		o.users[name] = make(map[*seat]struct{})
	}
	o.users[name][s], o.names[s] = struct{}{}, name
}

// remove forgets a connection, if it is there.
func (o *others) remove(s *seat) {
	name, there := o.names[s]
	if !there {
		return
	}
	delete(o.names, s)
	delete(o.users[name], s)
	if len(o.users[name]) == 0 {
		delete(o.users, name)
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
