package channellayer

// A Carrier calls Receivers on a goroutine of its own: that on which all else is done for them, too. What they touch is then
// in the cache of one processor, those of several Carriers are served at the same time, and of events that come in a row
// each Receiver has all before anything is made of them.
type Carrier interface {
	// Carry has the load delivered soon, after those of the calls before. It may wait for a moment where much is to be
	// carried, but for no client. Its own goroutine must not call it.
	Carry(load Load)

	// Idle reports whether all is delivered that was to be carried so far.
	Idle() bool
}

// A Carried is a Receiver whose events a Carrier brings.
type Carried interface {
	Receiver

	// Carrier returns that Carrier; nil: there is none, and whoever has an event calls Receive. It is asked once, when
	// the channel is opened.
	Carrier() Carrier

	// Prepare computes what all receivers like this one make of d, by [Delivery.Memo], so that a Carrier's goroutine need
	// not. It may be called concurrently, and does not wait.
	Prepare(d *Delivery)
}

// A Load is an event on its way to the Receivers of one Carrier.
type Load struct {
	local    *Local
	delivery *Delivery
	targets  *[]target
}

// Len returns how many Receivers the event is for.
func (load Load) Len() int { return len(*load.targets) }

// Deliver hands the event to its Receivers, and counts what becomes of it. It is called once.
func (load Load) Deliver() {
	dropped := 0
	for _, t := range *load.targets {
		if !t.receiver.Receive(load.delivery, int(t.capacity)) {
			dropped++
		}
	}
	load.local.count(load.delivery, load.Len()-dropped, dropped)
	load.local.putTargets(load.targets)
}

// bring delivers the load, or has its Carrier do so.
func (load Load) bring(c Carrier) {
	if c == nil {
		load.Deliver()
		return
	}
	(*load.targets)[0].receiver.(Carried).Prepare(load.delivery)
	c.Carry(load)
}

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
