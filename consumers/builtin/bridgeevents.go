package builtin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
)

// event makes an event that tells Django of something on the connection.
func (b *bridge) event(c *consumers.Conn, eventType string) (channellayer.Event, error) {
	s := c.Scope()
	if s.Layer == nil {
		return nil, consumers.ErrNoLayer
	}
	name := c.ChannelName()
	if name == "" {
		return nil, consumers.ErrClosed
	}
	kwargs := make(map[string]any, len(s.Kwargs))
	for key, v := range s.Kwargs {
		kwargs[key] = text(v)
	}
	e := channellayer.Event{
		"type": eventType, "reply_channel": name, "order": b.order,
		"path": text(s.Path), "query": text(s.Query), "kwargs": kwargs, "args": texts(s.Args),
		"user": nil, "session": nil,
	}
	if s.User.IsAuthenticated() {
		e["user"] = eventValue(s.User.PK)
	}
	if key := s.Session.Key(); key != "" {
		sum := sha256.Sum256([]byte(key))
		e["session"] = hex.EncodeToString(sum[:])
	}
	b.order++
	return e, nil
}

// text returns what is valid in a text that came from a client.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func texts(list []string) []any {
	values := make([]any, len(list))
	for i, s := range list {
		values[i] = text(s)
	}
	return values
}

// clientOf returns who connects, as ASGI has it.
func clientOf(s *consumers.Scope) any {
	if !s.Client.IsValid() {
		return nil
	}
	return []any{s.Client.Addr().String(), int64(s.Client.Port())}
}

// webSocketAccept asks for the handshake to be accepted. ASGI: the event "websocket.accept".
type webSocketAccept struct {
	Subprotocol string  `json:"subprotocol"`
	Headers     [][]any `json:"headers"` // names and values, which are bytes in ASGI
}

// EventType implements consumers.Event.
func (webSocketAccept) EventType() string { return "websocket.accept" }

// accept accepts the handshake. A subprotocol that the client does not offer would make it hang up.
func (b *bridge) accept(_ context.Context, c *consumers.Conn, e webSocketAccept) error {
	a := consumers.Acceptance{Header: make(http.Header, len(e.Headers))}
	if slices.Contains(c.Scope().Subprotocols, e.Subprotocol) {
		a.Subprotocol = e.Subprotocol
	}
	for _, pair := range e.Headers {
		if len(pair) != 2 {
			return &consumers.EventError{Reason: "malformed"}
		}
		a.Header.Add(latin1(pair[0]), latin1(pair[1]))
	}
	b.decided("accepted")
	if err := c.AcceptWith(a); !errors.Is(err, consumers.ErrAnswered) {
		return err
	}
	b.app.metrics.ignored.Inc() // it is the second answer, or comes too late
	return nil
}

// latin1 returns a part of a header, which Django may have as bytes or as text; what is neither is empty, and a field
// without a name is left out by the server.
func latin1(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

// close closes the connection, with 1000 where no code is given; before it is accepted that refuses it.
func (b *bridge) close(_ context.Context, c *consumers.Conn, e webSocketClose) error {
	b.decided("refused")
	b.closed = true
	return c.Close(e.code(), e.Reason)
}

// bellevilleGroupAdd asks for the connection to enter a group.
type bellevilleGroupAdd struct {
	Group string `json:"group"`
}

// EventType implements consumers.Event.
func (bellevilleGroupAdd) EventType() string { return "belleville.group_add" }

// bellevilleGroupDiscard asks for the connection to leave a group.
type bellevilleGroupDiscard struct {
	Group string `json:"group"`
}

// EventType implements consumers.Event.
func (bellevilleGroupDiscard) EventType() string { return "belleville.group_discard" }

func (b *bridge) groupAdd(ctx context.Context, c *consumers.Conn, e bellevilleGroupAdd) error {
	return b.regrouped(c, c.GroupAdd(ctx, e.Group))
}

func (b *bridge) groupDiscard(ctx context.Context, c *consumers.Conn, e bellevilleGroupDiscard) error {
	return b.regrouped(c, c.GroupDiscard(ctx, e.Group))
}

// regrouped does what the outcome of entering or leaving a group asks for. A connection that is not where Django wants
// it is closed, for it would miss what is said there.
func (b *bridge) regrouped(c *consumers.Conn, err error) error {
	switch {
	case err == nil || errors.Is(err, consumers.ErrClosed) || errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, channellayer.ErrInvalidName):
		return &consumers.EventError{Reason: "malformed"}
	}
	b.closed = true
	return c.Close(consumers.CloseTryAgainLater, "the site is busy")
}

// ignore counts an event that a bridge has no use for.
func (b *bridge) ignore(context.Context, *consumers.Conn, channellayer.Event) error {
	b.app.metrics.ignored.Inc()
	return nil
}
