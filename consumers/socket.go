package consumers

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// webSocketApp is the Application that New makes.
type webSocketApp struct {
	make     func() Consumer
	own      func(Consumer) any // the site's own consumer, where make wrapped it
	handlers *handlers
	outlines *outlines // of the connections' Scopes
	boxes    sync.Pool // of *mailbox, empty ones
}

// New makes an Application of a consumer: newConsumer is called for each connection. It panics where a
// handler is no method of that consumer, or two handle the same type.
//
// Python: ChatConsumer.as_asgi().
func New[C Consumer](newConsumer func() C, events ...*EventHandler) Application {
	return &webSocketApp{
		make:     func() Consumer { return newConsumer() },
		own:      func(c Consumer) any { return c },
		handlers: newHandlers(reflect.TypeFor[C](), reflect.TypeFor[*Conn](), events),
		outlines: newOutlines(),
	}
}

// Open implements Application.
func (a *webSocketApp) Open(_ context.Context, s *Scope) (Instance, error) {
	s.complete()
	sock := &Socket{app: a, consumer: a.make()}
	sock.channel.own(s)
	return sock, nil
}

// A Socket is the consumer of one WebSocket together with its mailbox. A server calls Start, Message and
// Disconnect; none of those waits for the consumer, except Start for Connect. What comes before Start waits
// for it.
//
// Work is done on a goroutine that exists only while there is some.
type Socket struct {
	// Set at birth, never changed.
	app      *webSocketApp
	consumer Consumer
	channel  channel

	// Set by Start, before anyone else sees it.
	transport Transport
	life      lifetime

	mu         sync.Mutex // guards the fields below
	state      state
	code       CloseCode   // why the connection is gone; 0 while it is not
	asked      CloseCode   // what Close was called with first; 0 while it was not
	box        *mailbox    // nil while nothing waits
	background *background // nil while Conn.Go was not called
}

// state is what has happened to a Socket, as bits.
type state uint16

const (
	started   state = 1 << iota // Start was called
	running                     // somebody works through the mailbox
	connected                   // the consumer's Connect was called, so its Disconnect will be
	answered                    // the handshake was
	answering                   // the transport is at it
	accepted                    // with 101
	later                       // the handshake is answered by a handler of an event
	closing                     // Close was called: nothing is dispatched any more but Disconnect
	paused                      // Message reported false, Resume is owed
	through                     // Disconnect has begun: nothing more is dispatched
	barred                      // the visitor was logged out, and the consumer has not said what of that
)

// instance implements Instance.
func (*Socket) instance() {}

// Start begins the connection on t with the consumer's Connect, and returns when the mailbox is empty.
// The context's values are seen by all methods of the consumer; its end is not the connection's. Where
// Disconnect came first there is no Connect, and Start calls only Transport.Ended; where Close did, it refuses.
func (s *Socket) Start(ctx context.Context, t Transport) {
	s.transport = t
	s.life.begin(ctx)
	s.mu.Lock()
	s.state |= started | running
	gone, refused := s.code != 0, s.state&closing != 0
	if gone {
		s.state |= through
		s.dropLocked()
	}
	s.mu.Unlock()
	if gone {
		s.ended()
		return
	}
	if refused {
		_ = s.deny(DenialOf(ErrDenied)) // it can only be closed already
	} else {
		s.connect()
	}
	s.run()
}

// Message takes a message from the client. It reports false when the server should read no further until
// Transport.Resume is called: 16 messages wait, or more than 64 KiB. The message was taken all the same.
func (s *Socket) Message(m Message) bool {
	more, start := s.take(m)
	if start {
		go s.run()
	}
	return more
}

// take puts a message into the mailbox. It reports whether there is room for more, and whether the mailbox is the
// caller's to work through.
func (s *Socket) take(m Message) (more, start bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state&(closing|through) != 0 || s.code != 0 {
		return true, false
	}
	b := s.boxLocked()
	b.messages.push(m)
	b.bytes += len(m.Data)
	full := b.full()
	if full {
		s.state |= paused
	}
	return !full, s.claimLocked()
}

// Disconnect says that the connection is gone. What the client said before is still handled, for which the
// consumer has ten seconds before its context ends; then its Disconnect is called. What Conn.Go has started,
// and a Connect that has not answered yet, have no reason to go on: their context is done at once.
func (s *Socket) Disconnect(code CloseCode) {
	if s.lose(code) {
		go s.run()
	}
}

// lose notes that the connection is gone, and reports whether the mailbox is the caller's to work through.
func (s *Socket) lose(code CloseCode) (start bool) {
	s.mu.Lock()
	if s.code != 0 {
		s.mu.Unlock()
		return false
	}
	if s.state&(answered|accepted) == answered {
		code = CloseAbnormal // it was refused, whoever is the first to say that it is over
	}
	s.code = code
	start = s.claimLocked()
	busy := !start && s.state&(started|through) == started
	if busy {
		s.boxLocked().overdue = time.AfterFunc(disconnectTimeout, s.overdue)
	}
	patient := busy && s.state&accepted != 0
	b := s.background
	s.mu.Unlock()
	if b != nil {
		b.life.end()
	}
	if !patient {
		s.life.end()
	}
	return start
}

// overdue ends the patience with a consumer that is still busy though its client has gone.
func (s *Socket) overdue() {
	s.life.end()
	s.transport.Report(ErrStuck)
}

// claimLocked reports whether the caller is to work through the mailbox.
func (s *Socket) claimLocked() bool {
	if s.state&started == 0 || s.state&(running|through) != 0 {
		return false
	}
	s.state |= running
	return true
}

// inlet is the Socket as the layer sees it.
type inlet Socket

// Carrier implements [channellayer.Carried].
func (in *inlet) Carrier() channellayer.Carrier {
	if t, ok := in.transport.(CarriedTransport); ok {
		return t.Carrier()
	}
	return nil
}

// Prepare implements [channellayer.Carried]: what a site's function makes of an event for all is made here.
func (in *inlet) Prepare(d *channellayer.Delivery) {
	if h := in.app.handlers.of(d); h != nil && h.render != nil {
		h.rendered(d)
	}
}

// Receive implements channellayer.Receiver. Where nothing waits before it, a frame for the whole group is
// sent at once, on the caller's goroutine.
func (in *inlet) Receive(d *channellayer.Delivery, capacity int) bool {
	s := (*Socket)(in)
	h := s.app.handlers.of(d)
	s.mu.Lock()
	switch {
	case s.state&(closing|through) != 0:
		s.mu.Unlock()
		return true // it is leaving its groups soon
	case h != nil && h.render != nil && s.state&(accepted|barred) == accepted && s.claimLocked():
		s.mu.Unlock()
		s.render(h, d)
		if !s.idle() {
			go s.run()
		}
		return true
	}
	b := s.boxLocked()
	full := b.events.len() >= capacity
	if !full {
		b.events.push(d)
	}
	start := s.claimLocked()
	s.mu.Unlock()
	if start {
		go s.run()
	}
	return !full
}

// idle gives the claim on the mailbox up if it is empty, and reports whether it did.
func (s *Socket) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.box != nil || s.code != 0 {
		return false
	}
	s.state &^= running
	return true
}
