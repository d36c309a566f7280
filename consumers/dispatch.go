package consumers

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/internal/lazyctx"
)

// disconnectTimeout is how long a consumer's Disconnect may take before its context ends. As Daphne's.
const disconnectTimeout = 10 * time.Second

// own returns the site's own consumer, whose methods are the handlers of events.
func (s *Socket) own() any { return s.app.own(s.consumer) }

// connect runs the consumer's Connect and sees that the handshake is answered.
func (s *Socket) connect() {
	err := guard(func() error {
		if g, ok := s.own().(Grouper); ok {
			return s.join(g.Groups())
		}
		return nil
	})
	if err == nil {
		s.note(connected)
		err = guard(func() error { return s.consumer.Connect(&s.life, s.conn()) })
	}
	s.channel.Scope().forget()
	s.mu.Lock()
	wasAnswered, decided := s.state&answered != 0, s.state&(answered|later) != 0
	s.mu.Unlock()
	switch {
	case err != nil && !wasAnswered && s.life.Err() == nil:
		s.failed(err) // even ErrClosed, which says here that it sent before it accepted
	case err != nil:
		s.check(err)
	case !decided:
		_ = s.deny(DenialOf(ErrDenied)) // it can only be closed already
	}
}

// note sets bits of the state.
func (s *Socket) note(bits state) {
	s.mu.Lock()
	s.state |= bits
	s.mu.Unlock()
}

// join adds the connection to the groups that it is in from the beginning.
func (s *Socket) join(groups []string) error {
	for _, group := range groups {
		if err := s.conn().GroupAdd(&s.life, group); err != nil {
			return err
		}
	}
	return nil
}

// run works through the mailbox, which the caller has claimed, until it is empty.
func (s *Socket) run() {
	for {
		w, ok := s.next()
		if w.resume {
			s.transport.Resume()
		}
		switch {
		case !ok:
			return
		case w.news != nil:
			s.hear(w.news)
		case w.code != 0:
			s.disconnect(w.code)
			return
		case w.event != nil:
			s.dispatch(w.event)
		case w.finish != nil:
			w.finish()
		default:
			s.check(guard(func() error { return s.consumer.Receive(&s.life, s.conn(), w.message) }))
		}
	}
}

// dispatch hands an event to its handler.
func (s *Socket) dispatch(d *channellayer.Delivery) {
	if d.Expired(time.Now()) {
		s.transport.Report(&EventError{"expired"})
		return
	}
	h := s.app.handlers.of(d)
	switch {
	case h == nil:
		s.check(ErrNoHandler)
	case h.render == nil:
		s.check(guard(func() error { return h.call(&s.life, s.own(), s.conn(), d) }))
	case s.wasAccepted():
		s.render(h, d)
	default:
		s.transport.Report(&EventError{"not accepted"})
	}
}

// wasAccepted reports whether the handshake was.
func (s *Socket) wasAccepted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state&accepted != 0
}

// render sends what h makes of an event for all its receivers.
func (s *Socket) render(h *EventHandler, d *channellayer.Delivery) {
	r := h.rendered(d)
	if r.err != nil {
		s.transport.Report(&EventError{"malformed"})
		if panicked, ok := errors.AsType[*PanicError](r.err); ok && r.reported.CompareAndSwap(false, true) {
			s.transport.Report(panicked)
		}
		return
	}
	if r.message.Kind != 0 {
		_ = s.transport.Send(r.message, &r.frames) // it can only be closed
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
	code := s.fail(err)
	if s.wasAccepted() {
		s.disconnect(code)
	} else {
		s.Disconnect(code)
	}
}

// fail tells the server of an error, and the client that the connection is over. It returns the code to go
// on with.
func (s *Socket) fail(err error) CloseCode {
	wasAccepted, stopped := s.wasAccepted(), errors.Is(err, ErrStop)
	switch {
	case wasAccepted && stopped:
		_ = s.close(CloseNormal, "") // it can only be closed already, here and below
	case wasAccepted:
		s.transport.Report(err)
		_ = s.close(CloseInternalError, "")
	case stopped:
		_ = s.deny(DenialOf(ErrDenied))
	default:
		if isFailure(err) {
			s.transport.Report(err)
		}
		_ = s.deny(DenialOf(err))
	}
	if !wasAccepted {
		return CloseAbnormal
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked // by the consumer itself, if it was quicker
}

// isFailure reports whether an error of Connect is no decision about the client.
func isFailure(err error) bool {
	return !errors.Is(err, ErrDenied) && !errors.Is(err, ErrNoRoute)
}

// disconnect runs the consumer's Disconnect and leaves the layer. It is the last thing that happens.
func (s *Socket) disconnect(code CloseCode) {
	s.mu.Lock()
	if s.state&through != 0 {
		s.mu.Unlock()
		return
	}
	s.state |= through
	if s.code == 0 {
		s.code = code
	}
	code = s.code
	resume := s.dropLocked()
	wasConnected, beside := s.state&connected != 0, s.background
	s.mu.Unlock()
	if resume {
		s.transport.Resume()
	}
	s.life.end()
	returned := s.await(beside)
	s.goodbye(code, wasConnected)
	s.channel.leave()
	if returned != nil {
		<-returned
	}
	s.ended()
}

// ended tells whom it concerns that the consumer is through.
func (s *Socket) ended() {
	if s.channel.watch != nil {
		s.channel.watch.Ended()
	}
	s.transport.Ended()
}

// goodbye takes the consumer out of the groups that it was in from the beginning, then runs its Disconnect,
// if its Connect was run. Whatever the one does, the other follows.
func (s *Socket) goodbye(code CloseCode, wasConnected bool) {
	ctx := lazyctx.WithTimeout(s.life.base(), disconnectTimeout)
	defer ctx.End(context.Canceled)
	s.afterwards(guard(func() error {
		if g, ok := s.own().(Grouper); ok {
			s.part(ctx, g.Groups())
		}
		return nil
	}))
	if wasConnected {
		s.afterwards(guard(func() error { return s.consumer.Disconnect(ctx, s.conn(), code) }))
	}
}

// afterwards reports an error that nothing more can be done about.
func (s *Socket) afterwards(err error) {
	if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrStop) {
		s.transport.Report(err)
	}
}

// part takes the connection out of the groups that it was in from the beginning.
func (s *Socket) part(ctx context.Context, groups []string) {
	for _, group := range groups {
		_ = s.conn().GroupDiscard(ctx, group) // the channel is closed soon, which leaves all groups
	}
}
