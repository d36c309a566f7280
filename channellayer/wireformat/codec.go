// Package wireformat is how the layers of channels_redis and channels_postgres write events: with msgpack or as JSON,
// encrypted or not.
//
// Start with [Codec].
//
// A message is data from outside: it is bounded before it is decoded, and an error shows nothing of it.
package wireformat

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/belleville/belleville/channellayer"
)

// channelKey is where the core form notes for which channels of a process an event is.
const channelKey = "__asgi_channel__"

var (
	// ErrMessage means that a message's bytes hold no event.
	ErrMessage = errors.New("wireformat: a message that is no event")

	// ErrTooLarge means that a message is larger than Codec.MaxMessage.
	ErrTooLarge = errors.New("wireformat: a message that is too large")
)

// A Serializer says how events are written. Both ends must have the same.
type Serializer string

// The serializers that channels_redis has.
const (
	Msgpack Serializer = "msgpack"
	JSON    Serializer = "json"
)

// A Codec turns events into messages, and back. Its methods may be called concurrently.
type Codec struct {
	Format       Serializer
	Crypter      *Crypter // nil where nothing is encrypted
	PrefixLength int      // of random bytes, before everything
	MaxMessage   int      // the size in bytes of the largest message that is read
}

// A Body is a serialized event that has room for its channels.
type Body struct {
	format Serializer
	keys   int    // without the channels
	fields []byte // all but the beginning
}

// Encode serializes e, which it checks.
func (c *Codec) Encode(e channellayer.Event) (Body, error) {
	if err := e.Check(); err != nil {
		return Body{}, err
	}
	if c.Format == JSON {
		if hasBytes(map[string]any(e)) {
			return Body{}, fmt.Errorf("%w: it holds bytes, which the json serializer cannot carry", channellayer.ErrInvalidEvent)
		}
		text := channellayer.AppendPythonJSON(nil, map[string]any(e))
		return Body{JSON, len(e), text[1 : len(text)-1]}, nil // without the braces
	}
	var fields []byte
	for key, v := range e {
		fields = msgp.AppendString(fields, key)
		fields = AppendMsgpack(fields, v)
	}
	return Body{Msgpack, len(e), fields}, nil
}

// Plain serializes an event for a channel that is no process's own.
func (b Body) Plain() []byte { return b.with(nil) }

// To serializes an event for one channel, as channel_layer.send does.
func (b Body) To(channel string) []byte { return b.with(channel) }

// ToAll serializes an event for several channels of one process, as channel_layer.group_send does.
func (b Body) ToAll(channels []string) []byte {
	list := make([]any, len(channels))
	for i, channel := range channels {
		list[i] = channel
	}
	return b.with(list)
}

// with serializes an event with what stands under channelKey, if that is not nil.
func (b Body) with(channels any) []byte {
	if b.format == JSON {
		out := append([]byte{'{'}, b.fields...)
		if channels != nil {
			out = append(out, `, "`+channelKey+`": `...)
			out = channellayer.AppendPythonJSON(out, channels)
		}
		return append(out, '}')
	}
	keys := b.keys
	if channels != nil {
		keys++
	}
	out := make([]byte, 0, 5+len(b.fields)+128)
	out = msgp.AppendMapHeader(out, uint32(keys))
	out = append(out, b.fields...)
	if channels != nil {
		out = msgp.AppendString(out, channelKey)
		out = AppendMsgpack(out, channels)
	}
	return out
}

// Seal makes a message of a serialized event: it is encrypted and made unique.
func (c *Codec) Seal(serialized []byte, now time.Time) string {
	if c.Crypter != nil {
		serialized = c.Crypter.Encrypt(serialized, now)
	}
	out := make([]byte, c.PrefixLength, c.PrefixLength+len(serialized))
	_, _ = rand.Read(out) // it never fails
	return string(append(out, serialized...))
}

// Open returns the event in a message from outside, and the channels that it is for: none, or those that stand
// under channelKey.
func (c *Codec) Open(message []byte, now time.Time) (channellayer.Event, []string, error) {
	switch {
	case len(message) > c.MaxMessage:
		return nil, nil, ErrTooLarge
	case len(message) < c.PrefixLength:
		return nil, nil, ErrMessage
	}
	message = message[c.PrefixLength:]
	if c.Crypter != nil {
		var err error
		if message, err = c.Crypter.Decrypt(message, now); err != nil {
			return nil, nil, err
		}
	}
	value, err := c.parse(message)
	if err != nil {
		return nil, nil, ErrMessage
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return nil, nil, ErrMessage
	}
	channels := channelsOf(fields[channelKey])
	delete(fields, channelKey)
	e := channellayer.Event(fields)
	if e.Type() == "" {
		return nil, nil, ErrMessage
	}
	return e, channels, nil
}

func (c *Codec) parse(message []byte) (any, error) {
	if c.Format == JSON {
		return channellayer.ParsePythonJSON(message)
	}
	return ParseMsgpack(message)
}

// channelsOf reads what stands under channelKey: a string, or a list of strings. What is neither is left out.
func channelsOf(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		channels := make([]string, 0, len(v))
		for _, x := range v {
			if s, ok := x.(string); ok {
				channels = append(channels, s)
			}
		}
		return channels
	default:
		return nil
	}
}

// hasBytes reports whether a value of a checked event holds bytes.
func hasBytes(v any) bool {
	switch v := v.(type) {
	case []byte:
		return true
	case []any:
		if slices.ContainsFunc(v, hasBytes) {
			return true
		}
	case map[string]any:
		for _, x := range v {
			if hasBytes(x) {
				return true
			}
		}
	}
	return false
}
