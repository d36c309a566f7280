package consumers

import (
	"context"
	"errors"
	"net/http"
)

// ErrAnswered means that the handshake was answered before.
var ErrAnswered = errors.New("consumers: the handshake was answered already")

// answer answers the handshake, once.
func (s *Socket) answer(r Response) error {
	s.mu.Lock()
	if s.state&answered != 0 {
		s.mu.Unlock()
		return ErrAnswered
	}
	s.state |= answered
	s.mu.Unlock()
	if err := s.transport.Answer(r); err != nil {
		return err
	}
	if r.Status != http.StatusSwitchingProtocols {
		s.Disconnect(CloseAbnormal)
		return nil
	}
	s.mu.Lock()
	s.state |= accepted
	s.mu.Unlock()
	return nil
}

// deny refuses the handshake, and ends the consumer with 1006 as Channels does.
func (s *Socket) deny(d *Denial) error {
	status := d.Status
	if status < 400 || status > 599 {
		status = http.StatusForbidden
	}
	return s.answer(Response{Status: status, Header: d.Header, Body: d.Body})
}

// acceptLater lets Connect return without a decision.
func (s *Socket) acceptLater() {
	s.mu.Lock()
	s.state |= later
	s.mu.Unlock()
}

// send queues a message for the client.
func (s *Socket) send(m Message, frames *Frames) error {
	s.mu.Lock()
	open := s.state&(accepted|closing) == accepted && s.code == 0
	s.mu.Unlock()
	if !open {
		return ErrClosed
	}
	return s.transport.Send(m, frames)
}

// close closes an accepted connection and refuses another.
func (s *Socket) close(code CloseCode, reason string) error {
	s.mu.Lock()
	wasAccepted := s.state&accepted != 0
	wasClosing := s.state&closing != 0
	s.state |= closing
	s.mu.Unlock()
	switch {
	case !wasAccepted:
		return s.deny(&Denial{Status: http.StatusForbidden})
	case wasClosing:
		return ErrClosed
	}
	if !code.Sendable() {
		code = CloseInternalError
	}
	return s.transport.Close(code, cut(reason))
}

// maxReason is the room for a reason in a close frame. RFC 6455 §5.5.
const maxReason = 123

// cut returns as much of a reason as fits into a close frame, in whole characters.
func cut(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	end := 0
	for i := range reason {
		if i > maxReason {
			break
		}
		end = i
	}
	return reason[:end]
}

// spawn runs f beside the consumer.
func (s *Socket) spawn(f func(ctx context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state&through != 0 {
		return // nobody would wait for it any more
	}
	s.background.Go(func() {
		err := guard(func() error { return f(&s.life) })
		if err == nil || errors.Is(err, ErrClosed) || s.life.Err() != nil {
			return
		}
		s.transport.Report(err)
		_ = s.close(CloseInternalError, "")
	})
}
