package builtin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"unique"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
)

// RelayConfig says what a relay does. The zero RelayConfig is a relay that is in no group and takes no messages.
type RelayConfig struct {
	// Groups are the names of the groups that a connection is in, with values in braces. One that names a
	// value which the connection has not is left out; a value that is no legal part of a group's name
	// refuses the connection with 403.
	Groups []string
	// Publish is the type of the events that a client's messages become. They go to the first of Groups;
	// where that is left out, and without Publish, messages are refused.
	Publish string
	// Stamp names the values that the server sets in what is published, each under its own name, whatever
	// the client says: "user.username" is the key of the event, too.
	Stamp []string
	// LatestBy names the key of an event whose value says what the event tells the state of, for a client that is
	// slow; see consumers.KeepLatest. "type" is that of all events. Without it each event counts.
	LatestBy string
}

// relayApp is what all connections of a relay share.
type relayApp struct {
	groups  []template
	publish string
	stamp   []value
	latest  string
}

// Relay makes an Application that passes messages on, both ways. It panics where c is wrong; see
// [CheckGroup], [CheckPublish] and [CheckName].
//
// What a client says must be a JSON object. It goes to the first group as an event of the type that is
// configured; the keys "type" and those that begin with "__" are taken out of it. Binary messages close the
// connection with 1003, what is no JSON object with 1007, too many values in it with 1009, and any message
// with 1008 where none may be published.
//
// An event goes to the client as a JSON object without its type. One of type "websocket.send" is sent as the
// "text" or the "bytes" that it holds, one of type "websocket.close" closes with its "code" and "reason".
//
// Python: the ChatConsumer of Channels' tutorial.
func Relay(c RelayConfig) consumers.Application {
	app, err := newRelay(c)
	if err != nil {
		panic(err.Error())
	}
	return consumers.New(func() *relay { return &relay{app: app} },
		consumers.OnGroup(sendAsTold),
		consumers.On((*relay).closeAsTold),
		consumers.OnAnyGroup(app.showEvent))
}

func newRelay(c RelayConfig) (*relayApp, error) {
	app := &relayApp{publish: c.Publish, latest: c.LatestBy}
	for _, text := range c.Groups {
		t, err := parseTemplate(text)
		if err != nil {
			return nil, err
		}
		app.groups = append(app.groups, t)
	}
	for _, name := range c.Stamp {
		v, err := valueOf(name)
		if err != nil {
			return nil, err
		}
		app.stamp = append(app.stamp, v)
	}
	if c.Publish == "" {
		return app, nil
	}
	if len(c.Groups) == 0 {
		return nil, &SyntaxError{"there is no group to publish to"}
	}
	return app, CheckPublish(c.Publish)
}

// CheckPublish returns a [*SyntaxError] unless a client's messages may become events of that type.
func CheckPublish(eventType string) error {
	first, _, _ := strings.Cut(eventType, ".")
	if first == "websocket" || first == "belleville" {
		return &SyntaxError{"events of type " + first + ".… tell the server what to do, which is not for clients"}
	}
	for part := range strings.SplitSeq(eventType, ".") {
		if !isName(part) || strings.HasPrefix(eventType, "_") {
			return &SyntaxError{"an event's type consists of names and periods, as in chat.message"}
		}
	}
	return nil
}

// relay is one visitor of a relay. Its methods are never called concurrently.
type relay struct {
	app *relayApp
	// group is published to: the zero Handle where nothing may be. Its text is shared by all members.
	group unique.Handle[string]
	// closed says that the client broke the rules, so that what it sent meanwhile does not count.
	closed bool
}

// Connect joins the groups.
func (r *relay) Connect(ctx context.Context, c *consumers.Conn) error {
	groups := make([]unique.Handle[string], 0, 8)
	for i, t := range r.app.groups {
		name, err := t.group(c.Scope())
		switch {
		case errors.Is(err, errMissing):
			continue
		case err != nil:
			return consumers.ReasonGroup.Deny()
		}
		group := unique.Make(name)
		if i == 0 && r.app.publish != "" {
			r.group = group
		}
		groups = append(groups, group)
	}
	for _, group := range groups {
		if err := c.GroupAdd(ctx, group.Value()); err != nil {
			return fmt.Errorf("join group: %w", err)
		}
	}
	return c.Accept()
}

