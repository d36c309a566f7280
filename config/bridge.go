package config

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/consumers/builtin"
)

// bridge returns the Config of all bridges. They wait for Django a little less long than the server waits for them.
func (c *Config) bridge(reg prometheus.Registerer) builtin.BridgeConfig {
	return builtin.BridgeConfig{AcceptTimeout: c.Limits.HandshakeTimeout * 4 / 5, Registerer: reg}
}

// bridge checks what only a bridge has.
func (c routeCheck) bridge() {
	if c.route.Consumer != bridgeConsumer {
		if c.given("channel") {
			c.add("channel", "only a bridge has it", "take it out, or write consumer = \"bridge\"")
		}
		return
	}
	if err := builtin.CheckBridge(c.route.Channel); err != nil {
		c.add("channel", problemOf(err), "name the channel that Django's runworker serves, as in \"chat\"")
	}
	if c.config.ChannelLayers.Default.Backend == inMemoryBackend {
		c.add("consumer", "a bridge needs a channel layer that Django is on too", "name channel_layers.default.backend as in settings.py, with its hosts")
	}
}
