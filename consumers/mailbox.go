package consumers

import (
	"time"

	"github.com/belleville/belleville/channellayer"
)

const (
	// maxInbox and maxInboxBytes are how many messages of a client, and how many bytes in them, wait for its
	// consumer before the server stops reading.
	maxInbox      = 16
	maxInboxBytes = 64 << 10
)

// mailbox holds what waits for a consumer: messages within the bounds above, events within the capacity that
// the layer gives a channel. A Socket that has nothing to do has no mailbox.
type mailbox struct {
	messages queue[Message]
	bytes    int // in messages
	news     *news
	events   queue[*channellayer.Delivery]
	finish   func()      // called when nothing waits; see Finish
	overdue  *time.Timer // runs while the connection is gone and its consumer still busy
}

// full reports whether no more messages should come.
func (b *mailbox) full() bool { return b.messages.len() >= maxInbox || b.bytes > maxInboxBytes }

// roomy reports whether messages may come again.
func (b *mailbox) roomy() bool { return b.messages.len() <= maxInbox/2 && b.bytes <= maxInboxBytes/2 }

// boxLocked returns the Socket's mailbox, which is made when it is first needed.
func (s *Socket) boxLocked() *mailbox {
	if s.box == nil {
		s.box, _ = s.app.boxes.Get().(*mailbox)
	}
	if s.box == nil {
		s.box = new(mailbox)
	}
	return s.box
}

// dropLocked drops what waits, and reports whether the transport waits to be told that it may read on.
func (s *Socket) dropLocked() (resume bool) {
	resume = s.state&paused != 0
	s.state &^= paused
	b := s.box
	if b == nil {
		return resume
	}
	s.box = nil
	if b.overdue != nil {
		b.overdue.Stop()
	}
	b.messages.reset()
	b.events.reset()
	b.bytes, b.overdue, b.news, b.finish = 0, nil, nil, nil
	s.app.boxes.Put(b)
	return resume
}

// restLocked lets go of what nobody needs while the consumer has nothing to do: of its Scope, unless what Conn.Go has
// started or a Connect that has not decided may be at it.
func (s *Socket) restLocked() {
	if s.background == nil && s.state&answered != 0 {
		s.channel.rest(s.app.outlines)
	}
}

// work is one thing that a mailbox held.
type work struct {
	news    *news
	message Message
	event   *channellayer.Delivery
	code    CloseCode
	finish  func()
	resume  bool // the server may read on, whether there is work or not
}

// next takes the next thing out of the mailbox: what the client said goes first, then events. It gives the
// claim up, and reports false, where there is nothing.
func (s *Socket) next() (work, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var w work
	if s.state&closing != 0 {
		w.resume = s.dropLocked()
	}
	b := s.box
	switch {
	case s.state&through != 0:
		return w, false
	case b != nil && b.news != nil && s.code == 0:
		w.news, b.news = b.news, nil
	case b != nil && b.messages.len() > 0:
		w.message = b.messages.pop()
		b.bytes -= len(w.message.Data)
		if s.state&paused != 0 && b.roomy() {
			s.state &^= paused
			w.resume = true
		}
	case s.code != 0:
		w.code = s.code
	case b != nil && b.events.len() > 0:
		w.event = b.events.pop()
	case b != nil && b.finish != nil:
		w.finish, b.finish = b.finish, nil
	default:
		s.dropLocked()
		s.restLocked()
		s.state &^= running
		return w, false
	}
	return w, true
}
