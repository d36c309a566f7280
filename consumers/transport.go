package consumers

import (
	"net/http"

	"github.com/belleville/belleville/channellayer"
)

// A Response answers a handshake: it accepts with status 101, or refuses with any other.
type Response struct {
	Status int
	Header http.Header
	// Subprotocol is the one that was chosen, where Status is 101.
	Subprotocol string
	// Body is sent where Status is not 101.
	Body []byte
	// Reason says why, where Status is not 101.
	Reason Reason
}

// A Transport is the connection under a [Socket]: a server has one, and so has wstest. Its methods may be
// called concurrently, and none of them waits for the peer.
type Transport interface {
	// Answer answers the handshake. It is called once; an error means that the connection is gone.
	Answer(r Response) error

	// Send queues a message. Where frames is not nil the same message goes to other connections too, and
	// what the transport makes of it is kept there.
	Send(m Message, frames *Frames) error

	// Close closes an accepted connection with a close frame. Socket.Disconnect is called later, once the
	// connection is gone.
	Close(code CloseCode, reason string) error

	// Resume says that Socket.Message, having reported false, can take messages again.
	Resume()

	// Report tells of something that went wrong: a *PanicError, an *EventError, ErrStuck, or the error of a
	// consumer. The socket has done what is to be done.
	Report(err error)

	// Ended says that the consumer is through, after its Disconnect, or at once where the connection was
	// gone before Start. It is called once, last.
	Ended()
}

// A CarriedTransport is a Transport that belongs to the goroutine of a Carrier, which is to bring the consumer's events.
type CarriedTransport interface {
	Transport

	// Carrier returns it, or nil. It never changes.
	Carrier() channellayer.Carrier
}

// A PanicError tells of a consumer that panicked. The value is not in its text: it may hold what a client said.
type PanicError struct {
	// Value is what was given to panic.
	Value any
	// Stack is the stack of the goroutine.
	Stack []byte
}

// Error implements error.
func (e *PanicError) Error() string { return "consumers: a consumer panicked" }

// An EventError tells of an event that was dropped before a consumer saw it.
type EventError struct {
	// Reason is "expired", "malformed" or "not accepted".
	Reason string
}

// Error implements error.
func (e *EventError) Error() string { return "consumers: event dropped: " + e.Reason }
