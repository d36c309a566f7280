package consumers

import (
	"context"
	"net/http"

	"github.com/belleville/belleville/channellayer"
)

// A Conn is a consumer's hold on its client. Its methods may be called concurrently, also from goroutines
// that the consumer started; what is sent from one goroutine arrives in order.
type Conn Socket

// conn returns the Socket as its consumer sees it.
func (s *Socket) conn() *Conn { return (*Conn)(s) }

// socket returns the Socket whose client it is.
func (c *Conn) socket() *Socket { return (*Socket)(c) }

// inlet returns it as the layer sees it.
func (c *Conn) inlet() *inlet { return (*inlet)(c) }

// Scope says who is connected, and where. Once the visitor has been logged out or has become another user, it
// returns another Scope; so it may each time that the consumer is called.
func (c *Conn) Scope() *Scope { return c.channel.Scope() }

// Acceptance says how a handshake is accepted.
type Acceptance struct {
	// Subprotocol is one of those that the client offers. Default: the Scope's.
	Subprotocol string
	// Header is sent with the answer; here is the one chance to set a cookie.
	Header http.Header
}

// Accept accepts the handshake. Python: self.accept().
func (c *Conn) Accept() error { return c.AcceptWith(Acceptance{}) }

// AcceptWith accepts the handshake with a subprotocol or header fields.
// Python: self.accept(subprotocol=..., headers=...).
func (c *Conn) AcceptWith(a Acceptance) error {
	if a.Subprotocol == "" {
		a.Subprotocol = c.Scope().Subprotocol
	}
	return c.socket().answer(Response{
		Status: http.StatusSwitchingProtocols, Header: a.Header, Subprotocol: a.Subprotocol,
	})
}

// AcceptLater keeps the handshake waiting after Connect has returned, until a handler of an event accepts
// or refuses it, or the server's handshake timeout does.
func (c *Conn) AcceptLater() { c.socket().acceptLater() }

// Deny refuses the handshake with an HTTP answer.
func (c *Conn) Deny(d *Denial) error { return c.socket().deny(d) }

// Send sends a message. It queues and returns; a client that lets its queue fill up is closed by the
// server. What is no UTF-8 in a text is sent as U+FFFD, since a browser would close the connection. The error
// is [ErrClosed] where the connection is not yet accepted, or closed.
func (c *Conn) Send(m Message) error { return c.socket().send(m) }

// SendText sends a text message. Python: self.send(text_data=...).
func (c *Conn) SendText(text string) error { return c.Send(TextMessage(text)) }

// SendBinary sends a binary message; the caller leaves b alone from now on. Python: self.send(bytes_data=...).
func (c *Conn) SendBinary(b []byte) error { return c.Send(BinaryMessage(b)) }

// SendJSON sends v as compact JSON. Python: self.send_json, which writes blanks behind "," and ":".
func (c *Conn) SendJSON(v any) error {
	m, err := JSONMessage(v)
	if err != nil {
		return err
	}
	return c.Send(m)
}

// ChannelName returns the consumer's own channel name, to which anyone on the layer may send, or "" where
// there is no layer. Python: self.channel_name.
func (c *Conn) ChannelName() string {
	name, _ := c.channel.open(context.Background(), c.inlet())
	return name
}

// GroupAdd makes this connection a member of a group. It leaves its groups by itself when it ends.
// Python: channel_layer.group_add(group, self.channel_name).
func (c *Conn) GroupAdd(ctx context.Context, group string) error {
	return c.channel.inGroup(ctx, c.inlet(), group, channellayer.Layer.GroupAdd)
}

// GroupDiscard takes this connection out of a group. Python: channel_layer.group_discard.
func (c *Conn) GroupDiscard(ctx context.Context, group string) error {
	return c.channel.inGroup(ctx, c.inlet(), group, channellayer.Layer.GroupDiscard)
}

// GroupSend sends an event to all members of a group, in Go and in Django, this connection among them if
// it is one. Python: channel_layer.group_send.
func (c *Conn) GroupSend(ctx context.Context, group string, e Event) error {
	return c.channel.groupSend(ctx, group, e)
}

// SendTo sends an event to one channel. Python: channel_layer.send.
func (c *Conn) SendTo(ctx context.Context, channel string, e Event) error {
	return c.channel.sendTo(ctx, channel, e)
}

// Close closes the connection; before it is accepted that refuses the handshake with 403. What the client or
// the layer say from now on is not looked at, and Disconnect follows. A code that no frame may carry is sent as
// 1011; a reason longer than 123 bytes is cut. Python: self.close.
func (c *Conn) Close(code CloseCode, reason string) error { return c.socket().close(code, reason) }

// Go runs f on a goroutine of its own, with a context that is done as soon as the connection is gone. Disconnect
// waits for f to return, but for no longer than ten seconds. An error or a panic of f ends the connection, as
// one of the consumer's methods does. Once Disconnect was called, Go does nothing.
func (c *Conn) Go(f func(ctx context.Context) error) { c.socket().spawn(f) }
