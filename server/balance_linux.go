package server

import "net/netip"

// uneven is how many connections more than another a loop may hold: what one of them has to say to all takes as long as
// the fullest loop does.
const uneven = 64

// arrival is a connection that was accepted, and is nobody's yet.
type arrival struct {
	fd     int
	peer   netip.AddrPort
	ticket ticket
}

// lighter returns another loop that has fewer connections, nil where there is none that has notably fewer. It looks at
// one loop, each time at the next.
func (l *loop) lighter() *loop {
	if len(l.fleet) < 2 {
		return nil
	}
	l.looked++
	other := l.fleet[l.looked%len(l.fleet)]
	if other == l {
		l.looked++
		other = l.fleet[l.looked%len(l.fleet)]
	}
	has := other.held.Load()
	if l.held.Load()-has < max(uneven, has/16) {
		return nil
	}
	return other
}

// welcome gives the loop a connection that another one has accepted. It reports false where the loop has ended. It may be
// called from anywhere.
func (l *loop) welcome(a arrival) (taken bool) {
	l.mu.Lock()
	if l.stopped {
		l.mu.Unlock()
		return false
	}
	l.arrivals = append(l.arrivals, a)
	l.held.Add(1)
	wake := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if wake {
		l.poller.Wake()
	}
	return true
}
