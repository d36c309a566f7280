package consumers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
)

// A Consumer handles one WebSocket. Its methods, and its handlers of events, are never called concurrently:
// each runs to its end before the next message, event or disconnect is looked at.
//
// An error or a panic ends the connection with 1011, and Disconnect runs all the same; [ErrStop] ends it
// with 1000, [ErrClosed] means nothing.
//
// The context of Connect is done as soon as the client is gone. What a client said before it went is still
// said: the context of Receive and of handlers lasts for ten seconds more, if that takes so long.
//
// Python: channels.generic.websocket.AsyncWebsocketConsumer.
type Consumer interface {
	// Connect decides about the handshake. It calls Conn.Accept, or refuses by returning an error, by
	// Conn.Close, or by returning without having accepted.
	Connect(ctx context.Context, c *Conn) error

	// Receive takes a message from the client.
	Receive(ctx context.Context, c *Conn, m Message) error

	// Disconnect is called once for each Connect, however the connection ended, with the code of the first
	// who closed it. Its context is done after ten seconds. Nothing can be sent any more.
	Disconnect(ctx context.Context, c *Conn, code CloseCode) error
}

// A Grouper is a Consumer that is in some groups from before Connect until before Disconnect.
// Python: the class attribute groups of a WebsocketConsumer.
type Grouper interface {
	Groups() []string
}

// An Event is what a Go program sends over a channel layer: a struct whose JSON tags are the names that
// Django uses. EventType is asked of the zero value too.
type Event interface {
	EventType() string
}

// A JSONConsumer is a Consumer of messages of one shape.
// Python: channels.generic.websocket.AsyncJsonWebsocketConsumer.
type JSONConsumer[T any] interface {
	Connect(ctx context.Context, c *Conn) error
	// ReceiveJSON takes a message that was decoded by encoding/json. Any other message, as a binary or an
	// empty one, fails the consumer, as in Channels. NaN and Infinity, which Python takes for JSON, are none
	// here: a Consumer that wants them leaves the message to channellayer.ParsePythonJSON.
	ReceiveJSON(ctx context.Context, c *Conn, v T) error
	Disconnect(ctx context.Context, c *Conn, code CloseCode) error
}

// NewJSON makes an Application of a JSONConsumer, as [New] does of a Consumer.
func NewJSON[T any, C JSONConsumer[T]](newConsumer func() C, events ...*EventHandler) Application {
	return &webSocketApp{
		make:     func() Consumer { return jsonConsumer[T]{newConsumer()} },
		own:      func(c Consumer) any { return c.(jsonConsumer[T]).JSONConsumer },
		handlers: newHandlers(reflect.TypeFor[C](), reflect.TypeFor[*Conn](), events),
		outlines: newOutlines(),
	}
}

// jsonConsumer makes a Consumer of a JSONConsumer.
type jsonConsumer[T any] struct{ JSONConsumer[T] }

// Receive implements Consumer.
func (a jsonConsumer[T]) Receive(ctx context.Context, c *Conn, m Message) error {
	var v T
	if err := m.JSON(&v); err != nil {
		return err
	}
	return a.ReceiveJSON(ctx, c, v)
}

// marshal is encoding/json without the escapes that only HTML needs.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("json: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
