package consumers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"unicode/utf8"
)

// A Kind says whether a message is text or binary. RFC 6455 §5.6.
type Kind uint8

// The kinds of messages.
const (
	Text Kind = iota + 1
	Binary
)

// A Message is what client and consumer say to each other, whole. Nobody changes its bytes.
type Message struct {
	Kind Kind
	Data []byte
	// Key names what the message tells the state of, for a route that keeps the latest of each; see KeepLatest.
	Key string
}

// TextMessage returns s as a text message.
func TextMessage(s string) Message { return Message{Kind: Text, Data: []byte(s)} }

// BinaryMessage returns b, which the caller leaves alone from now on, as a binary message.
func BinaryMessage(b []byte) Message { return Message{Kind: Binary, Data: b} }

// JSONMessage returns v as a text message in compact JSON. encoding/json, with HTML left as it is.
func JSONMessage(v any) (Message, error) {
	b, err := marshal(v)
	if err != nil {
		return Message{}, fmt.Errorf("encode message: %w", err)
	}
	return Message{Kind: Text, Data: b}, nil
}

// sendable returns the message as it may be sent: what is no UTF-8 in a text becomes U+FFFD, for a browser
// would close the connection.
func (m Message) sendable() Message {
	if m.Kind == Text && !utf8.Valid(m.Data) {
		m.Data = bytes.ToValidUTF8(m.Data, []byte("\uFFFD"))
	}
	return m
}

// Text returns the message as a string.
func (m Message) Text() string { return string(m.Data) }

// ErrNotJSON means that a message is no text, or no JSON of the wanted shape. It does not tell what it is.
var ErrNotJSON = errors.New("consumers: message is not the expected JSON")

// JSON decodes a text message into v. The error is [ErrNotJSON].
func (m Message) JSON(v any) error {
	if m.Kind != Text || json.Unmarshal(m.Data, v) != nil {
		return ErrNotJSON
	}
	return nil
}

// Frames keeps what a transport made of a message that goes to many connections, so that it is made once.
// The zero Frames is ready; it may be used concurrently.
type Frames struct {
	forms [2]struct {
		once  sync.Once
		frame []byte
	}
}

// A Form is one way to put a message on the wire.
type Form uint8

// The forms of a message on the wire.
const (
	Plain Form = iota
	Compressed
)

// Frame returns the frame in that form, which build makes when it is wanted for the first time.
func (f *Frames) Frame(form Form, build func() []byte) []byte {
	e := &f.forms[form]
	e.once.Do(func() { e.frame = build() })
	return e.frame
}
