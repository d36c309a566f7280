package server

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/lazyctx"
)

// refuse answers a request head that cannot be read, on the owner's goroutine.
func (c *conn) refuse(err error) {
	status := http.StatusBadRequest
	if e, ok := errors.AsType[*headError](err); ok {
		status = e.status
	}
	c.refuseWith(consumers.Response{Status: status, Reason: consumers.ReasonMalformed})
}

// refuseWith answers before any application was asked, on the owner's goroutine.
func (c *conn) refuseWith(r consumers.Response) {
	c.deaf, c.in = true, nil
	c.mu.Lock()
	c.setPhaseLocked(deciding)
	c.mu.Unlock()
	_ = c.Answer(r) // the phase was set just now
}

// handshake begins to decide about an opening handshake, on the owner's goroutine.
func (s *Server) handshake(c *conn, h *head) {
	if status := h.checkUpgrade(); status != 0 {
		c.refuseWith(h.refusal(status))
		return
	}
	scope, err := s.scope(h, c.opening.peer)
	if err != nil {
		c.refuseWith(consumers.Response{Status: http.StatusBadRequest, Reason: consumers.ReasonMalformed})
		return
	}
	scope.Server = c.driver.local(c)
	switch {
	case s.draining.Load():
		c.refuseWith(consumers.Response{Status: http.StatusServiceUnavailable, Header: retryAfter(), Reason: consumers.ReasonDraining})
		return
	case !s.rates.Load().allow(scope.Client.Addr(), s.clock.now()), !s.admission.locate(&c.ticket, scope.Client.Addr()):
		c.refuseWith(consumers.Response{Status: http.StatusTooManyRequests, Header: retryAfter(), Reason: consumers.ReasonLimit})
		return
	}
	key, _ := h.single("sec-websocket-key") // it was checked
	ctx := lazyctx.New(context.Background())
	c.mu.Lock()
	copy(c.opening.key[:], key)
	c.opening.decision, c.opening.offer = ctx, h.deflation()
	c.setPhaseLocked(deciding)
	c.mu.Unlock()
	s.consumers.Add(1)
	c.driver.crew().Go(func() {
		defer s.consumers.Done()
		s.decide(ctx, c, scope)
	})
}

// scope makes the Scope of a WebSocket's request.
func (s *Server) scope(h *head, peer netip.AddrPort) (*consumers.Scope, error) {
	raw, path, query, err := splitTarget(h.target)
	if err != nil {
		return nil, err
	}
	if !utf8.ValidString(path) {
		return nil, errTarget
	}
	from := s.originOf(peer, h.fields)
	own := strings.Clone(raw)
	if path != raw {
		path = strings.Clone(path)
	} else {
		path = own
	}
	scope := &consumers.Scope{
		Type: consumers.TypeWebSocket, Method: h.ownMethod(), Scheme: "ws",
		Path: path, RawPath: own, Query: strings.Clone(query),
		RootPath: s.cfg.Load().RootPath, Header: h.fields, Client: from.client,
		Subprotocols: h.subprotocols(), Layer: s.layer, Draining: s.drainBegan,
	}
	if from.secure {
		scope.Scheme = "wss"
	}
	return scope, nil
}

// decide asks the application, and starts the consumer that it opens. The context ends when the time for that is over, or
// the client has gone.
func (s *Server) decide(ctx *lazyctx.Context, c *conn, scope *consumers.Scope) {
	instance, err := s.openApplication(ctx, scope)
	gone := errors.Is(ctx.Err(), context.Canceled)
	ctx.End(context.Canceled)
	if err != nil && gone {
		return // nobody waits for the answer
	}
	if err != nil {
		s.deny(c, err)
		return
	}
	socket, ok := instance.(*consumers.Socket)
	if !ok {
		consumers.Abandon(instance)
		s.deny(c, consumers.ErrNoRoute) // this route is for plain HTTP
		return
	}
	if !s.admission.join(&c.ticket, socket.User()) {
		consumers.Abandon(socket)
		s.deny(c, &consumers.Denial{Status: http.StatusTooManyRequests, Header: retryAfter(), Reason: consumers.ReasonLimit})
		return
	}
	c.mu.Lock()
	waiting := c.phase == deciding
	if waiting {
		c.socket = socket
		s.consumers.Add(1) // until Ended
	}
	c.mu.Unlock()
	if !waiting { // the client has gone
		consumers.Abandon(socket)
		return
	}
	socket.Start(context.Background(), c)
}

// openApplication calls the application and turns a panic into an error.
func (s *Server) openApplication(ctx context.Context, scope *consumers.Scope) (instance consumers.Instance, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &consumers.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return (*s.app.Load()).Open(ctx, scope)
}

// deny answers a handshake with what an error of the application stands for.
func (s *Server) deny(c *conn, err error) {
	d := consumers.DenialOf(err)
	if d.Status == http.StatusInternalServerError {
		s.report(err)
	}
	_ = c.Answer(consumers.Response{Status: denialStatus(d), Header: d.Header, Body: d.Body, Reason: d.Reason}) // the client may be gone
}

// denialStatus returns the status of a denial, which is never a success.
func denialStatus(d *consumers.Denial) int {
	if d.Status < 400 || d.Status > 599 {
		return http.StatusForbidden
	}
	return d.Status
}
