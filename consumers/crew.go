package consumers

import (
	"runtime"
	"sync"
)

// A Crew does work of many Sockets on as few goroutines as do not wait: the next piece is done on the goroutine of the last
// one, until that waits for something, or another processor is free. One goroutine calls its methods. A nil Crew starts a goroutine
// for each piece, at once.
type Crew struct {
	mu     sync.Mutex // guards the fields below
	ready  []job      // which nobody does yet
	spare  int        // how many goroutines wait for work
	wakeup chan struct{}
	closed bool
}

// job is a consumer that was told something, or anything else.
type job struct {
	socket *Socket
	call   func()
}

// do does it.
func (j job) do() {
	if j.socket != nil {
		j.socket.run()
	} else {
		j.call()
	}
}

// maxSpare is how many goroutines of a Crew are kept that have nothing to do: their stacks have grown already.
const maxSpare = 16

// Message is [Socket.Message], but for the consumer, which runs when Work is called.
func (c *Crew) Message(s *Socket, m Message) bool {
	more, start := s.take(m)
	if start {
		c.add(job{socket: s})
	}
	return more
}

// Disconnect is [Socket.Disconnect], but for the consumer, which runs when Work is called.
func (c *Crew) Disconnect(s *Socket, code CloseCode) {
	if s.lose(code) {
		c.add(job{socket: s})
	}
}

// Go has f called when Work is.
func (c *Crew) Go(f func()) { c.add(job{call: f}) }

// add puts a job down.
func (c *Crew) add(j job) {
	if c == nil {
		go j.do()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = append(c.ready, j)
}

// Work sees to it that all is done which was asked for, and returns when each piece has begun; those that did not have to
// wait are done then. One that keeps its processor busy holds the others up for no longer than the Go scheduler lets it.
func (c *Crew) Work() {
	for c.begin() {
		runtime.Gosched() // to the goroutine that was woken; it comes back here when that waits or nothing is left
	}
}

// begin wakes a goroutine, or starts one, and reports whether there was something to do.
func (c *Crew) begin() bool {
	c.mu.Lock()
	waits, spare := len(c.ready) > 0, c.spare > 0
	if waits && spare {
		c.spare--
	}
	c.mu.Unlock()
	switch {
	case waits && spare:
		c.wakeup <- struct{}{} // there is room for all that are spare
	case waits:
		go c.work()
	}
	return waits
}

// Close lets go of the goroutines that have nothing to do. Others end when they are through.
func (c *Crew) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ; c.spare > 0; c.spare-- {
		c.wakeup <- struct{}{}
	}
	c.closed = true
}

// work does what is to be done, until the goroutine is one too many.
func (c *Crew) work() {
	for {
		for j, ok := c.next(); ok; j, ok = c.next() {
			j.do()
		}
		if !c.rest() {
			return
		}
		<-c.wakeup
	}
}

// next takes what came last, whose connection was touched last.
func (c *Crew) next() (j job, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(c.ready) - 1
	if last < 0 {
		return job{}, false
	}
	j, c.ready[last] = c.ready[last], job{}
	c.ready = c.ready[:last]
	return j, true
}

// rest makes the caller's goroutine a spare one, and reports whether it is wanted.
func (c *Crew) rest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.spare >= maxSpare {
		return false
	}
	if c.wakeup == nil {
		c.wakeup = make(chan struct{}, maxSpare)
	}
	c.spare++
	return true
}
