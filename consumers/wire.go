package consumers

import "context"

// A Wire says how a server carries the connections of a route. The zero Wire is a good one. All connections of the
// route share it, and nobody changes it.
type Wire struct {
	// Compression accepts what clients offer of permessage-deflate. It costs processor time and saves bytes; what
	// goes to a group is compressed once. RFC 7692.
	Compression bool
	// CompressionMinimum is the size in bytes of the smallest message that is compressed. Default: 256.
	CompressionMinimum int
}

// Carried wraps an Application so that its connections are carried as w says.
func Carried(app Application, w Wire) Application { return &carried{app, w} }

// carried is an Application with a Wire of its own.
type carried struct {
	app  Application
	wire Wire
}

// Open implements Application.
func (c *carried) Open(ctx context.Context, s *Scope) (Instance, error) {
	s = s.Clone()
	s.wire = &c.wire
	return c.app.Open(ctx, s)
}

// plainWire carries what nobody has said anything about.
var plainWire Wire

// Wire says how the connection is carried.
func (s *Scope) Wire() *Wire {
	if s.wire == nil {
		return &plainWire
	}
	return s.wire
}

// Wire says how the connection is carried.
func (s *Socket) Wire() *Wire { return s.conn.Scope().Wire() }
