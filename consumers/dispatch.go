package consumers

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// disconnectTimeout is how long a consumer's Disconnect may take before its context ends. As Daphne's.
const disconnectTimeout = 10 * time.Second

// own returns the site's own consumer, whose methods are the handlers of events.
func (s *Socket) own() any { return s.app.own(s.consumer) }

// connect runs the consumer's Connect and sees that the handshake is answered.
func (s *Socket) connect() {
	err := guard(func() error {
		if g, ok := s.own().(Grouper); ok {
			if err := s.join(g.Groups()); err != nil {
				return err
			}
		}
		return s.consumer.Connect(&s.life, &s.conn)
	})
	s.conn.scope.Header = nil // kept for Connect only
	if err != nil {
		s.failed(err)
		return
	}
	s.mu.Lock()
	undecided := s.state&(answered|later) == 0
	s.mu.Unlock()
	if undecided {
		_ = s.deny(DenialOf(ErrDenied)) // it can only be closed already
	}
}

// join adds the connection to the groups that it is in from the beginning.
func (s *Socket) join(groups []string) error {
	for _, group := range groups {
		if err := s.conn.GroupAdd(&s.life, group); err != nil {
			return err
		}
	}
	return nil
}

// run works through the mailbox, which the caller has claimed, until it is empty.
func (s *Socket) run() {
	for {
		w, ok := s.next()
		if !ok {
			return
		}
		if w.resume {
			s.transport.Resume()
		}
		switch {
		case w.code != 0:
			s.disconnect(w.code)
			return
		case w.event != nil:
			s.dispatch(w.event)
		default:
			s.check(guard(func() error { return s.consumer.Receive(&s.life, &s.conn, w.message) }))
		}
	}
}

// work is one thing that a mailbox held.
type work struct {
	message Message
	event   *channellayer.Delivery
	code    CloseCode
	resume  bool // the server may read on
}

// next takes the next thing out of the mailbox: what the client said goes first, then events. It gives the
// claim up, and reports false, where there is nothing.
func (s *Socket) next() (work, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var w work
	switch {
	case s.state&through != 0:
		return w, false
	case len(s.inbox) > 0:
		w.message, s.inbox = take(s.inbox)
		if s.state&paused != 0 && len(s.inbox) <= maxInbox/2 {
			s.state &^= paused
			w.resume = true
		}
	case s.code != 0:
		w.code = s.code
	case len(s.events) > 0:
		w.event, s.events = take(s.events)
	default:
		s.state &^= running
		return w, false
	}
	return w, true
}

// take returns the first of a queue and the rest, nil where it is empty so that an idle one holds nothing.
func take[T any](queue []T) (T, []T) {
	first := queue[0]
	var none T
	queue[0] = none
	if len(queue) == 1 {
		return first, nil
	}
	return first, queue[1:]
}

// dispatch hands an event to its handler.
func (s *Socket) dispatch(d *channellayer.Delivery) {
	if d.Expired(time.Now()) {
		s.transport.Report(&EventError{"expired"})
		return
	}
	h := s.app.handlers.find(d.Event.Type())
	switch {
	case h == nil:
		s.check(ErrNoHandler)
	case h.render != nil:
		s.render(h, d)
	default:
		s.check(guard(func() error { return h.call(&s.life, s.own(), &s.conn, d) }))
	}
}

// render sends what h makes of an event for all its receivers.
func (s *Socket) render(h *EventHandler, d *channellayer.Delivery) {
	s.mu.Lock()
	open := s.state&accepted != 0
	s.mu.Unlock()
	if !open {
		s.transport.Report(&EventError{"not accepted"})
		return
	}
	r := h.rendered(d)
	if r.err != nil {
		s.transport.Report(&EventError{"malformed"})
		if panicked, ok := errors.AsType[*PanicError](r.err); ok && r.reported.CompareAndSwap(false, true) {
			s.transport.Report(panicked)
		}
		return
	}
	if r.message.Kind != 0 {
		_ = s.send(r.message, &r.frames) // it can only be closed
	}
}

// guard calls a method of the consumer and turns a panic into an error.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}

// check does what an error of the consumer asks for.
func (s *Socket) check(err error) {
	dropped, isDropped := errors.AsType[*EventError](err)
	switch {
	case err == nil || errors.Is(err, ErrClosed):
	case isDropped:
		s.transport.Report(dropped)
	case errors.Is(err, context.Canceled) && s.life.Err() != nil: // it was told that the connection is gone
	default:
		s.failed(err)
	}
}

// failed ends a connection whose consumer returned an error or panicked.
func (s *Socket) failed(err error) {
	s.mu.Lock()
	wasAccepted := s.state&accepted != 0
	s.mu.Unlock()
	stopped := errors.Is(err, ErrStop)
	switch {
	case wasAccepted && stopped:
		_ = s.close(CloseNormal, "")
		s.disconnect(CloseNormal)
	case wasAccepted:
		s.transport.Report(err)
		_ = s.close(CloseInternalError, "")
		s.disconnect(CloseInternalError)
	default:
		denial := *DenialOf(err)
		if denial.Status == 500 && !stopped {
			s.transport.Report(err)
		}
		if stopped {
			denial.Status = 403
		}
		_ = s.deny(&denial)
	}
}

// disconnect runs the consumer's Disconnect and leaves the layer. It is the last thing that happens.
func (s *Socket) disconnect(code CloseCode) {
	s.mu.Lock()
	if s.state&through != 0 {
		s.mu.Unlock()
		return
	}
	s.state |= through
	s.inbox, s.events = nil, nil
	s.mu.Unlock()
	s.life.end()
	s.background.Wait()

	ctx, cancel := context.WithTimeout(s.life.base, disconnectTimeout)
	defer cancel()
	err := guard(func() error {
		if g, ok := s.own().(Grouper); ok {
			s.part(ctx, g.Groups())
		}
		return s.consumer.Disconnect(ctx, &s.conn, code)
	})
	if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrStop) {
		s.transport.Report(err)
	}
	s.conn.leave()
	s.transport.Ended()
}

// part takes the connection out of the groups that it was in from the beginning.
func (s *Socket) part(ctx context.Context, groups []string) {
	for _, group := range groups {
		_ = s.conn.GroupDiscard(ctx, group) // the channel is closed soon, which leaves all groups
	}
}
