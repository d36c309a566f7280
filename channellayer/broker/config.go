package broker

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/wireformat"
)

// Config has what CHANNEL_LAYERS["default"]["CONFIG"] has, under the same names, which must have the same values as
// on the Django site, and the bounds of the server. The zero Config is a good one.
type Config struct {
	// Prefix begins the names of all keys. Default: "asgi".
	Prefix string

	// Expiry is how long an event may wait. Default: one minute.
	Expiry time.Duration

	// GroupExpiry is how long a channel stays in a group, unless it is added again. One of this process stays for as
	// long as it is open. Default: one day.
	GroupExpiry time.Duration

	// Capacity is how many events may wait in a channel. Default: 100.
	Capacity int

	// ChannelCapacity says otherwise for the channels that its globs match; the first that does counts.
	ChannelCapacity []channellayer.Capacity

	// SymmetricEncryptionKeys encrypt every message, the first of them, and decrypt it, any of them. Messages
	// that none of them made are refused. Default: nothing is encrypted.
	SymmetricEncryptionKeys []string

	// SerializerFormat is how events are written. Default: wireformat.Msgpack.
	SerializerFormat wireformat.Serializer

	// RandomPrefixLength is how many random bytes each message of the core form begins with; negative means none.
	// Default: 12.
	RandomPrefixLength int

	// Password is what clients have to say, in 1024 bytes at most. Default: nothing.
	Password string

	// MaxMemory is for how many bytes there may be keys and subscriptions. A command that would write more is refused
	// then, as by Redis with maxmemory-policy noeviction: nothing that is there is given up. Default: 256 MiB.
	MaxMemory int64

	// MaxBuffers is how many bytes of commands and answers may be on their way at a time, of all clients together. A
	// client that needs more then is cut off. One that has not given the password counts for nothing here: it has room for
	// 2 KiB. Default: as MaxMemory.
	MaxBuffers int64

	// MaxClients is how many clients there may be. For a further one the oldest is cut off that has not given the
	// password, or has said nothing; without such a one the further one is told, and closed. Default: 4096.
	MaxClients int

	// MaxMessage is the size in bytes of the largest argument of a command, which a message is. Default: 16 MiB.
	MaxMessage int

	// MaxOutput is how many bytes may wait to be read by one client, which is cut off otherwise. Default: 64 MiB.
	MaxOutput int

	// Registerer is where the metrics are registered. Default: nowhere.
	Registerer prometheus.Registerer

	// Logger is told what an operator should know. Default: nobody is.
	Logger *slog.Logger
}

// maxArguments is how many arguments a command may have: a group_send has three for each Django process.
const maxArguments = 1 << 17

func (c Config) withDefaults() Config {
	c.Prefix = orElse(c.Prefix, "asgi")
	c.Expiry = orElse(c.Expiry, time.Minute)
	c.GroupExpiry = orElse(c.GroupExpiry, 24*time.Hour)
	c.Capacity = orElse(c.Capacity, 100)
	c.SerializerFormat = orElse(c.SerializerFormat, wireformat.Msgpack)
	c.RandomPrefixLength = max(0, orElse(c.RandomPrefixLength, 12))
	c.MaxMemory = orElse(c.MaxMemory, 256<<20)
	c.MaxBuffers = orElse(c.MaxBuffers, c.MaxMemory)
	c.MaxClients = orElse(c.MaxClients, 4096)
	c.MaxMessage = orElse(c.MaxMessage, 16<<20)
	c.MaxOutput = orElse(c.MaxOutput, 64<<20)
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
	case c.SerializerFormat != wireformat.Msgpack && c.SerializerFormat != wireformat.JSON:
		return fmt.Errorf("broker: serializer_format %.40q is not known here: use msgpack or json", c.SerializerFormat)
	case len(c.Prefix) > maxKey/2:
		return fmt.Errorf("broker: prefix has %d bytes, which is more than %d", len(c.Prefix), maxKey/2)
	case len(c.Password) > strangerBytes/2:
		return fmt.Errorf("broker: password has %d bytes, which is more than %d", len(c.Password), strangerBytes/2)
	case c.Capacity < 0:
		return fmt.Errorf("broker: capacity = %d, which is negative", c.Capacity)
	case c.RandomPrefixLength > 1<<10:
		return fmt.Errorf("broker: random_prefix_length = %d, which is more than %d", c.RandomPrefixLength, 1<<10)
	case c.Expiry < time.Second || c.GroupExpiry < time.Second:
		return fmt.Errorf("broker: expiry and group_expiry are at least one second")
	case c.MaxMemory < 0 || c.MaxBuffers < 0 || c.MaxClients < 0 || c.MaxMessage < 0 || c.MaxOutput < 0:
		return fmt.Errorf("broker: a bound is negative")
	}
	for i, key := range c.SymmetricEncryptionKeys {
		if key == "" {
			return fmt.Errorf("broker: symmetric_encryption_keys: key %d is empty", i)
		}
	}
	return nil
}

// bounds returns how large a command of a client may be that has given the password.
func (c Config) bounds() bounds {
	return bounds{maxArguments, c.MaxMessage, 4 * c.MaxMessage}
}
