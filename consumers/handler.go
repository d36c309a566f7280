package consumers

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"

	"github.com/belleville/belleville/channellayer"
)

// An EventHandler says which events a consumer handles, and how. [On], [OnGroup] and their kin make them.
type EventHandler struct {
	eventType string // "" for every other type
	// Whose method it is, and the connection that it takes; nil for a function of the event alone.
	consumer, conn reflect.Type

	// Exactly one of these is set.
	call   func(ctx context.Context, consumer, conn any, d *channellayer.Delivery) error
	render func(channellayer.Event) (Message, error)
}

// ErrNoHandler means that an event came whose type the consumer does not handle, which fails it.
// Python: ValueError("No handler for message type ...").
var ErrNoHandler = errors.New("consumers: no handler for an event's type")

// On makes a handler of a consumer's method for events of one type:
//
//	consumers.New(NewChat, consumers.On((*Chat).chatMessage))
//
// It is called for each connection. The event is decoded once for all of them, so its parts are shared and
// must not be changed. An event that does not fit E is dropped.
//
// Python: a method named like the event's type.
func On[C any, K *Conn | *HTTPConn, E Event](method func(C, context.Context, K, E) error) *EventHandler {
	h := &EventHandler{eventType: typeOf[E](), consumer: reflect.TypeFor[C](), conn: reflect.TypeFor[K]()}
	h.call = func(ctx context.Context, consumer, conn any, d *channellayer.Delivery) error {
		e, ok := decode[E](h, d)
		if !ok {
			return &EventError{"malformed"}
		}
		return method(consumer.(C), ctx, conn.(K), e)
	}
	return h
}

// OnType is like On for an event that has no Go type.
func OnType[C any, K *Conn | *HTTPConn](eventType string, method func(C, context.Context, K, channellayer.Event) error) *EventHandler {
	return &EventHandler{
		eventType: eventType, consumer: reflect.TypeFor[C](), conn: reflect.TypeFor[K](),
		call: func(ctx context.Context, consumer, conn any, d *channellayer.Delivery) error {
			return method(consumer.(C), ctx, conn.(K), d.Event)
		},
	}
}

// OnAny handles the events that no other handler does.
func OnAny[C any, K *Conn | *HTTPConn](method func(C, context.Context, K, channellayer.Event) error) *EventHandler {
	return OnType("", method)
}

// OnGroup handles events of one type with a function of the event alone. It is called once in a process for
// each event, however many members the group has, and all get the same frame. A Message without a Kind
// sends nothing; so does an error, and the event counts as malformed.
func OnGroup[E Event](render func(E) (Message, error)) *EventHandler {
	return &EventHandler{eventType: typeOf[E](), render: func(ev channellayer.Event) (Message, error) {
		var e E
		if err := ev.Decode(&e); err != nil {
			return Message{}, err
		}
		return render(e)
	}}
}

// OnAnyGroup is OnGroup for the events that no other handler takes.
func OnAnyGroup(render func(channellayer.Event) (Message, error)) *EventHandler {
	return &EventHandler{render: render}
}

// typeOf returns the event type of E.
func typeOf[E Event]() string {
	var e E
	t := e.EventType()
	if _, err := handlerName(t); err != nil {
		panic(fmt.Sprintf("consumers: %T: %v", e, err))
	}
	return t
}

// decoded is what a Delivery remembers for On.
type decoded[E any] struct {
	event E
	ok    bool
}

// decode returns d's event as an E, which is made once for all connections.
func decode[E any](h *EventHandler, d *channellayer.Delivery) (E, bool) {
	v := d.Memo(h, func(ev channellayer.Event) any {
		var r decoded[E]
		r.ok = ev.Decode(&r.event) == nil
		return r
	}).(decoded[E])
	return v.event, v.ok
}

// rendering is what a Delivery remembers for OnGroup.
type rendering struct {
	message  Message
	frames   Frames
	err      error
	reported atomic.Bool // err is told once, not once for each member
}

