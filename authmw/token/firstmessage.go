package token

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/belleville/belleville/consumers"
)

// What a client is told in its close frame.
const (
	noTokenCame  = "no token came"
	tokenRefused = "token refused"
	comeAgain    = "try again later"
)

// maxMessage is the length of the longest first message that is looked at: a token and what stands around it.
const maxMessage = MaxSize + 1024

// awaitsMessage reports whether a WebSocket's first message is a token. It does not depend on what else is known of
// the visitor, so that a client knows to whom its first message goes.
func (a *Authenticator) awaitsMessage(s *consumers.Scope) bool {
	if s.Type != consumers.TypeWebSocket {
		return false
	}
	if !a.cfg.FirstMessageAlways && !slices.Contains(s.Subprotocols, a.cfg.FirstMessageSubprotocol) {
		return false
	}
	return slices.ContainsFunc(a.schemes, func(scheme *Scheme) bool { return slices.Contains(scheme.Sources, FirstMessage) })
}

// wait opens a door, where there is room for one more to wait at.
func (w *wrapped) wait(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	if w.waiting.Load() >= int64(w.cfg.MaxWaiting) {
		return nil, w.busy()
	}
	if i := slices.Index(s.Subprotocols, w.cfg.FirstMessageSubprotocol); i >= 0 {
		s.Subprotocols = slices.Concat(s.Subprotocols[:i], s.Subprotocols[i+1:])
		s.Subprotocol = w.cfg.FirstMessageSubprotocol
		s.Header = withoutOffers(s.Header, s.Subprotocols)
	}
	s.Set(arrivalKey{}, &arrival{w.cfg.Arrived(ctx)})
	return w.door.Open(ctx, s)
}

// arrivalKey is the key of the *arrival in the Scope of a WebSocket that begins with a token.
type arrivalKey struct{}

// arrival makes the context that the first message is looked at with; nil then, for the Scope lasts longer.
type arrival struct {
	later func(context.Context) context.Context
}

// door is the consumer of a WebSocket that begins with a token: it accepts, waits for the first message, and then
// runs the Application inside on the same connection, which sees nothing of what was before. The handshake is over
// then, so that the one inside refuses by closing, and its header fields are not sent.
type door struct {
	wrapped *wrapped

	// Owned by the consumer's goroutine.
	scope *consumers.Scope  // until the first message came
	timer *time.Timer       // until the first message came
	inner *consumers.Socket // then
	pipe  *pipe
}

// Connect implements consumers.Consumer.
func (d *door) Connect(_ context.Context, c *consumers.Conn) error {
	d.scope = c.Scope().Clone()
	d.scope.Header = d.scope.Header.Clone() // it is needed longer than Connect lasts
	d.wrapped.waiting.Add(1)
	d.timer = time.AfterFunc(d.wrapped.cfg.FirstMessageTimeout, func() {
		_ = c.Close(consumers.CloseSessionEnded, noTokenCame) // the client may be gone already
	})
	return c.Accept()
}

// Receive implements consumers.Consumer.
func (d *door) Receive(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
	if d.inner == nil {
		return d.first(ctx, c, m)
	}
	if d.inner.Message(m) {
		return nil
	}
	select { // the messages behind this one wait, and then the client does
	case <-d.pipe.resumed:
	case <-d.pipe.ended:
	case <-ctx.Done():
	}
	return nil
}

// Disconnect implements consumers.Consumer.
func (d *door) Disconnect(ctx context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
	d.stopWaiting()
	if d.inner == nil {
		return nil
	}
	d.inner.Disconnect(code)
	select {
	case <-d.pipe.ended:
	case <-ctx.Done():
	}
	return nil
}

// stopWaiting takes the visitor from the number of those who wait.
func (d *door) stopWaiting() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
		d.wrapped.waiting.Add(-1)
	}
}

