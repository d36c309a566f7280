package consumers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// writeTimeout is how long a client may take to take a part of a response.
const writeTimeout = 30 * time.Second

// An HTTPConn is a consumer's hold on one HTTP request and its response. The methods that send are for
// the consumer's own goroutine, one at a time; the others may be called concurrently.
type HTTPConn struct {
	channel

	// Set at birth, never changed.
	writer  http.ResponseWriter
	request *http.Request

	// Owned by the goroutine that serves the request.
	status   int // 0 while none was chosen
	begun    bool
	finished bool
	streams  bool // server-sent events: kept alive by comments

	mu     sync.Mutex // guards the fields below
	events []*channellayer.Delivery
	wakeup chan struct{} // holds one where events is not empty
}

// Request is the request as net/http has it; its body has been read.
func (c *HTTPConn) Request() *http.Request { return c.request }

// SendHeaders chooses status and header fields. They leave with the first part of the body, or with Flush.
// Python: self.send_headers(status=..., headers=...).
func (c *HTTPConn) SendHeaders(status int, header http.Header) {
	if c.begun {
		return
	}
	c.status = status
	for name, values := range header {
		c.writer.Header()[http.CanonicalHeaderKey(name)] = values
	}
}

// SendBody sends a part of the body at once, with more to follow.
// Python: self.send_body(body, more_body=True).
func (c *HTTPConn) SendBody(part []byte) error {
	if err := c.write(part); err != nil {
		return err
	}
	return c.Flush()
}

// Finish sends the last part of the body; what is sent later is ignored.
// Python: self.send_body(body).
func (c *HTTPConn) Finish(part []byte) error {
	err := c.write(part)
	c.finished = true
	return err
}

// SendResponse sends a whole response. Python: self.send_response(status, body, headers=...).
func (c *HTTPConn) SendResponse(status int, header http.Header, body []byte) error {
	c.SendHeaders(status, header)
	return c.Finish(body)
}

// SendJSON sends v as a whole response in compact JSON.
func (c *HTTPConn) SendJSON(status int, v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	return c.SendResponse(status, http.Header{"Content-Type": {"application/json"}}, b)
}

// Flush sends what has been written so far, with the headers.
func (c *HTTPConn) Flush() error {
	c.begin()
	return gone(http.NewResponseController(c.writer).Flush())
}

// begin writes the status line, once.
func (c *HTTPConn) begin() {
	if c.begun {
		return
	}
	c.begun = true
	if c.status == 0 {
		c.status = http.StatusOK
	}
	c.writer.WriteHeader(c.status)
}

// write sends bytes of the body.
func (c *HTTPConn) write(part []byte) error {
	if c.finished {
		return nil
	}
	// Where deadlines are not supported the server's own apply.
	_ = http.NewResponseController(c.writer).SetWriteDeadline(time.Now().Add(writeTimeout))
	c.begin()
	if len(part) == 0 {
		return nil
	}
	_, err := c.writer.Write(part)
	return gone(err)
}

// gone turns an error of net/http, whose text may name the peer, into ErrClosed.
func gone(err error) error {
	if err == nil || errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return ErrClosed
}

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
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	e.Data = string(data)
	return c.SendEvent(e)
}

// Receive implements channellayer.Receiver.
func (c *HTTPConn) Receive(d *channellayer.Delivery, capacity int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.events) >= capacity {
		return false
	}
	c.events = append(c.events, d)
	select {
	case c.wakeup <- struct{}{}:
	default: // it is awake already
	}
	return true
}

// next waits for an event, and keeps an event stream alive meanwhile.
func (c *HTTPConn) next(ctx context.Context, keepAlive <-chan time.Time) (*channellayer.Delivery, error) {
	for {
		c.mu.Lock()
		if len(c.events) > 0 {
			var d *channellayer.Delivery
			d, c.events = take(c.events)
			c.mu.Unlock()
			return d, nil
		}
		c.mu.Unlock()
		select {
		case <-c.wakeup:
		case <-keepAlive:
			if err := c.SendBody([]byte(": keep-alive\n\n")); err != nil {
				return nil, err
			}
		case <-c.scope.Draining:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, ErrClosed
		}
	}
}
