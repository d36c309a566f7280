package channellayer

// An Event is what travels over a channel layer: Channels' dict with a "type".
//
// Its values are nil, bool, int64, float64, string, []byte, []any and map[string]any: what msgpack and
// Python have in common. [NewEvent] makes one from a Go struct, [Event.Decode] a struct from it.
type Event map[string]any

// Type returns the event's type, as in "chat.message", or "" where it has none.
func (e Event) Type() string {
	t, _ := e["type"].(string)
	return t
}
