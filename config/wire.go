package config

import "github.com/belleville/belleville/consumers"

// carried returns the Application of a route, carried as the route says.
func (r Route) carried(app consumers.Application) consumers.Application {
	slow, _ := consumers.ParseSlowClient(r.SlowClient) // it was checked
	w := consumers.Wire{Compression: r.Compression, CompressionMinimum: r.CompressionMinimum, SlowClient: slow}
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
	_, known := consumers.ParseSlowClient(c.route.SlowClient)
	switch latest := consumers.KeepLatest.String(); {
	case !known:
		c.add("slow_client", quote(c.route.SlowClient)+" is not known", "write one of "+oneOf(slowClients()))
	case c.given("slow_client_key") && c.route.SlowClient != latest:
		c.add("slow_client_key", "nothing is kept by a key", "write slow_client = "+quote(latest)+", or take it out")
	case c.given("slow_client_key") && c.route.Consumer != relayConsumer:
		c.add("slow_client_key", "only a relay has it", "take it out, or write consumer = \"relay\"")
	}
}

// slowClients returns what may become of a slow client.
func slowClients() []string {
	var names []string
	for s := consumers.CloseSlow; s <= consumers.KeepLatest; s++ {
		names = append(names, s.String())
	}
	return names
}

// latestBy returns the key of events whose latest is kept, "" where each counts.
func (r Route) latestBy() string {
	switch {
	case r.SlowClient != consumers.KeepLatest.String():
		return ""
	case r.SlowClientKey == "":
		return "type"
	}
	return r.SlowClientKey
}
