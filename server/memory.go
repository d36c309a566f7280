package server

// What one connection takes beside messages: itself with its consumer and scope, and what was read of it and not yet
// looked at.
const (
	idleBytes   = 4 << 10
	mailboxFull = 64 << 10 // bytes of messages that wait for a consumer, before the last one
)

// Memory returns how many bytes of live memory the connections take at most: where there are MaxConnections, and every
// single one does the worst that c allows, at the same time. The garbage collector and the kernel's buffers come on
// top. It is far above what honest clients need; to keep a server of hostile ones within a given memory, lower
// MaxConnections, MaxMessage and QueueBytes until it fits.
//
// Each connection may have a message that is nearly whole, with room for twice as much, and one that was inflated;
// messages that wait for its consumer; and messages that wait for its client.
func (c Config) Memory() int64 {
	c = c.withDefaults()
	message, queue := int64(c.MaxMessage), int64(c.QueueBytes)
	coming := 3*message + 2*int64(padding(c.MaxMessage)) + max(maxEarly, int64(2*c.MaxHead))
	waiting := mailboxFull + message
	going := burst*max(queue, message) + message + maxPongs
	return int64(c.MaxConnections) * (idleBytes + coming + waiting + going)
}
