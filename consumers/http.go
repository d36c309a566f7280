package consumers

import (
	"context"
	"net/http"
	"reflect"
)

// An HTTPConsumer handles one HTTP request. Its methods and its handlers of events are never called
// concurrently.
//
// The response is finished by HTTPConn.Finish or SendResponse. A consumer that handles events may leave it
// open when Handle returns, for a later event to finish: a long poll. Without handlers of events the
// response ends with Handle.
//
// Python: channels.generic.http.AsyncHttpConsumer.
type HTTPConsumer interface {
	// Handle takes the request with its whole body. An error before anything was sent is a 500, or what
	// the Denial says.
	Handle(ctx context.Context, c *HTTPConn, body []byte) error

	// Disconnect is called once, however the request ended.
	Disconnect(ctx context.Context, c *HTTPConn) error
}

// NewHTTP makes an Application of an HTTP consumer. It panics where a handler is no method of that consumer,
// or is one for a whole group: a response is one client's.
func NewHTTP[C HTTPConsumer](newConsumer func() C, events ...*EventHandler) Application {
	for _, h := range events {
		if h.render != nil {
			panic("consumers: OnGroup handles events of WebSockets only")
		}
	}
	hs := newHandlers(reflect.TypeFor[C](), reflect.TypeFor[*HTTPConn](), events)
	return ApplicationFunc(func(_ context.Context, s *Scope) (Instance, error) {
		s.complete()
		return newExchange(s, newConsumer(), hs), nil
	})
}

// Handler makes an Application of any http.Handler; [ScopeFrom] has the Scope in its request's context.
func Handler(h http.Handler) Application {
	return ApplicationFunc(func(_ context.Context, s *Scope) (Instance, error) {
		s.complete()
		return &Exchange{scope: s, serve: h.ServeHTTP}, nil
	})
}

// An Exchange is the consumer of one HTTP request. A server calls ServeHTTP.
type Exchange struct {
	scope *Scope
	serve http.HandlerFunc
	login *login // nil where nobody watches it
}

// instance implements Instance.
func (*Exchange) instance() {}

// ServeHTTP implements http.Handler.
func (e *Exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := ContextWithScope(r.Context(), e.scope)
	if e.login != nil {
		ctx = context.WithValue(ctx, loginKey{}, e.login)
		defer e.login.watch.Ended()
	}
	e.serve(w, r.WithContext(ctx))
}
