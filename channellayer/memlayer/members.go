package memlayer

import (
	"sync"
	"time"
)

// plainMembers are the memberships of plain channels, which nobody opens or closes and which end with time.
type plainMembers struct {
	lifetime time.Duration

	mu      sync.Mutex                      // guards the fields below
	groups  map[string]map[string]time.Time // group → channel → when the membership ends
	sweepIn int                             // how many adds come before the next sweep
}

func newPlainMembers(lifetime time.Duration) *plainMembers {
	return &plainMembers{lifetime: lifetime, groups: make(map[string]map[string]time.Time)}
}

// add begins a membership, or begins it anew.
func (p *plainMembers) add(group, channel string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sweepIn--; p.sweepIn < 0 {
		p.sweepLocked(now)
	}
	members := p.groups[group]
	if members == nil {
		members = make(map[string]time.Time)
		p.groups[group] = members
	}
	members[channel] = now.Add(p.lifetime)
}

func (p *plainMembers) discard(group, channel string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	members := p.groups[group]
	if delete(members, channel); len(members) == 0 {
		delete(p.groups, group)
	}
}

// of returns the members of a group.
func (p *plainMembers) of(group string, now time.Time) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked(group, now)
	var channels []string
	for channel := range p.groups[group] {
		channels = append(channels, channel)
	}
	return channels
}

// sweepLocked ends what has lasted its time. The next one comes after as many adds as it leaves memberships, so
// that it costs each add little.
func (p *plainMembers) sweepLocked(now time.Time) {
	p.sweepIn = 0
	for group := range p.groups {
		p.endLocked(group, now)
		p.sweepIn += len(p.groups[group])
	}
}

// endLocked ends the memberships in a group that have lasted their time.
func (p *plainMembers) endLocked(group string, now time.Time) {
	members := p.groups[group]
	for channel, end := range members {
		if now.After(end) {
			delete(members, channel)
		}
	}
	if len(members) == 0 {
		delete(p.groups, group)
	}
}
