package builtin

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
)

// BridgeConfig says how a bridge treats its clients. The zero BridgeConfig is a good one.
type BridgeConfig struct {
	// AcceptTimeout is how long a handshake waits for Django; then it is answered with 504. It should be shorter
	// than the server's own patience. Default: 4 s.
	AcceptTimeout time.Duration
	// FullTimeout is how long a client that speaks while the channel is full is not listened to; then it is closed
	// with 1013. Default: 5 s.
	FullTimeout time.Duration
	// Registerer is where the metrics are registered; bridges share them. Default: nowhere.
	Registerer prometheus.Registerer
}

func (c BridgeConfig) withDefaults() BridgeConfig {
	if c.AcceptTimeout == 0 {
		c.AcceptTimeout = 4 * time.Second
	}
	if c.FullTimeout == 0 {
		c.FullTimeout = 5 * time.Second
	}
	return c
}

// bridgeApp is what all connections of a bridge share.
type bridgeApp struct {
	channel string
	config  BridgeConfig
	metrics *bridgeMetrics
}

// Bridge makes an Application whose logic is in Python: what happens on a connection goes to a channel that Django's
// runworker serves, and Django answers on the connection's own channel. It panics where channel is none that a worker
// can listen to; see [CheckBridge].
//
// Django is sent "websocket.connect", "websocket.receive" with "text" or "bytes", and "websocket.disconnect" with
// "code". Each has:
//
//	reply_channel  where the answers go; nobody can guess it, and it is no other connection's, ever
//	order          0 for connect, and one more for each event of the connection
//	path, query    as the client asked for them
//	kwargs, args   what the route captured, as text
//	user           the primary key of who is logged in, or None
//	session        the SHA-256 of the session's key in hexadecimal digits, or None without a session
//
// "websocket.connect" has the "client", as in ["192.0.2.1", 5678], and the "subprotocols" that it offers, too.
//
// Django answers with "websocket.accept" ("subprotocol", "headers"), "websocket.send" ("text" or "bytes") and
// "websocket.close" ("code", "reason"), which refuses a client that was not accepted with 403. With
// "belleville.group_add" and "belleville.group_discard" ("group") the connection enters and leaves groups, to which the
// same answers can be sent. Events of other types are counted and not shown.
//
// Python: channels.consumer.SyncConsumer under runworker, with the events of a WebsocketConsumer.
func Bridge(channel string, c BridgeConfig) consumers.Application {
	if err := CheckBridge(channel); err != nil {
		panic(err.Error())
	}
	app := &bridgeApp{channel, c.withDefaults(), newBridgeMetrics(c.Registerer)}
	return consumers.New(func() *bridge { return &bridge{app: app} },
		consumers.OnGroup(sendAsTold),
		consumers.On((*bridge).accept),
		consumers.On((*bridge).close),
		consumers.On((*bridge).groupAdd),
		consumers.On((*bridge).groupDiscard),
		consumers.OnAny((*bridge).ignore))
}

// CheckBridge returns a [*SyntaxError] unless workers can listen to a channel of that name.
func CheckBridge(channel string) error {
	switch {
	case channel == "":
		return &SyntaxError{"the channel is missing"}
	case channellayer.CheckChannelName(channel) != nil:
		return &SyntaxError{"a channel's name is at most 99 letters, digits, hyphens, underscores and periods"}
	case channellayer.IsLocal(channel):
		return &SyntaxError{"a channel with a ! is one process's own, and no worker can listen to it"}
	}
	return nil
}

// bridge is one connection. Its methods are never called concurrently.
type bridge struct {
	app     *bridgeApp
	order   int64
	told    bool        // whether Django knows of the connection
	waiting *time.Timer // runs while the handshake is not answered
	closed  bool        // whether what the client says does not count any more
}

