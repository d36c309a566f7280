package redislayer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/wireformat"
)

// A Serializer says how events are written. Both ends must have the same.
type Serializer = wireformat.Serializer

// The serializers that channels_redis has.
const (
	Msgpack = wireformat.Msgpack
	JSON    = wireformat.JSON
)

// maxLanes bounds Config.Lanes.
const maxLanes = 16

// Config has what CHANNEL_LAYERS["default"]["CONFIG"] has, under the same names, which must have the same values
// as on the Django site. The zero Config is that of a site that configures nothing but the backend.
type Config struct {
	// Hosts are the servers, in the order that the site has them in. Default: redis://localhost:6379.
	Hosts []Host

	// Prefix begins the names of all keys. Default: "asgi".
	Prefix string

	// Expiry is how long an event may wait. Default: one minute.
	Expiry time.Duration

	// GroupExpiry is how long a channel stays in a group, unless it is added again. Those of this process are,
	// for as long as they are open. Default: one day.
	GroupExpiry time.Duration

	// Capacity is how many events may wait in a channel. Default: 100.
	Capacity int

	// ChannelCapacity says otherwise for the channels that its globs match; the first that does counts.
	ChannelCapacity []channellayer.Capacity

	// SymmetricEncryptionKeys encrypt every message, the first of them, and decrypt it, any of them. Messages
	// that none of them made are refused. Default: nothing is encrypted.
	SymmetricEncryptionKeys []string

	// SerializerFormat is how events are written. Default: Msgpack.
	SerializerFormat Serializer

	// RandomPrefixLength is how many random bytes each message begins with; negative means none. The pub/sub
	// form has none in any case. Default: 12.
	RandomPrefixLength int

	// OnDisconnect and OnReconnect are the types of events that every channel gets when the connection
	// to a host is lost and when it is back. Default: no such event. The core form has none.
	OnDisconnect, OnReconnect string

	// Lanes is how many inboxes this process has, each with the site's Capacity; at most 16. Default: 4.
	Lanes int

	// NodeName is what this process is called, also after a restart. Default: the name of the machine.
	NodeName string

	// MaxMessage is the size in bytes of the largest message that is read. Default: 16 MiB.
	MaxMessage int

	// Timeout is how long Redis may take to answer. Default: 5 seconds.
	Timeout time.Duration

	// Heartbeat is how often the layer sends itself an event through every host and lane, and tells the other
	// nodes that it lives. After two that did not come back it is not ready. Default: 5 seconds.
	Heartbeat time.Duration

	// DeadAfter is for how long a node may be silent until the others end its memberships: at least three times the
	// longest Heartbeat of any node. Default: 30 seconds, or three times Heartbeat.
	DeadAfter time.Duration

	// Linger is for how long the layer stays in a group that its last channel has left. Default: 2 seconds.
	Linger time.Duration

	// Registerer is where the metrics are registered. Default: nowhere.
	Registerer prometheus.Registerer

	// Logger is told when a host is lost and when it is back. Default: nobody is.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if len(c.Hosts) == 0 {
		c.Hosts = []Host{{}}
	}
	c.Prefix = orElse(c.Prefix, "asgi")
	c.Expiry = orElse(c.Expiry, time.Minute)
	c.GroupExpiry = orElse(c.GroupExpiry, 24*time.Hour)
	c.Capacity = orElse(c.Capacity, 100)
	c.SerializerFormat = orElse(c.SerializerFormat, Msgpack)
	c.RandomPrefixLength = max(0, orElse(c.RandomPrefixLength, 12))
	c.Lanes = orElse(c.Lanes, 4)
	c.MaxMessage = orElse(c.MaxMessage, 16<<20)
	c.Timeout = orElse(c.Timeout, 5*time.Second)
	c.Heartbeat = orElse(c.Heartbeat, 5*time.Second)
	c.DeadAfter = orElse(c.DeadAfter, max(30*time.Second, 3*c.Heartbeat))
	c.Linger = orElse(c.Linger, 2*time.Second)
	if c.NodeName == "" {
		c.NodeName, _ = os.Hostname() // without a name all nodes are called the same, which does no harm
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// orElse returns v, or fallback where that is zero.
func orElse[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// check returns an error that says which value cannot be meant. It shows no secret.
func (c Config) check() error {
	switch {
	case c.SerializerFormat != Msgpack && c.SerializerFormat != JSON:
		return fmt.Errorf("redislayer: serializer_format %.40q is not known here: use msgpack or json", c.SerializerFormat)
	case c.Lanes < 0 || c.Lanes > maxLanes:
		return fmt.Errorf("redislayer: lanes = %d, which is not between 1 and %d", c.Lanes, maxLanes)
	case c.Capacity < 0:
		return fmt.Errorf("redislayer: capacity = %d, which is negative", c.Capacity)
	case c.RandomPrefixLength > 1<<10:
		return fmt.Errorf("redislayer: random_prefix_length = %d, which is more than %d", c.RandomPrefixLength, 1<<10)
	case c.Expiry < time.Second || c.GroupExpiry < time.Second:
		return fmt.Errorf("redislayer: expiry and group_expiry are at least one second")
	case c.DeadAfter < 3*c.Heartbeat:
		return fmt.Errorf("redislayer: nodes are taken for dead after %v, which is less than three times the heartbeat of %v", c.DeadAfter, c.Heartbeat)
	}
	for i, key := range c.SymmetricEncryptionKeys {
		if key == "" {
			return fmt.Errorf("redislayer: symmetric_encryption_keys: key %d is empty", i)
		}
	}
	return nil
}

// nodeHash returns six hexadecimal digits of a node's name.
func nodeHash(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:3])
}