// rendered returns what h makes of d's event, which is made once for all connections.
func (h *EventHandler) rendered(d *channellayer.Delivery) *rendering {
	return d.Memo(h, func(ev channellayer.Event) any {
		r := new(rendering)
		r.err = guard(func() error {
			m, err := h.render(ev)
			r.message = m.sendable()
			return err
		})
		return r
	}).(*rendering)
}

// handlers finds the handler of an event.
type handlers struct {
	byType  map[string]*EventHandler // by type as it was given, and by handler name
	lengths uint64                   // of the keys of byType, as bits; those from 63 on are one
	other   *EventHandler
	given   int // how many the consumer has
}

// newHandlers returns the handlers of a consumer whose connections are of type conn. It panics where two are
// for the same type, or one is no method of that consumer, or for another kind of connection.
func newHandlers(consumer, conn reflect.Type, list []*EventHandler) *handlers {
	hs := &handlers{byType: make(map[string]*EventHandler, 2*len(list)), given: len(list)}
	for _, h := range list {
		if h.consumer != nil && (!consumer.AssignableTo(h.consumer) || h.conn != conn) {
			panic(fmt.Sprintf("consumers: a handler of %v with a %v cannot serve %v with a %v", h.consumer, h.conn, consumer, conn))
		}
		hs.add(h)
	}
	if gap, _ := handlerName(channellayer.GapType); hs.byType[gap] == nil {
		hs.add(&EventHandler{eventType: channellayer.GapType, call: ignore})
	}
	return hs
}

// ignore handles the layer's own events for a consumer that does not: they are no message for its client, and
// no reason to fail.
func ignore(context.Context, any, any, *channellayer.Delivery) error { return nil }

// add adds one handler.
func (hs *handlers) add(h *EventHandler) {
	if h.eventType == "" {
		if hs.other != nil {
			panic("consumers: two handlers for all other types")
		}
		hs.other = h
		return
	}
	name, err := handlerName(h.eventType)
	if err != nil {
		panic("consumers: " + err.Error())
	}
	if hs.byType[name] != nil {
		panic("consumers: two handlers for " + h.eventType)
	}
	hs.byType[h.eventType], hs.byType[name] = h, h
	hs.lengths |= lengthBit(name)
}

// lengthBit is the bit for names as long as this one.
func lengthBit(name string) uint64 { return 1 << min(len(name), 63) }

// of returns the handler of an event, or nil. It is looked for once, not for each member of a group.
func (hs *handlers) of(d *channellayer.Delivery) *EventHandler {
	return d.Memo(hs, hs.findFor).(*EventHandler)
}

// findFor is find as Memo wants it.
func (hs *handlers) findFor(e channellayer.Event) any { return hs.find(e.Type()) }

// find returns the handler of an event's type, or nil.
func (hs *handlers) find(eventType string) *EventHandler {
	if !hasHandlerName(eventType) {
		return nil
	}
	if hs.lengths&lengthBit(eventType) == 0 {
		return hs.other // most relays show all events alike
	}
	if h := hs.byType[eventType]; h != nil {
		return h
	}
	var space [64]byte
	name := append(space[:0], eventType...)
	for i, c := range name {
		if c == '.' {
			name[i] = '_'
		}
	}
	if h := hs.byType[string(name)]; h != nil {
		return h
	}
	return hs.other
}

// hasHandlerName reports whether Channels would look for a method: none is named like "_x" or ".x".
func hasHandlerName(eventType string) bool {
	return eventType != "" && eventType[0] != '_' && eventType[0] != '.'
}

// handlerName is the name of the method that Channels would call.
// Python: channels.consumer.get_handler_name.
func handlerName(eventType string) (string, error) {
	if !hasHandlerName(eventType) {
		return "", errors.New("an event type must not be empty or begin with an underscore or a dot")
	}
	return strings.ReplaceAll(eventType, ".", "_"), nil
}

// empty reports whether there is no handler at all.
func (hs *handlers) empty() bool { return hs.given == 0 }