// Receive publishes what the client says.
func (r *relay) Receive(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
	if r.closed {
		return nil
	}
	e, refused := r.event(c.Scope(), m)
	if refused == nil {
		err := c.Scope().Layer.GroupSend(ctx, r.group.Value(), e)
		if !errors.Is(err, channellayer.ErrInvalidEvent) {
			return err
		}
		refused = tooManyValues
	}
	r.closed = true
	return c.Close(refused.code, refused.reason)
}

// refusal says why a client's message closes the connection.
type refusal struct {
	code   consumers.CloseCode
	reason string
}

// tooManyValues refuses what no layer would carry.
var tooManyValues = &refusal{consumers.CloseTooBig, "too many values"}

// event makes the event of a client's message.
func (r *relay) event(s *consumers.Scope, m consumers.Message) (channellayer.Event, *refusal) {
	switch {
	case r.group == unique.Handle[string]{}:
		return nil, &refusal{consumers.ClosePolicyViolation, "this route takes no messages"}
	case m.Kind != consumers.Text:
		return nil, &refusal{consumers.CloseUnsupportedData, "binary messages are not understood"}
	}
	parsed, err := channellayer.ParseJSON(m.Data)
	e, ok := parsed.(map[string]any)
	switch {
	case errors.Is(err, channellayer.ErrTooManyValues):
		return nil, tooManyValues
	case err != nil || !ok:
		return nil, &refusal{consumers.CloseInvalidPayload, "not a JSON object"}
	}
	maps.DeleteFunc(e, func(key string, _ any) bool { return strings.HasPrefix(key, "__") })
	for _, v := range r.app.stamp {
		got, _ := v.get(s)
		e[v.name] = eventValue(got)
	}
	e["type"] = r.app.publish
	return e, nil
}

// Disconnect has nothing to do: a connection leaves its groups by itself.
func (r *relay) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// showEvent shows an event to all members of a group.
func (a *relayApp) showEvent(e channellayer.Event) (consumers.Message, error) {
	shown := maps.Clone(e)
	delete(shown, "type")
	m := consumers.Message{Kind: consumers.Text, Data: channellayer.AppendJSON(nil, shown)}
	if what, ok := e[a.latest]; ok {
		m.Key = e.Type() + " " + string(channellayer.AppendJSON(nil, what))
	}
	return m, nil
}

// webSocketSend asks for a message as it is. ASGI: the event "websocket.send".
type webSocketSend struct {
	Text  *string `json:"text"`
	Bytes *[]byte `json:"bytes"`
}

// EventType implements consumers.Event.
func (webSocketSend) EventType() string { return "websocket.send" }

// sendAsTold sends the text, or the bytes where there is none.
func sendAsTold(e webSocketSend) (consumers.Message, error) {
	switch {
	case e.Text != nil:
		return consumers.TextMessage(*e.Text), nil
	case e.Bytes != nil:
		return consumers.BinaryMessage(*e.Bytes), nil
	}
	return consumers.Message{}, errors.New("builtin: websocket.send without text and bytes")
}

// webSocketClose asks for the connection to be closed. ASGI: the event "websocket.close".
type webSocketClose struct {
	Code   *int64 `json:"code"`
	Reason string `json:"reason"`
}

// EventType implements consumers.Event.
func (webSocketClose) EventType() string { return "websocket.close" }

// code returns the code to close with: 1000 where none is given, 1011 for one that no frame may carry.
func (e webSocketClose) code() consumers.CloseCode {
	if e.Code == nil {
		return consumers.CloseNormal
	}
	if asked := consumers.CloseCode(*e.Code); int64(asked) == *e.Code && asked.Sendable() {
		return asked
	}
	return consumers.CloseInternalError
}

// closeAsTold closes the connection.
func (r *relay) closeAsTold(_ context.Context, c *consumers.Conn, e webSocketClose) error {
	r.closed = true
	return c.Close(e.code(), e.Reason)
}
