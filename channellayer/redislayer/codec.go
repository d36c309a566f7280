package redislayer

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
	// errMessage means that a message's bytes hold no event.
	errMessage = errors.New("redislayer: a message that is no event")

	// errTooLarge means that a message is larger than Config.MaxMessage.
	errTooLarge = errors.New("redislayer: a message that is too large")
)

// codec turns events into messages of channels_redis, and back.
type codec struct {
	format       Serializer
	crypter      *crypter // nil where nothing is encrypted
	prefixLength int      // of random bytes, before everything
	maxMessage   int
}

// A body is a serialized event that has room for its channels.
type body struct {
	format Serializer
	keys   int    // without the channels
	fields []byte // all but the beginning
}

// encode serializes e, which it checks.
func (c *codec) encode(e channellayer.Event) (body, error) {
	if err := e.Check(); err != nil {
		return body{}, err
	}
	if c.format == JSON {
		if hasBytes(map[string]any(e)) {
			return body{}, fmt.Errorf("%w: it holds bytes, which the json serializer cannot carry", channellayer.ErrInvalidEvent)
		}
		text := channellayer.AppendPythonJSON(nil, map[string]any(e))
		return body{JSON, len(e), text[1 : len(text)-1]}, nil // without the braces
	}
	var fields []byte
	for key, v := range e {
		fields = msgp.AppendString(fields, key)
		fields = appendMsgpack(fields, v)
	}
	return body{Msgpack, len(e), fields}, nil
}

// plain serializes an event for a channel that is no process's own.
func (b body) plain() []byte { return b.with(nil) }

// to serializes an event for one channel, as channel_layer.send does.
func (b body) to(channel string) []byte { return b.with(channel) }

// toAll serializes an event for several channels of one process, as channel_layer.group_send does.
func (b body) toAll(channels []string) []byte {
	list := make([]any, len(channels))
	for i, channel := range channels {
		list[i] = channel
	}
	return b.with(list)
}

// with serializes an event with what stands under channelKey, if that is not nil.
func (b body) with(channels any) []byte {
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
		out = appendMsgpack(out, channels)
	}
	return out
}

// seal makes a message of a serialized event: it is encrypted and made unique.
func (c *codec) seal(serialized []byte, now time.Time) string {
	if c.crypter != nil {
		serialized = c.crypter.encrypt(serialized, now)
	}
	out := make([]byte, c.prefixLength, c.prefixLength+len(serialized))
	_, _ = rand.Read(out) // it never fails
	return string(append(out, serialized...))
}

// open returns the event in a message from outside, and the channels that it is for: none, or those that stand
// under channelKey.
func (c *codec) open(message []byte, now time.Time) (channellayer.Event, []string, error) {
	switch {
	case len(message) > c.maxMessage:
		return nil, nil, errTooLarge
	case len(message) < c.prefixLength:
		return nil, nil, errMessage
	}
	message = message[c.prefixLength:]
	if c.crypter != nil {
		var err error
		if message, err = c.crypter.decrypt(message, now); err != nil {
			return nil, nil, err
		}
	}
	value, err := c.parse(message)
	if err != nil {
		return nil, nil, errMessage
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return nil, nil, errMessage
	}
	channels := channelsOf(fields[channelKey])
	delete(fields, channelKey)
	e := channellayer.Event(fields)
	if e.Type() == "" {
		return nil, nil, errMessage
	}
	return e, channels, nil
}

func (c *codec) parse(message []byte) (any, error) {
	if c.format == JSON {
		return channellayer.ParsePythonJSON(message)
	}
	return parseMsgpack(message)
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