// Connect tells Django, whose answer comes as an event.
func (b *bridge) Connect(ctx context.Context, c *consumers.Conn) error {
	e, err := b.event(c, "websocket.connect")
	if err != nil {
		return err
	}
	e["client"], e["subprotocols"] = clientOf(c.Scope()), texts(c.Scope().Subprotocols)
	switch err := c.Scope().Layer.Send(ctx, b.app.channel, e); {
	case err == nil:
	case errors.Is(err, channellayer.ErrFull):
		b.app.metrics.handshakes.WithLabelValues("full").Inc()
		return busy()
	case ctx.Err() != nil:
		return err
	default:
		b.app.metrics.handshakes.WithLabelValues("unavailable").Inc()
		return busy()
	}
	b.told = true
	c.AcceptLater()
	b.waiting = time.AfterFunc(b.app.config.AcceptTimeout, func() { b.app.giveUp(c) })
	return nil
}

// giveUp refuses a client whom Django has not answered.
func (a *bridgeApp) giveUp(c *consumers.Conn) {
	if c.Deny(&consumers.Denial{Status: http.StatusGatewayTimeout, Header: retryAfter(), Reason: consumers.ReasonTimeout}) == nil {
		a.metrics.handshakes.WithLabelValues("timeout").Inc()
	}
}

// busy refuses a client while Django cannot be asked.
func busy() error {
	return &consumers.Denial{Status: http.StatusServiceUnavailable, Header: retryAfter(), Reason: consumers.ReasonUnavailable}
}

// retryAfter asks a client to come again, not all of them at once.
func retryAfter() http.Header {
	const most = 5 // seconds
	return http.Header{"Retry-After": {strconv.Itoa(1 + rand.N(most))}}
}

// Receive tells Django what the client said. Where the channel is full it waits, in which time nothing more is read
// from the client.
func (b *bridge) Receive(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
	if b.closed {
		return nil
	}
	e, err := b.event(c, "websocket.receive")
	if err != nil {
		return err
	}
	if m.Kind == consumers.Text {
		e["text"] = m.Text()
	} else {
		e["bytes"] = m.Data
	}
	err = b.app.deliver(ctx, c.Scope().Layer, e)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return err
	}
	b.closed = true
	b.app.metrics.lost.WithLabelValues("receive").Inc()
	if errors.Is(err, channellayer.ErrInvalidEvent) {
		return c.Close(consumers.CloseUnsupportedData, "the channel layer cannot carry this message")
	}
	return c.Close(consumers.CloseTryAgainLater, "the site is busy")
}

// Disconnect tells Django that the connection is gone, if it knew of it.
func (b *bridge) Disconnect(ctx context.Context, c *consumers.Conn, code consumers.CloseCode) error {
	b.decided("")
	if !b.told {
		return nil
	}
	e, err := b.event(c, "websocket.disconnect")
	if err != nil {
		b.app.metrics.lost.WithLabelValues("disconnect").Inc()
		return err
	}
	e["code"] = int64(code)
	if b.app.deliver(ctx, c.Scope().Layer, e) != nil {
		b.app.metrics.lost.WithLabelValues("disconnect").Inc()
	}
	return nil
}

// decided stops the clock of the handshake, and counts how it ended, unless that was counted already.
func (b *bridge) decided(result string) {
	if b.waiting == nil {
		return
	}
	if b.waiting.Stop() && result != "" {
		b.app.metrics.handshakes.WithLabelValues(result).Inc()
	}
	b.waiting = nil
}

// How long deliver waits at first and at most before it tries again.
const (
	firstWait   = 25 * time.Millisecond
	longestWait = time.Second
)

// deliver sends an event to Django. While the channel is full it tries again, until FullTimeout is over.
func (a *bridgeApp) deliver(ctx context.Context, l channellayer.Layer, e channellayer.Event) error {
	deadline := time.Now().Add(a.config.FullTimeout)
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := l.Send(ctx, a.channel, e)
		if !errors.Is(err, channellayer.ErrFull) {
			return err
		}
		a.metrics.full.Inc()
		pause := wait/2 + rand.N(wait)
		if time.Now().Add(pause).After(deadline) {
			return err
		}
		again := time.NewTimer(pause)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return ctx.Err()
		}
	}
}
