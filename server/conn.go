package server

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/lazyctx"
	"github.com/gobwas/ws"
)

// phase is how far a connection has come.
type phase uint8

const (
	reading   phase = iota // its request head
	prefacing              // before it: who the client of a trusted proxy is
	deciding               // the application decides about the handshake
	open                   // messages go both ways
	closing                // our close frame or our refusal was queued; what comes is thrown away
	ending                 // all is written, the end of the stream was sent; we wait for the peer's
	gone                   // the descriptor is closed
)

// A driver moves a connection's bytes.
type driver interface {
	// attend makes the connection's owner do soon what conn.wanted says. It may be called from anywhere.
	attend(c *conn)
	// local returns the address that the peer connected to. It is for the owner.
	local(c *conn) netip.AddrPort
	// detach gives the connection up, for net/http to serve. It is for the owner.
	detach(c *conn) (net.Conn, error)
	// crew returns who does what may wait, nil where goroutines are started for that. It is for the owner.
	crew() *consumers.Crew
	// flow returns where messages are counted.
	flow() *flow
	// carrier returns who brings events of the channel layer, nil where whoever has them does.
	carrier() channellayer.Carrier
}

// wants is what a connection's owner is asked to do, as bits.
type wants uint8

const (
	wantFlush wants = 1 << iota // write what is queued
	wantRead                    // go on reading
	wantDrop                    // close at once
)

// conn is the server's end of one connection. Its owner is the goroutine that moves its bytes: a loop's, or
// on the portable transport one of its own.
type conn struct {
	// Set at birth, never changed.
	server *Server
	driver driver
	ticket ticket // its place in the counts of connections, which guard it

	// Owned by the loop, where there is one.
	fd   int32 // -1 where there is none, or none any more
	slot uint32
	gen  uint32
	port uint16 // the peer's

	// Owned by the owner's goroutine, as what follows. They stand here for their size.
	readable bool // the descriptor may have more, which nobody wanted yet
	stuck    bool // the descriptor takes no more for now; an event will say when

	// Owned by the owner's goroutine.
	in       *incoming // nil while nothing is left over
	writer   *writer   // nil while nothing is being written
	heard    int64     // the tick at which the peer was last heard
	due      int64     // the tick at which the timer looks again
	step     uint32    // where in the loop's wheel that stands
	controls uint32    // how many control frames have come in that tick's second
	tokens   uint32    // how much of its budget of messages the peer has, in thousandths
	hungry   uint16    // for how many ticks the peer has been starved
	pinged   bool      // since then a ping was sent
	deaf     bool      // nothing that comes is looked at any more; while open it is about to part
	hungUp   bool      // the peer has ended its side
	ended    bool      // and all that it has said was read
	starved  bool      // the peer has spent its budget of messages

	// Shared with whoever sends.
	deflation atomic.Uint32 // what is agreed on about compression, set with the answer to the handshake

	mu     sync.Mutex // guards the fields below
	phase  phase
	want   wants
	posted bool                // the owner knows that something is wanted
	held   bool                // the consumer takes no more messages for now
	opened bool                // the handshake was answered with 101
	code   consumers.CloseCode // why it was closed, by us or by the peer; 0 while it is not
	socket *consumers.Socket
	out    outbox
	since  int64 // the tick at which the phase began

	// Owned by the owner's goroutine, then by whoever answers the handshake; nil from then on.
	opening *opening
}

// opening is what only the answer to the handshake needs.
type opening struct {
	peer     netip.AddrPort
	key      [keySize]byte    // Sec-WebSocket-Key
	offer    deflation        // what the client can decompress
	decision *lazyctx.Context // of the application's answer; nil before it is asked
}

// from notes where a connection comes from, before it is heard.
func (c *conn) from(peer netip.AddrPort) { c.opening.peer, c.port = peer, peer.Port() }

// request asks the owner for something.
func (c *conn) request(w wants) {
	c.mu.Lock()
	c.want |= w
	tell := !c.posted && c.phase != gone
	c.posted = true
	c.mu.Unlock()
	if tell {
		c.driver.attend(c)
	}
}

// wanted returns what the owner was asked for, and forgets it.
func (c *conn) wanted() wants {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.want
	c.want, c.posted = 0, false
	return w
}

// setPhaseLocked begins a phase.
func (c *conn) setPhaseLocked(p phase) {
	c.phase = p
	c.since = c.server.clock.now()
}

// current returns the phase, and whether the consumer takes messages.
func (c *conn) current() (phase, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase, !c.held
}

