package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
)

// ErrNoHandler means that an event came whose type no handler is for. It is counted, and not tried again.
// Python: ValueError("No handler for message type ...").
var ErrNoHandler = errors.New("worker: no handler for the event's type")

// A TypeHandler handles events of one type. [On] makes it.
type TypeHandler struct {
	eventType string
	handle    func(ctx context.Context, e channellayer.Event) error
}

// On makes a TypeHandler of a function. An event that does not fit E fails, and is not tried again.
//
// Python: a method of a consumer, named like the event's type.
func On[E consumers.Event](f func(ctx context.Context, e E) error) TypeHandler {
	var zero E
	return TypeHandler{zero.EventType(), func(ctx context.Context, event channellayer.Event) error {
		var e E
		if err := event.Decode(&e); err != nil {
			return Final(fmt.Errorf("an event of type %s: %w", zero.EventType(), err))
		}
		return f(ctx, e)
	}}
}

// Types makes a Handler that hands each event to the TypeHandler for its type. As in Channels, a period in a type is as
// good as an underscore. It panics where two are for one type.
func Types(handlers ...TypeHandler) Handler {
	byType := make(map[string]TypeHandler, len(handlers))
	for _, h := range handlers {
		name := strings.ReplaceAll(h.eventType, ".", "_")
		if _, taken := byType[name]; taken || name == "" {
			panic("worker: two handlers for one type of event, or one for none: " + h.eventType)
		}
		byType[name] = h
	}
	return HandlerFunc(func(ctx context.Context, e channellayer.Event) error {
		h, ok := byType[strings.ReplaceAll(e.Type(), ".", "_")]
		if !ok {
			return ErrNoHandler
		}
		return h.handle(ctx, e)
	})
}
