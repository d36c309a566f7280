package channellayer

// lane is a Carrier of open channels.
type lane struct {
	carrier  Carrier // nil while no open channel has it
	channels int     // how many have
}

// enterLocked returns the lane of a Receiver's Carrier, 0 where it has none, and counts a channel in.
func (l *Local) enterLocked(r Receiver) uint16 {
	carried, ok := r.(Carried)
	if !ok {
		return 0
	}
	c := carried.Carrier()
	if c == nil {
		return 0
	}
	free := 0
	for i := 1; i < len(l.lanes); i++ {
		switch l.lanes[i].carrier {
		case c:
			l.lanes[i].channels++
			return uint16(i)
		case nil:
			free = i
		}
	}
	if free == 0 {
		if len(l.lanes) > maxLanes {
			return 0
		}
		free = len(l.lanes)
		l.lanes = append(l.lanes, lane{})
	}
	l.lanes[free] = lane{carrier: c, channels: 1}
	return uint16(free)
}

// maxLanes is how many Carriers a Local knows; there is about one for each processor.
const maxLanes = 1<<16 - 1

// exitLocked counts a channel of a lane out.
func (l *Local) exitLocked(number uint16) {
	if number == 0 {
		return
	}
	if at := &l.lanes[number]; at.channels > 1 {
		at.channels--
	} else {
		*at = lane{}
	}
}

// sorting is room for the receivers of a group while they are sorted by their Carriers.
type sorting struct {
	lanes []*[]target // by lane; nil where it has no receiver
	loads []carrying
}

// carrying is what one Carrier has to do for a group.
type carrying struct {
	carrier Carrier
	targets *[]target
}

// sort returns the receivers of a group, those of each Carrier apart.
func (l *Local) sort(s *sorting, group string) (members int) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	at, exists := l.byGroup[group]
	if !exists {
		return 0
	}
	for len(s.lanes) < len(l.lanes) {
		s.lanes = append(s.lanes, nil)
	}
	list := l.groups.at(at).members
	for _, m := range list {
		c := l.channels.at(m.channel)
		targets := s.lanes[c.lane]
		if targets == nil {
			targets = l.getTargets()
			s.lanes[c.lane] = targets
		}
		*targets = append(*targets, c.target())
	}
	for i, targets := range s.lanes {
		if targets != nil {
			s.loads = append(s.loads, carrying{l.lanes[i].carrier, targets})
			s.lanes[i] = nil
		}
	}
	return len(list)
}

// getTargets returns an empty list.
func (l *Local) getTargets() *[]target { return l.targets.Get().(*[]target) }

// putTargets takes a list back.
func (l *Local) putTargets(targets *[]target) {
	clear(*targets) // a pooled list keeps nothing alive
	*targets = (*targets)[:0]
	l.targets.Put(targets)
}
