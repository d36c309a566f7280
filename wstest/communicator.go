// Package wstest drives a consumer without a network: it is the client of one WebSocket, or of one HTTP
// request, and the server between them.
//
// Start with [New], or [Request] for plain HTTP. It works inside a testing/synctest bubble. It knows nothing
// of frames: what a server does on the wire is tested with a server.
//
// Python: channels.testing.WebsocketCommunicator, HttpCommunicator.
package wstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// Config says who connects. The zero Config is an anonymous visitor without a channel layer.
type Config struct {
	// Header holds fields of the request.
	Header http.Header
	// Subprotocols are those that the client offers.
	Subprotocols []string
	// User and Session are what authmw would have found out.
	User    *djangocompat.User
	Session *djangocompat.Session
	// Layer is the site's channel layer.
	Layer channellayer.Layer
	// Draining is closed when the server begins to drain; nil for one that never does.
	Draining <-chan struct{}
	// Reporter is told what goes wrong in an HTTP consumer. What does in a WebSocket's is for
	// [Communicator.Wait] and [Communicator.Reported].
	Reporter consumers.Reporter
}

// A CloseError says that the consumer closed the connection.
type CloseError struct {
	Code   consumers.CloseCode
	Reason string
}

// Error implements error.
func (e *CloseError) Error() string { return fmt.Sprintf("wstest: closed with %d", e.Code) }

// ErrNotAccepted means that a message was sent before the handshake was accepted.
var ErrNotAccepted = errors.New("wstest: the handshake was not accepted")

// A Communicator is the client of one WebSocket. Its methods are for one goroutine.
// Python: channels.testing.WebsocketCommunicator.
type Communicator struct {
	// Set at birth, never changed.
	app   consumers.Application
	scope *consumers.Scope
	wire  *wire

	// Owned by the test's goroutine.
	socket *consumers.Socket
}

// New makes the client of a WebSocket at target, a path with or without a query.
func New(app consumers.Application, target string, cfg Config) *Communicator {
	return &Communicator{app: app, scope: newScope(consumers.TypeWebSocket, target, cfg), wire: newWire()}
}

// newScope makes the Scope of a request. A target that is no path panics: it is the test's mistake.
func newScope(kind, target string, cfg Config) *consumers.Scope {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		panic("wstest: target: " + err.Error())
	}
	s := &consumers.Scope{
		Type: kind, Method: http.MethodGet, Scheme: "ws", Path: u.Path, RawPath: u.EscapedPath(), Query: u.RawQuery,
		Subprotocols: cfg.Subprotocols, User: cfg.User, Session: cfg.Session, Layer: cfg.Layer,
		Draining: cfg.Draining,
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Header)) {
		for _, v := range cfg.Header[name] {
			s.Header = append(s.Header, consumers.HeaderField{Name: strings.ToLower(name), Value: v})
		}
	}
	return s
}

// Scope returns the scope that is or will be opened, for a test to complete.
func (c *Communicator) Scope() *consumers.Scope { return c.scope }

// Connect opens the connection and returns how the handshake was answered: with Status 101 where it was
// accepted. An error means that it was not answered before ctx was done. It is called once.
func (c *Communicator) Connect(ctx context.Context) (consumers.Response, error) {
	instance, err := c.app.Open(ctx, c.scope)
	if err != nil {
		d := consumers.DenialOf(err)
		if d.Status == http.StatusInternalServerError {
			c.wire.Report(err)
		}
		c.wire.Ended()
		return consumers.Response{Status: statusOf(d), Header: d.Header, Body: d.Body}, nil
	}
	socket, ok := instance.(*consumers.Socket)
	if !ok {
		return consumers.Response{}, errors.New("wstest: the application is none for WebSockets")
	}
	c.socket, c.wire.socket = socket, socket
	go socket.Start(context.WithoutCancel(ctx), c.wire) // returns when its mailbox is empty
	select {
	case <-c.wire.answered:
		return c.wire.response, nil
	case <-ctx.Done():
		return consumers.Response{}, ctx.Err()
	}
}

// Send sends a message to the consumer. The error is [ErrNotAccepted] before the handshake was accepted, and
// once the connection is closed the same as that of Receive.
func (c *Communicator) Send(m consumers.Message) error {
	if c.socket == nil || !c.wire.accepted() {
		return ErrNotAccepted
	}
	if err := c.wire.over(); err != nil {
		return err
	}
	c.socket.Message(m) // a test may send more than a server would
	return nil
}

// SendText sends a text message.
func (c *Communicator) SendText(text string) error { return c.Send(consumers.TextMessage(text)) }

// SendBinary sends a binary message.
func (c *Communicator) SendBinary(b []byte) error { return c.Send(consumers.BinaryMessage(b)) }

// SendJSON sends v as JSON text.
func (c *Communicator) SendJSON(v any) error {
	m, err := consumers.JSONMessage(v)
	if err != nil {
		return err
	}
	return c.Send(m)
}

// Receive returns the consumer's next message. The error is a [*CloseError] where it closed the connection,
// what the consumer failed with, [consumers.ErrClosed] after Close, or ctx's.
func (c *Communicator) Receive(ctx context.Context) (consumers.Message, error) {
	return c.wire.next(ctx)
}

// ReceiveText returns the next message, which must be text.
func (c *Communicator) ReceiveText(ctx context.Context) (string, error) {
	m, err := c.Receive(ctx)
	if err == nil && m.Kind != consumers.Text {
		err = errors.New("wstest: the message is binary")
	}
	return m.Text(), err
}

// ReceiveJSON decodes the next message into v.
func (c *Communicator) ReceiveJSON(ctx context.Context, v any) error {
	text, err := c.ReceiveText(ctx)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), v)
}

// Pending returns how many messages are waiting to be received. After synctest.Wait, 0 means that nothing
// was sent. Python: receive_nothing.
func (c *Communicator) Pending() int { return c.wire.pending() }

// Reported returns all that the consumer reported until now: what it failed with, and a
// [*consumers.EventError] for each event that was dropped.
func (c *Communicator) Reported() []error { return c.wire.all() }

// Close ends the connection with a code, as the client would, and waits until the consumer is through. It
// returns what the consumer failed with, if it did. To the consumer's own Close the client has answered at once.
func (c *Communicator) Close(ctx context.Context, code consumers.CloseCode) error {
	if c.socket == nil {
		return nil
	}
	c.wire.hangUp()
	c.socket.Disconnect(code)
	return c.Wait(ctx)
}

// Wait waits until the consumer is through, and returns what it failed with, if it did.
func (c *Communicator) Wait(ctx context.Context) error {
	select {
	case <-c.wire.ended:
		return c.wire.failure()
	case <-ctx.Done():
		return ctx.Err()
	}
}
