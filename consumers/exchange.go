package consumers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/belleville/belleville/channellayer"
)

const (
	// maxBody is the largest body of a request, in bytes; a larger one is answered with 413.
	// Django: DATA_UPLOAD_MAX_MEMORY_SIZE.
	maxBody = 2621440

	// keepAliveInterval is how often a comment is sent on an event stream.
	keepAliveInterval = 15 * time.Second
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
		c := &HTTPConn{writer: w, request: r, wakeup: make(chan struct{}, 1)}
		c.scope, c.receiver = s, c
		(&serving{c, consumer, hs}).serve(r.Context())
	}}
}

// serve handles the request from its body to Disconnect.
func (sv *serving) serve(ctx context.Context) {
	c := sv.conn
	body, err := io.ReadAll(http.MaxBytesReader(c.writer, c.request.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(c.writer, http.StatusText(status), status)
		return
	}
	err = guard(func() error { return sv.consumer.Handle(ctx, c, body) })
	if err == nil && (c.streams || !sv.handlers.empty()) {
		err = sv.follow(ctx)
	}
	broken := sv.settle(err)
	sv.disconnect(ctx)
	if broken {
		panic(http.ErrAbortHandler) // so that the client sees that the body is not whole
	}
	if !c.begun {
		c.begin()
	}
}

// follow handles events until the response is finished.
func (sv *serving) follow(ctx context.Context) error {
	var keepAlive <-chan time.Time
	if sv.conn.streams {
		t := time.NewTicker(keepAliveInterval)
		defer t.Stop()
		keepAlive = t.C
	}
	for !sv.conn.finished {
		d, err := sv.conn.next(ctx, keepAlive)
		if err != nil {
			return err
		}
		if err := sv.dispatch(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// dispatch hands an event to its handler.
func (sv *serving) dispatch(ctx context.Context, d *channellayer.Delivery) error {
	if d.Expired(time.Now()) {
		sv.report(&EventError{"expired"})
		return nil
	}
	h := sv.handlers.find(d.Event.Type())
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
func (sv *serving) settle(err error) (broken bool) {
	if err == nil || errors.Is(err, ErrStop) || errors.Is(err, ErrClosed) {
		return false
	}
	denial := *DenialOf(err)
	if denial.Status == http.StatusInternalServerError {
		sv.report(err)
	}
	if sv.conn.begun {
		return true
	}
	if denial.Body == nil {
		denial.Body = []byte(http.StatusText(denial.Status) + "\n")
	}
	clear(sv.conn.writer.Header())
	_ = sv.conn.SendResponse(denial.Status, denial.Header, denial.Body) // the client may be gone
	return false
}

// disconnect runs the consumer's Disconnect and leaves the layer.
func (sv *serving) disconnect(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), disconnectTimeout)
	defer cancel()
	if err := guard(func() error { return sv.consumer.Disconnect(ctx, sv.conn) }); err != nil {
		sv.report(err)
	}
	sv.conn.leave()
}

// report tells the server's Reporter.
func (sv *serving) report(err error) {
	if r, ok := sv.conn.scope.Value(ReporterKey{}).(Reporter); ok {
		r.Report(err)
	}
}
