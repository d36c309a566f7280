package live

import (
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// KickUser closes the open connections of a user, and returns how many those were. A connection that is about to open
// is refused, or closed as soon as it is; it is not in that number. The user may come back: it is the site that says who
// may.
func (l *Live) KickUser(pk djangocompat.PK, code consumers.CloseCode, reason string) int {
	l.mu.Lock()
	hash := HashUser(pk)
	l.kickLocked(kick{whose: aUsers, hash: hash, code: code, reason: reason})
	instances := l.ofUserLocked(hash)
	l.mu.Unlock()
	return closeAll(instances, code, reason)
}

// KickSession closes the open connections of a session, as KickUser does, and returns how many those were.
func (l *Live) KickSession(key string, code consumers.CloseCode, reason string) int {
	l.mu.Lock()
	hash := HashSession(key)
	l.kickLocked(kick{whose: aSessions, hash: hash, code: code, reason: reason})
	var instances []consumers.Watched
	if w := l.index.sessions[hash]; w != nil {
		instances = w.instances()
	}
	l.mu.Unlock()
	return closeAll(instances, code, reason)
}

// KickAll closes the open connections of all who are logged in, as KickUser does, and returns how many those were.
func (l *Live) KickAll(code consumers.CloseCode, reason string) int {
	l.mu.Lock()
	l.kickLocked(kick{whose: everybodys, code: code, reason: reason})
	var instances []consumers.Watched
	for _, w := range l.index.sessions {
		if w.user.IsAuthenticated() {
			instances = append(instances, w.instances()...)
		}
	}
	for h := range l.others.users {
		instances = append(instances, l.others.instances(h)...)
	}
	l.mu.Unlock()
	return closeAll(instances, code, reason)
}

// SendUser sends a message on all open WebSockets of a user in this process, and returns how many took it.
func (l *Live) SendUser(pk djangocompat.PK, m consumers.Message) int {
	l.mu.Lock()
	instances := l.ofUserLocked(HashUser(pk))
	l.mu.Unlock()
	n := 0
	for _, instance := range instances {
		if instance.Send(m) == nil {
			n++
		}
	}
	return n
}

// ofUserLocked returns the connections of a user.
func (l *Live) ofUserLocked(hash Hash) []consumers.Watched {
	instances := l.others.instances(hash)
	for w := l.index.users[hash]; w != nil; w = w.nextOfUser {
		instances = append(instances, w.instances()...)
	}
	return instances
}

// closeAll closes connections, and returns how many were open.
func closeAll(instances []consumers.Watched, code consumers.CloseCode, reason string) int {
	n := 0
	for _, instance := range instances {
		if instance.Close(code, reason) == nil {
			n++
		}
	}
	return n
}
