package wstest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/belleville/belleville/consumers"
)

// wire is the Transport between a Communicator and its consumer.
type wire struct {
	answered chan struct{} // closed once response is set
	ended    chan struct{} // closed when the consumer is through
	wakeups  chan struct{} // holds one where something is new

	// Set before anyone else sees it.
	socket   *consumers.Socket
	response consumers.Response

	mu       sync.Mutex // guards the fields below
	messages []consumers.Message
	closed   error // why nothing more will come; nil while something may
	failed   error // what the consumer failed with first
	reported []error
}

// newWire returns a wire that nothing was said on.
func newWire() *wire {
	return &wire{answered: make(chan struct{}), ended: make(chan struct{}), wakeups: make(chan struct{}, 1)}
}

// wake tells whoever waits in next.
func (w *wire) wake() {
	select {
	case w.wakeups <- struct{}{}:
	default: // it is awake already
	}
}

// Answer implements consumers.Transport.
func (w *wire) Answer(r consumers.Response) error {
	w.response = r
	close(w.answered)
	return nil
}

// accepted reports whether the handshake was.
func (w *wire) accepted() bool {
	select {
	case <-w.answered:
		return w.response.Status == http.StatusSwitchingProtocols
	default:
		return false
	}
}

// Send implements consumers.Transport.
func (w *wire) Send(m consumers.Message, _ *consumers.Frames) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed != nil {
		return consumers.ErrClosed
	}
	w.messages = append(w.messages, m)
	w.wake()
	return nil
}

// Close implements consumers.Transport. The client answers at once.
func (w *wire) Close(code consumers.CloseCode, reason string) error {
	if !w.close(&CloseError{code, reason}) {
		return consumers.ErrClosed
	}
	w.socket.Disconnect(code)
	return nil
}

// hangUp ends the connection from the client's side.
func (w *wire) hangUp() { w.close(consumers.ErrClosed) }

// close ends the connection, and reports whether it was open.
func (w *wire) close(why error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed != nil {
		return false
	}
	w.closed = why
	w.wake()
	return true
}

// Resume implements consumers.Transport.
func (w *wire) Resume() {}

// Report implements consumers.Transport. An event that was dropped is no failure.
func (w *wire) Report(err error) {
	_, dropped := errors.AsType[*consumers.EventError](err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reported = append(w.reported, err)
	if w.failed == nil && !dropped {
		w.failed = err
	}
	w.wake()
}

// Ended implements consumers.Transport.
func (w *wire) Ended() { close(w.ended) }

// pending returns how many messages wait.
func (w *wire) pending() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.messages)
}

// all returns what was reported.
func (w *wire) all() []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.reported)
}

// failure returns what the consumer failed with.
func (w *wire) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// over returns why nothing more can be said, or nil.
func (w *wire) over() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.overLocked()
}

func (w *wire) overLocked() error {
	if w.failed != nil {
		return w.failed
	}
	return w.closed
}

// next waits for a message.
func (w *wire) next(ctx context.Context) (consumers.Message, error) {
	for {
		m, ok, err := w.take()
		if ok || err != nil {
			return m, err
		}
		select {
		case <-w.wakeups:
		case <-ctx.Done():
			return consumers.Message{}, ctx.Err()
		}
	}
}

// take returns the next message, if there is one, or why there will be none.
func (w *wire) take() (m consumers.Message, ok bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.messages) == 0 {
		return m, false, w.overLocked()
	}
	m = w.messages[0]
	w.messages = w.messages[1:]
	return m, true, nil
}
