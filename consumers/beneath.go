package consumers

// Beneath returns the Transport that carries the connection, for a consumer that lets another Socket use it: what is
// sent there is sent as by that Socket, frames shared with others included. It is nil before Connect.
func (c *Conn) Beneath() Transport { return c.socket().transport }
