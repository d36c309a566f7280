// Package consumers is the contract between a server and what a site does with its connections, in
// Channels' words: a [Scope] says who connects and where, a [Consumer] handles one WebSocket, an
// [HTTPConsumer] one HTTP request, a [Conn] is a consumer's hold on its client.
//
// Start with [New], which makes an [Application] of a consumer; routers and middleware wrap it, a server
// runs it. Nothing here touches a network.
//
// Python: channels.consumer, channels.generic.
package consumers

import (
	"context"
	"errors"
	"net/http"
)

// An Application opens a consumer for each connection. Routers and middleware are Applications around
// others. Open is called before the handshake is answered and may wait for a database.
//
// An error refuses the client: a [*Denial] with its own status, [ErrDenied] with 403, [ErrNoRoute] with 404,
// anything else with 500.
//
// Python: an ASGI application; as_asgi() of a consumer.
type Application interface {
	Open(ctx context.Context, s *Scope) (Instance, error)
}

// ApplicationFunc makes an Application of a function.
type ApplicationFunc func(ctx context.Context, s *Scope) (Instance, error)

// Open implements Application.
func (f ApplicationFunc) Open(ctx context.Context, s *Scope) (Instance, error) { return f(ctx, s) }

// An Instance is one opened consumer: a [*Socket] for a WebSocket or an [*Exchange] for an HTTP request.
type Instance interface {
	instance()
}

var (
	// ErrDenied refuses a client with 403. Python: channels.exceptions.DenyConnection.
	ErrDenied = errors.New("consumers: connection denied")

	// ErrNoRoute means that no route matches: 404. A router inside another one returns it to go on with
	// the outer one's next route. Python: django.urls.Resolver404.
	ErrNoRoute = errors.New("consumers: no route")

	// ErrStop ends a consumer without an error. Python: channels.exceptions.StopConsumer.
	ErrStop = errors.New("consumers: stop")

	// ErrClosed means that the connection is closed, so that nothing can be sent any more. A consumer may
	// return it like any error; it is not taken for a failure.
	ErrClosed = errors.New("consumers: connection closed")

	// ErrStuck means that a consumer, or what its Conn.Go had started, was still busy ten seconds after its
	// client had gone. It is reported, and the consumer waited for.
	ErrStuck = errors.New("consumers: still busy though the client has gone")

	// ErrNoLayer means that a consumer uses groups but no channel layer is configured.
	// Python: channels.exceptions.InvalidChannelLayerError.
	ErrNoLayer = errors.New("consumers: no channel layer is configured")
)

// A Denial is an error that refuses a connection with an HTTP answer of its own.
// ASGI: the WebSocket denial response extension.
type Denial struct {
	// Status is the HTTP status, 400 to 599; anything else is 403.
	Status int
	// Header holds further header fields, such as Retry-After.
	Header http.Header
	// Body is sent as it is. Default: the status as text.
	Body []byte
	// Reason is counted.
	Reason Reason
}

// Error implements error.
func (d *Denial) Error() string { return "consumers: denied with " + http.StatusText(d.status()) }

// status returns the status, which is never a success.
func (d *Denial) status() int {
	if d.Status < 400 || d.Status > 599 {
		return http.StatusForbidden
	}
	return d.Status
}

// Is makes errors.Is(d, ErrDenied) true.
func (d *Denial) Is(target error) bool { return target == ErrDenied }

// DenialOf returns the HTTP answer that err, returned by Open or Connect, stands for. Nothing of err's
// text is in it.
func DenialOf(err error) *Denial {
	if d, ok := errors.AsType[*Denial](err); ok && d != nil {
		return d
	}
	switch {
	case errors.Is(err, ErrDenied):
		return &Denial{Status: http.StatusForbidden}
	case errors.Is(err, ErrNoRoute):
		return &Denial{Status: http.StatusNotFound, Reason: ReasonRoute}
	}
	return &Denial{Status: http.StatusInternalServerError, Reason: ReasonError}
}
