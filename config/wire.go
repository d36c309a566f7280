package config

import "github.com/belleville/belleville/consumers"

// carried returns the Application of a route, carried as the route says.
func (r Route) carried(app consumers.Application) consumers.Application {
	w := consumers.Wire{Compression: r.Compression, CompressionMinimum: r.CompressionMinimum}
	if w == (consumers.Wire{}) {
		return app
	}
	return consumers.Carried(app, w)
}

// wire checks how a route's connections are carried.
func (c routeCheck) wire() {
	if !c.mistakes.has(c.path + ".compression_minimum") {
		c.positive(c.path+".compression_minimum", int64(c.route.CompressionMinimum))
	}
	if c.route.CompressionMinimum > 0 && !c.route.Compression {
		c.add("compression_minimum", "nothing is compressed", "write compression = true, or take it out")
	}
}
