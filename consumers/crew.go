package consumers

import (
	"runtime"
	"sync"
)

// A Crew runs the consumers of many Sockets on as few goroutines as do not wait: the next consumer runs on the goroutine
// of the last one, until one of them waits for something, or another processor is free. One goroutine calls Message and
// Work.
type Crew struct {
	mu    sync.Mutex // guards the fields below
	ready []*Socket  // claimed for whoever comes first
}

// Message is [Socket.Message], but for the consumer, which runs when Work is called.
func (c *Crew) Message(s *Socket, m Message) bool {
	more, start := s.take(m)
	if start {
		c.mu.Lock()
		c.ready = append(c.ready, s)
		c.mu.Unlock()
	}
	return more
}

// Work sees to it that all consumers to whom something was said run, and returns when each of them has begun; those that
// did not have to wait are through then. A consumer that keeps its processor busy holds the others up for no longer than
// the Go scheduler lets it.
func (c *Crew) Work() {
	for c.waits() {
		go c.work()
		runtime.Gosched() // to that one; it comes back here when that waits or there is nothing left
	}
}

// waits reports whether a consumer has not begun.
func (c *Crew) waits() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ready) > 0
}

// work runs consumers until none is left.
func (c *Crew) work() {
	for s := c.next(); s != nil; s = c.next() {
		s.run()
	}
}

// next takes the consumer that was told something last, whose connection was touched last; nil if there is none.
func (c *Crew) next() *Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(c.ready) - 1
	if last < 0 {
		return nil
	}
	s := c.ready[last]
	c.ready[last] = nil
	c.ready = c.ready[:last]
	return s
}
