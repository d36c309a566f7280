package consumers

import (
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"
)

// ErrAnswered means that the handshake was answered before.
var ErrAnswered = errors.New("consumers: the handshake was answered already")

// answer answers the handshake, once.
func (s *Socket) answer(r Response) error {
	accept := r.Status == http.StatusSwitchingProtocols
	s.mu.Lock()
	switch {
	case s.state&answered != 0:
		s.mu.Unlock()
		return ErrAnswered
	case s.code != 0:
		s.mu.Unlock()
		return ErrClosed
	}
	s.state |= answered | answering
	if accept {
		s.state |= accepted // now, for the client may say something before Answer has returned
	}
	s.mu.Unlock()
	err := s.transport.Answer(r)
	s.mu.Lock()
	s.state &^= answering
	if err != nil {
		s.state &^= answered | accepted
	}
	asked := s.asked
	s.mu.Unlock()
	switch {
	case err != nil:
		s.Disconnect(CloseAbnormal)
		return err
	case !accept:
		s.Disconnect(CloseAbnormal)
	case asked != 0:
		_ = s.transport.Close(asked, "") // the client may be gone already
	}
	return nil
}

// deny refuses the handshake, and ends the consumer with 1006 as Channels does.
func (s *Socket) deny(d *Denial) error {
	return s.answer(Response{Status: d.status(), Header: d.Header, Body: d.Body, Reason: d.Reason})
}

// acceptLater lets Connect return without a decision.
func (s *Socket) acceptLater() {
	s.mu.Lock()
	s.state |= later
	s.mu.Unlock()
}

// send queues a message for the client.
func (s *Socket) send(m Message) error {
	s.mu.Lock()
	open := s.state&(accepted|closing|barred) == accepted && s.code == 0
	s.mu.Unlock()
	if !open {
		return ErrClosed
	}
	return s.transport.Send(m.sendable(), nil)
}

// close closes an accepted connection and refuses another.
func (s *Socket) close(code CloseCode, reason string) error {
	if !code.Sendable() {
		code = CloseInternalError
	}
	s.mu.Lock()
	before, gone := s.state, s.code != 0
	s.state |= closing
	if s.asked == 0 {
		s.asked = code
	}
	s.mu.Unlock()
	switch {
	case before&accepted == 0:
		return s.deny(DenialOf(ErrDenied))
	case gone || before&closing != 0:
		return ErrClosed
	case before&answering != 0:
		return nil // answer closes, without the reason
	}
	return s.transport.Close(code, cut(reason))
}

// maxReason is the room for a reason in a close frame. RFC 6455 §5.5.
const maxReason = 123

// cut returns as much of a reason as fits into a close frame, in whole characters. What is no UTF-8 would be
// an error on the client's side.
func cut(reason string) string {
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) <= maxReason {
		return reason
	}
	end := maxReason
	for !utf8.RuneStart(reason[end]) {
		end--
	}
	return reason[:end]
}
