package consumers

import (
	"context"
	"reflect"
	"sync"

	"github.com/belleville/belleville/channellayer"
)

// webSocketApp is the Application that New makes.
type webSocketApp struct {
	make     func() Consumer
	own      func(Consumer) any // the site's own consumer, where make wrapped it
	handlers *handlers
}

// New makes an Application of a consumer: newConsumer is called for each connection. It panics where a
// handler is no method of that consumer, or two handle the same type.
//
// Python: ChatConsumer.as_asgi().
func New[C Consumer](newConsumer func() C, events ...*EventHandler) Application {
	return &webSocketApp{
		make:     func() Consumer { return newConsumer() },
		own:      func(c Consumer) any { return c },
		handlers: newHandlers(reflect.TypeFor[C](), events),
	}
}

// Open implements Application.
func (a *webSocketApp) Open(_ context.Context, s *Scope) (Instance, error) {
	s.complete()
	sock := &Socket{app: a, consumer: a.make()}
	sock.conn.scope, sock.conn.socket, sock.conn.receiver = s, sock, (*inlet)(sock)
	return sock, nil
}

// maxInbox is how many messages of a client wait for its consumer before the server stops reading.
const maxInbox = 16

// A Socket is the consumer of one WebSocket together with its mailbox. A server calls Start, then Message
// and Disconnect; none of those waits for the consumer, except Start for Connect.
//
// Work is done on a goroutine that exists only while there is some.
type Socket struct {
	// Set at birth, never changed.
	app      *webSocketApp
	consumer Consumer
	conn     Conn

	// Set by Start, before anyone else sees it.
	transport Transport
	life      lifetime

	background sync.WaitGroup // what Conn.Go started

	mu     sync.Mutex // guards the fields below
	state  state
	inbox  []Message
	events []*channellayer.Delivery
	code   CloseCode // why the connection is gone; 0 while it is not
}

// state is what has happened to a Socket, as bits.
type state uint16

const (
	running  state = 1 << iota // somebody works through the mailbox
	answered                   // the handshake was
	accepted                   // with 101
	later                      // the handshake is answered by a handler of an event
	closing                    // Close was called
	paused                     // Message reported false, Resume is owed
	through                    // Disconnect has begun: nothing more is dispatched
)

// instance implements Instance.
func (*Socket) instance() {}

// Start begins the connection on t with the consumer's Connect, and returns when the mailbox is empty.
// The context's values are seen by all methods of the consumer; its end is not the connection's.
func (s *Socket) Start(ctx context.Context, t Transport) {
	s.transport = t
	s.life.base = context.WithoutCancel(ctx)
	s.mu.Lock()
	s.state |= running
	s.mu.Unlock()
	s.connect()
	s.run()
}

// Message takes a message from the client. It reports false when the server should read no further until
// Transport.Resume is called; the message was taken all the same.
func (s *Socket) Message(m Message) bool {
	s.mu.Lock()
	if s.state&through != 0 {
		s.mu.Unlock()
		return true
	}
	s.inbox = append(s.inbox, m)
	more := len(s.inbox) < maxInbox
	if !more {
		s.state |= paused
	}
	start := s.claimLocked()
	s.mu.Unlock()
	if start {
		go s.run()
	}
	return more
}

// Disconnect says that the connection is gone. The consumer's context is done at once, its Disconnect
// follows what the client had said before.
func (s *Socket) Disconnect(code CloseCode) {
	s.mu.Lock()
	if s.code != 0 {
		s.mu.Unlock()
		return
	}
	s.code = code
	start := s.claimLocked()
	s.mu.Unlock()
	s.life.end()
	if start {
		go s.run()
	}
}

// claimLocked reports whether the caller is to work through the mailbox.
func (s *Socket) claimLocked() bool {
	if s.state&(running|through) != 0 {
		return false
	}
	s.state |= running
	return true
}

// inlet is the Socket as the layer sees it.
type inlet Socket

// Receive implements channellayer.Receiver. Where nothing waits before it, a frame for the whole group is
// sent at once, on the caller's goroutine.
func (in *inlet) Receive(d *channellayer.Delivery, capacity int) bool {
	s := (*Socket)(in)
	h := s.app.handlers.find(d.Event.Type())
	s.mu.Lock()
	if s.state&through != 0 {
		s.mu.Unlock()
		return true // it is leaving its groups at this moment
	}
	if len(s.events) >= capacity {
		s.mu.Unlock()
		return false
	}
	if s.state&accepted != 0 && h != nil && h.render != nil && s.claimLocked() {
		s.mu.Unlock()
		s.render(h, d)
		if !s.idle() {
			go s.run()
		}
		return true
	}
	s.events = append(s.events, d)
	start := s.claimLocked()
	s.mu.Unlock()
	if start {
		go s.run()
	}
	return true
}

// idle gives the claim on the mailbox up if it is empty, and reports whether it did.
func (s *Socket) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.inbox) > 0 || len(s.events) > 0 || s.code != 0 {
		return false
	}
	s.state &^= running
	return true
}
