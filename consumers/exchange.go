package consumers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/belleville/belleville/channellayer"
)

const (
	// maxBody is the largest body of a request, in bytes; a larger one is answered with 413.
	// Django: DATA_UPLOAD_MAX_MEMORY_SIZE.
	maxBody = 2621440

	// bodyTimeout is how long a client may take to send a body; a slower one is answered with 408.
	bodyTimeout = 30 * time.Second
)

// A Reporter is told what went wrong in an HTTP consumer, whose client learns nothing but a status. A server
// puts one into the Scope with [Scope.Set] under [ReporterKey].
type Reporter interface{ Report(err error) }

// ReporterKey is the key of a Scope's Reporter.
type ReporterKey struct{}

// serving is one run of an HTTPConsumer.
type serving struct {
	conn     *HTTPConn
	consumer HTTPConsumer
	handlers *handlers
}

// newExchange returns the Exchange that runs a consumer.
func newExchange(s *Scope, consumer HTTPConsumer, hs *handlers) *Exchange {
	return &Exchange{scope: s, serve: func(w http.ResponseWriter, r *http.Request) {
		c := &HTTPConn{writer: w, request: r, wakeups: make(chan struct{}, 1)}
		c.channel.own(s)
		(&serving{c, consumer, hs}).serve(r.Context())
	}}
}

// serve handles the request from its body to Disconnect.
func (sv *serving) serve(ctx context.Context) {
	c := sv.conn
	body, err := sv.read()
	if err == nil {
		err = guard(func() error { return sv.consumer.Handle(ctx, c, body) })
	}
	if err == nil && (c.streams || !sv.handlers.empty()) {
		err = sv.follow(ctx)
	}
	broken := sv.settle(ctx, err)
	sv.disconnect(ctx)
	if broken {
		panic(http.ErrAbortHandler) // so that the client sees that the body is not whole
	}
	c.begin()
}

// read reads the whole body. What is wrong with it is a Denial.
func (sv *serving) read() ([]byte, error) {
	r, w := sv.conn.request, sv.conn.writer
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > maxBody {
		return nil, &Denial{Status: http.StatusRequestEntityTooLarge}
	}
	// Where deadlines are not supported the server's own apply. This one ends with the body: net/http takes it
	// away when it begins to look whether the client goes.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &Denial{Status: http.StatusRequestEntityTooLarge}
	}
	switch {
	case err == nil:
		return body, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &Denial{Status: http.StatusRequestTimeout}
	}
	return nil, &Denial{Status: http.StatusBadRequest}
}

// follow handles events until the response is finished.
func (sv *serving) follow(ctx context.Context) error {
	var keepAlive <-chan time.Time
	if sv.conn.streams {
		t := time.NewTicker(keepAliveInterval)
		defer t.Stop()
		keepAlive = t.C
	}
	for {
		d, err := sv.conn.next(ctx, keepAlive)
		if err == nil && d != nil {
			err = sv.dispatch(ctx, d)
		}
		if err != nil || d == nil {
			return err
		}
	}
}

// dispatch hands an event to its handler.
func (sv *serving) dispatch(ctx context.Context, d *channellayer.Delivery) error {
	if d.Expired(time.Now()) {
		sv.report(&EventError{"expired"})
		return nil
	}
	h := sv.handlers.of(d)
	if h == nil {
		return ErrNoHandler
	}
	err := guard(func() error { return h.call(ctx, sv.consumer, sv.conn, d) })
	if dropped, ok := errors.AsType[*EventError](err); ok {
		sv.report(dropped)
		return nil
	}
	return err
}

// settle answers what an error left unanswered. It reports whether the response is broken off.
func (sv *serving) settle(ctx context.Context, err error) (broken bool) {
	switch {
	case err == nil || errors.Is(err, ErrStop) || errors.Is(err, ErrClosed):
		return false
	case errors.Is(err, context.Canceled) && ctx.Err() != nil: // it was told that the client has gone
		return false
	}
	if isFailure(err) {
		sv.report(err)
	}
	if sv.conn.begun {
		return true
	}
	denial := DenialOf(err)
	status, body := denial.status(), denial.Body
	clear(sv.conn.writer.Header())
	if body == nil {
		sv.conn.writer.Header().Set("Content-Type", "text/plain; charset=utf-8")
		body = []byte(http.StatusText(status) + "\n")
	}
	_ = sv.conn.SendResponse(status, denial.Header, body) // the client may be gone
	return false
}

// disconnect runs the consumer's Disconnect and leaves the layer.
func (sv *serving) disconnect(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), disconnectTimeout)
	defer cancel()
	err := guard(func() error { return sv.consumer.Disconnect(ctx, sv.conn) })
	if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrStop) {
		sv.report(err)
	}
	sv.conn.channel.leave()
}

// report tells the server's Reporter.
func (sv *serving) report(err error) {
	if r, ok := sv.conn.Scope().Value(ReporterKey{}).(Reporter); ok {
		r.Report(err)
	}
}