// Answer implements consumers.Transport.
func (c *conn) Answer(r consumers.Response) error {
	c.mu.Lock()
	if c.phase != deciding {
		c.mu.Unlock()
		return consumers.ErrClosed
	}
	if r.Status == http.StatusSwitchingProtocols {
		wire := c.wireLocked()
		d := c.opening.offer.agreed(wire)
		c.out.policy = wire.SlowClient
		c.deflation.Store(uint32(d))
		c.pushLocked(appendAccepted(make([]byte, 0, 160), c.opening.key[:], d, r))
		c.setPhaseLocked(open)
		c.opened = true
		c.server.metrics.sockets.Inc()
	} else {
		c.pushLocked(appendRefused(make([]byte, 0, 256), r))
		c.setPhaseLocked(closing)
		c.out.last = true
	}
	c.opening = nil
	c.mu.Unlock()
	c.server.answered(r)
	c.request(wantFlush | wantRead)
	return nil
}

// Send implements consumers.Transport.
func (c *conn) Send(m consumers.Message, frames *consumers.Frames) error {
	frame := c.frameOf(m, frames)
	c.mu.Lock()
	if c.phase != open {
		c.mu.Unlock()
		return consumers.ErrClosed
	}
	c.out.openIn(&c.server.traffic)
	if frame == nil {
		frame = c.out.build(m)
	}
	taken, slow := c.sendLocked(frame, m.Key)
	tell := !c.posted
	c.posted = true
	c.want |= wantFlush
	c.mu.Unlock()
	if tell {
		c.driver.attend(c)
	}
	if slow {
		c.server.metrics.slow.Inc()
		return consumers.ErrClosed
	}
	if taken {
		c.driver.flow().sent(len(m.Data))
	}
	return nil
}

// frameOf returns the frame of a message, nil where it is the queue that builds it. What goes to many connections is
// framed once, and compressed once.
func (c *conn) frameOf(m consumers.Message, frames *consumers.Frames) []byte {
	form, build := consumers.Plain, messageFrame
	switch compressed := deflation(c.deflation.Load()).compresses(len(m.Data)); {
	case compressed:
		form, build = consumers.Compressed, c.server.deflaters.frame
	case frames == nil && len(m.Data) < smallFrames:
		return nil
	}
	if frames == nil {
		return build(m)
	}
	return frames.Frame(form, func() []byte { return build(m) })
}

// wireLocked returns how the connection is carried.
func (c *conn) wireLocked() *consumers.Wire {
	if c.socket == nil {
		return new(consumers.Wire)
	}
	return c.socket.Wire()
}

// shedLocked gives a client up that does not read: what waits is thrown away, but for the frame that is half
// written, so that the close frame can be understood.
func (c *conn) shedLocked() {
	c.out.shed()
	c.pushLocked(closeFrame(consumers.CloseTryAgainLater, "too slow"))
	c.out.last = true
	c.code = consumers.CloseTryAgainLater
	c.setPhaseLocked(closing)
}

// Close implements consumers.Transport.
func (c *conn) Close(code consumers.CloseCode, reason string) error {
	c.mu.Lock()
	if c.phase != open {
		c.mu.Unlock()
		return consumers.ErrClosed
	}
	c.pushLocked(closeFrame(code, reason))
	c.out.last = c.code != 0 // the peer has spoken its last word before
	c.code = code
	c.setPhaseLocked(closing)
	c.mu.Unlock()
	c.request(wantFlush | wantRead) // the peer's answer may have come already
	return nil
}

// Resume implements consumers.Transport.
func (c *conn) Resume() {
	c.mu.Lock()
	c.held = false
	c.mu.Unlock()
	c.request(wantRead)
}

// Carrier implements consumers.CarriedTransport.
func (c *conn) Carrier() channellayer.Carrier { return c.driver.carrier() }

// Report implements consumers.Transport.
func (c *conn) Report(err error) { c.server.report(err) }

// Ended implements consumers.Transport.
func (c *conn) Ended() { c.server.consumers.Done() }

// maxPongs is how many bytes of pongs may wait.
const maxPongs = 4 << 10

// pong queues the answer to a ping. For a peer that does not read, or reads too slowly, only the latest counts. RFC
// 6455 §5.5.3.
func (c *conn) pong(payload []byte) {
	c.mu.Lock()
	if c.phase == open {
		c.out.openIn(&c.server.traffic)
		if c.out.stuck || len(c.out.pong)+len(payload) > maxPongs {
			c.out.pong = c.out.pong[:0]
		}
		c.out.pong = appendFrame(c.out.pong, ws.OpPong, payload)
		c.want |= wantFlush
	}
	c.mu.Unlock()
}

// ping queues a ping, unless other frames wait: whether those go out shows more. It reports whether it did.
func (c *conn) ping() (sent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != open || c.out.waiting() > 0 {
		return false
	}
	c.pushLocked(pingFrame)
	return true
}

// pingFrame is a ping without a payload.
var pingFrame = appendFrame(nil, ws.OpPing, nil)
