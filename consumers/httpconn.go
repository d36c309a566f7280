package consumers

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// writeTimeout is how long a client may take to take a part of a response.
const writeTimeout = 30 * time.Second

// An HTTPConn is a consumer's hold on one HTTP request and its response. The methods that send are for
// the consumer's own goroutine, one at a time; the others may be called concurrently.
type HTTPConn struct {
	channel channel

	// Set at birth, never changed.
	writer  http.ResponseWriter
	request *http.Request

	// Owned by the goroutine that serves the request.
	status     int // 0 while none was chosen
	begun      bool
	finished   bool
	streams    bool             // server-sent events: kept alive by comments
	late       <-chan time.Time // when it is finished without an answer; nil for never
	lateStatus int

	wakeups chan struct{} // holds one where events is not empty

	mu     sync.Mutex // guards the field below
	events queue[*channellayer.Delivery]
}

// Scope says who asks, and for what. Once the visitor has become another user it returns another Scope.
func (c *HTTPConn) Scope() *Scope { return c.channel.Scope() }

// ChannelName is [Conn.ChannelName].
func (c *HTTPConn) ChannelName() string {
	name, _ := c.channel.open(context.Background(), c)
	return name
}

// GroupAdd is [Conn.GroupAdd].
func (c *HTTPConn) GroupAdd(ctx context.Context, group string) error {
	return c.channel.inGroup(ctx, c, group, channellayer.Layer.GroupAdd)
}

// GroupDiscard is [Conn.GroupDiscard].
func (c *HTTPConn) GroupDiscard(ctx context.Context, group string) error {
	return c.channel.inGroup(ctx, c, group, channellayer.Layer.GroupDiscard)
}

// GroupSend is [Conn.GroupSend].
func (c *HTTPConn) GroupSend(ctx context.Context, group string, e Event) error {
	return c.channel.groupSend(ctx, group, e)
}

// SendTo is [Conn.SendTo].
func (c *HTTPConn) SendTo(ctx context.Context, channel string, e Event) error {
	return c.channel.sendTo(ctx, channel, e)
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
	err := c.write(part) // net/http flushes it once the consumer is through
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

// FinishAfter finishes the response when so much time has passed and nothing else has finished it: with a
// status and no body, where nothing was sent yet. A long poll needs it, since proxies lose their patience too.
// A later call begins anew.
func (c *HTTPConn) FinishAfter(d time.Duration, status int) {
	c.late, c.lateStatus = time.After(d), status
}

// gone turns an error of net/http, whose text may name the peer, into ErrClosed, unless it is the consumer's
// own mistake.
func gone(err error) error {
	switch {
	case err == nil || errors.Is(err, http.ErrNotSupported):
		return nil
	case errors.Is(err, http.ErrBodyNotAllowed) || errors.Is(err, http.ErrContentLength):
		return err
	}
	return ErrClosed
}

// Receive implements channellayer.Receiver.
func (c *HTTPConn) Receive(d *channellayer.Delivery, capacity int) bool {
	c.mu.Lock()
	full := c.events.len() >= capacity
	if !full {
		c.events.push(d)
	}
	c.mu.Unlock()
	select {
	case c.wakeups <- struct{}{}:
	default: // it is awake already
	}
	return !full
}

// waiting returns the event that has waited longest, or nil.
func (c *HTTPConn) waiting() *channellayer.Delivery {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.events.len() == 0 {
		return nil
	}
	return c.events.pop()
}

// errDraining ends a response because the server wants to go. Who has not been answered yet may come again.
var errDraining = &Denial{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"1"}}}

// next waits for an event, and keeps an event stream alive meanwhile. It returns nil where the response was
// finished instead.
func (c *HTTPConn) next(ctx context.Context, keepAlive <-chan time.Time) (*channellayer.Delivery, error) {
	for !c.finished {
		select {
		case <-c.Scope().Draining:
			return nil, c.drain()
		case <-SessionEnds(ctx):
			return nil, c.expel()
		default:
		}
		if d := c.waiting(); d != nil {
			return d, nil
		}
		select {
		case <-c.wakeups:
		case <-keepAlive:
			if err := c.SendBody([]byte(": keep-alive\n\n")); err != nil {
				return nil, err
			}
		case <-c.late:
			c.SendHeaders(c.lateStatus, nil)
			c.finished = true
		case <-c.Scope().Draining:
			return nil, c.drain()
		case <-SessionEnds(ctx):
			return nil, c.expel()
		case <-ctx.Done():
			return nil, ErrClosed
		}
	}
	return nil, nil
}

// errLoggedOut ends a response because its visitor is not logged in any more.
var errLoggedOut = &Denial{Status: http.StatusUnauthorized}

// expel says how a response ends whose visitor is logged out: a stream just ends.
func (c *HTTPConn) expel() error {
	if c.begun {
		return ErrClosed
	}
	return errLoggedOut
}

// drain says how a response ends whose server wants to go: a stream just ends.
func (c *HTTPConn) drain() error {
	if c.begun {
		return ErrClosed
	}
	return errDraining
}
