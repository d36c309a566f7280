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
