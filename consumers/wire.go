package consumers

import (
	"context"

	"github.com/belleville/belleville/djangocompat"
)

// A Wire says how a server carries the connections of a route. The zero Wire is a good one. All connections of the
// route share it, and nobody changes it.
type Wire struct {
	// Compression accepts what clients offer of permessage-deflate. It costs processor time and saves bytes; what
	// goes to a group is compressed once. RFC 7692.
	Compression bool
	// CompressionMinimum is the size in bytes of the smallest message that is compressed. Default: 256.
	CompressionMinimum int
	// SlowClient says what becomes of a client that reads more slowly than it is spoken to.
	SlowClient SlowClient
}

// SlowClient says what becomes of a client for which too much waits. Whoever speaks to it never waits, and each
// message that is dropped is counted.
type SlowClient uint8

// What becomes of it.
const (
	// CloseSlow closes it with 1013: it can come again, and knows that it has missed something.
	CloseSlow SlowClient = iota
	// DropOldest drops what has waited longest.
	DropOldest
	// DropNewest drops what is new.
	DropNewest
	// KeepLatest drops, as soon as the client is behind, what has the Key of a newer message; and where that is not
	// enough what has waited longest.
	KeepLatest
	slowClients
)

// slowClientNames are the names in a configuration.
var slowClientNames = [slowClients]string{"close", "drop_oldest", "drop_newest", "keep_latest"}

// String returns the name that a configuration has for it.
func (s SlowClient) String() string {
	if s >= slowClients {
		s = CloseSlow
	}
	return slowClientNames[s]
}

// ParseSlowClient is the reverse of String.
func ParseSlowClient(name string) (s SlowClient, ok bool) {
	for s := range slowClients {
		if slowClientNames[s] == name {
			return s, true
		}
	}
	return CloseSlow, false
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

// User is who opens the connection.
func (s *Socket) User() *djangocompat.User { return s.channel.user() }

// Wire says how the connection is carried.
func (s *Socket) Wire() *Wire { return s.channel.common().Wire() }
