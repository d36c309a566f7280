package config

import (
	"strconv"
	"strings"

	"github.com/belleville/belleville/channellayer/redislayer"
)

// channelLayer checks CHANNEL_LAYERS.
func (l *loader) channelLayer() {
	d := l.config.ChannelLayers.Default
	l.only("channel_layers.default.backend", d.Backend, inMemoryBackend, redisBackend, pubSubBackend, postgresBackend)
	l.postgresLayer()
	if len(d.Hosts) > 0 && d.Backend == inMemoryBackend {
		l.mistakes.add("channel_layers.default.hosts", "the layer of one process has no hosts", "take it out, or name "+quote(redisBackend)+" as the backend")
	}
	for i, h := range d.Hosts {
		path := "channel_layers.default.hosts[" + strconv.Itoa(i) + "]"
		if _, err := redislayer.ParseHost(h.Reveal()); err != nil && !l.mistakes.has(path) {
			problem := strings.TrimPrefix(err.Error(), "redislayer: ")
			l.mistakes.add(path, problem, `write a URL, as in "redis://127.0.0.1:6379/0"`)
		}
	}
	for i, k := range d.SymmetricEncryptionKeys {
		if k.IsZero() {
			l.mistakes.add("channel_layers.default.symmetric_encryption_keys["+strconv.Itoa(i)+"]", "it is empty", "copy it from the site's settings")
		}
	}
	l.only("channel_layers.default.serializer_format", d.SerializerFormat, string(redislayer.Msgpack), string(redislayer.JSON))
	l.positive("channel_layers.default.capacity", int64(d.Capacity))
	l.positive("channel_layers.default.expiry", int64(d.Expiry))
	if d.Backend != postgresBackend {
		l.positive("channel_layers.default.group_expiry", int64(d.GroupExpiry))
	}
	l.broker()
}
