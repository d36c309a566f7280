package consumers

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// keepAliveInterval is how often a comment is sent on an event stream.
const keepAliveInterval = 15 * time.Second

// A ServerSentEvent is one event of an event stream, as the HTML standard defines it under
// "Server-sent events".
type ServerSentEvent struct {
	// ID is what a client that reconnects sends as Last-Event-ID. It holds no line break.
	ID string
	// Type is the event's name for addEventListener, by default "message".
	Type string
	// Data may have several lines.
	Data string
	// Retry is how long a client waits before it reconnects, in whole milliseconds; 0 leaves it as it is.
	Retry time.Duration
}

// StartEvents begins a stream of server-sent events. It stays open after Handle has returned, kept alive by
// a comment every 15 seconds, until Finish or until the client goes.
func (c *HTTPConn) StartEvents() error {
	c.SendHeaders(http.StatusOK, http.Header{
		"Content-Type":      {"text/event-stream; charset=utf-8"},
		"Cache-Control":     {"no-cache"},
		"X-Accel-Buffering": {"no"}, // nginx would hold the stream back
	})
	c.streams = true
	return c.Flush()
}

// LastEventID is the ID of the last event that the client got before it reconnected, or "".
func (c *HTTPConn) LastEventID() string { return c.request.Header.Get("Last-Event-ID") }

// lineBreaks ends a field of an event stream.
var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// SendEvent sends one event of a stream that StartEvents began.
func (c *HTTPConn) SendEvent(e ServerSentEvent) error {
	if strings.ContainsAny(e.ID+e.Type, "\r\n\x00") {
		return errors.New("consumers: line break in the id or type of a server-sent event")
	}
	var b strings.Builder
	field := func(name, value string) {
		b.WriteString(name + ": " + value + "\n")
	}
	if e.ID != "" {
		field("id", e.ID)
	}
	if e.Type != "" {
		field("event", e.Type)
	}
	if e.Retry > 0 {
		field("retry", strconv.FormatInt(e.Retry.Milliseconds(), 10))
	}
	for line := range strings.SplitSeq(lineBreaks.Replace(e.Data), "\n") {
		field("data", line)
	}
	b.WriteString("\n")
	return c.SendBody([]byte(b.String()))
}

// SendEventJSON sends v in compact JSON as the data of an event.
func (c *HTTPConn) SendEventJSON(e ServerSentEvent, v any) error {
	data, err := marshal(v)
	if err != nil {
		return err
	}
	e.Data = string(data)
	return c.SendEvent(e)
}