// first takes the first message.
func (d *door) first(life context.Context, c *consumers.Conn, m consumers.Message) error {
	d.stopWaiting()
	s := d.scope
	d.scope = nil
	ctx := life
	if a, ok := s.Value(arrivalKey{}).(*arrival); ok {
		ctx, a.later = a.later(life), nil
	}
	var found []candidate
	if s.User.IsAnonymous() || d.wrapped.cfg.Order == TokenFirst { // else the message is taken all the same, and not looked at
		found = d.wrapped.fromMessage(m)
	}
	id, refused, err := d.wrapped.identify(ctx, found)
	switch {
	case err != nil:
		return d.refuse(c, d.wrapped.unknown(err), tokenRefused)
	case id == nil && len(refused) > 0 && d.wrapped.cfg.WrongToken == Refuse:
		return d.refuse(c, d.wrapped.unauthorized(refused), tokenRefused)
	case id != nil:
		s.User = id.User
		s.Set(identityKey{}, id)
	}
	instance, err := d.wrapped.open(ctx, s)
	if err != nil {
		return d.refuse(c, err, "")
	}
	inner, ok := instance.(*consumers.Socket)
	if !ok {
		consumers.Abandon(instance)
		return errors.New("token: the application is none for WebSockets")
	}
	d.inner = inner
	d.pipe = &pipe{conn: c, below: c.Beneath(), resumed: make(chan struct{}, 1), ended: make(chan struct{})}
	inner.Start(life, d.pipe)
	return nil
}

// refuse closes the connection for what would have refused the handshake. An error that is no refusal is reported.
func (d *door) refuse(c *consumers.Conn, err error, reason string) error {
	denial := consumers.DenialOf(err)
	if denial.Status == http.StatusInternalServerError {
		return err
	}
	if denial.Status == http.StatusServiceUnavailable {
		reason = comeAgain
	}
	return c.Close(closeCode(denial.Status), reason)
}

// closeCode returns the close code that stands for an HTTP status: 4401 for 401.
func closeCode(status int) consumers.CloseCode {
	switch status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return consumers.CloseTryAgainLater
	case http.StatusInternalServerError:
		return consumers.CloseInternalError
	default:
		return consumers.CloseCode(4000 + status)
	}
}

// fromMessage returns the candidates in a first message: a JSON object with a "token", or the token alone.
func (a *Authenticator) fromMessage(m consumers.Message) []candidate {
	c := candidate{source: FirstMessage}
	c.token, c.odd = tokenOf(m)
	var found []candidate
	for _, scheme := range a.schemes {
		if slices.Contains(scheme.Sources, FirstMessage) {
			c.scheme = scheme
			found = append(found, c)
		}
	}
	return found
}

// tokenOf returns the token in a message, and whether the message is odd.
func tokenOf(m consumers.Message) (token string, odd bool) {
	if m.Kind != consumers.Text || len(m.Data) > maxMessage {
		return "", true
	}
	text := strings.TrimSpace(string(m.Data))
	if !strings.HasPrefix(text, "{") {
		return text, false
	}
	var v struct {
		Token string `json:"token"`
	}
	err := json.Unmarshal([]byte(text), &v)
	return v.Token, err != nil
}

// pipe is the connection under the consumer inside: the one of the door, whose handshake is over.
type pipe struct {
	conn    *consumers.Conn
	below   consumers.Transport
	resumed chan struct{} // holds a token when the consumer inside can take messages again
	ended   chan struct{} // closed when it is through
}

// Answer implements consumers.Transport.
func (p *pipe) Answer(r consumers.Response) error {
	if r.Status == http.StatusSwitchingProtocols {
		return nil
	}
	_ = p.conn.Close(closeCode(r.Status), "") // the client may be gone already
	return nil
}

// Send implements consumers.Transport.
func (p *pipe) Send(m consumers.Message, frames *consumers.Frames) error {
	return p.below.Send(m, frames)
}

// Close implements consumers.Transport.
func (p *pipe) Close(code consumers.CloseCode, reason string) error {
	return p.conn.Close(code, reason)
}

// Resume implements consumers.Transport.
func (p *pipe) Resume() {
	select {
	case p.resumed <- struct{}{}:
	default:
	}
}

// Report implements consumers.Transport.
func (p *pipe) Report(err error) { p.below.Report(err) }

// Ended implements consumers.Transport.
func (p *pipe) Ended() { close(p.ended) }
