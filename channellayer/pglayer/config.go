package pglayer

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer"
)

// Config has what CHANNEL_LAYERS["default"]["CONFIG"] has, under the same names, which must have the same values
// as on the Django site. The zero Config is that of a site that configures nothing but the backend.
type Config struct {
	// Database is where the tables of channels_postgres are.
	Database Database

	// Schema is that of the tables. Default: the search_path decides.
	Schema string

	// Prefix begins the keys of all groups. Default: "asgi".
	Prefix string

	// Expiry is how long an event may wait. Default: one minute.
	Expiry time.Duration

	// GroupExpiry is how long a channel stays in a group, unless it is added again or is open in this process. Zero
	// means for ever, which is the default of channels_postgres.
	GroupExpiry time.Duration

	// Capacity is how many events may wait in a channel. Default: 100.
	Capacity int

	// ChannelCapacity says otherwise for the channels that its globs match; the first that does counts.
	ChannelCapacity []channellayer.Capacity

	// SymmetricEncryptionKeys encrypt every message, the first of them, and decrypt it, any of them. Messages
	// that none of them made are refused. Default: nothing is encrypted.
	SymmetricEncryptionKeys []string

	// NodeName is what this process is called, also after a restart. Default: the name of the machine.
	NodeName string

	// MaxMessage is the size in bytes of the largest message that is read. Default: 16 MiB.
	MaxMessage int

	// Timeout is how long Postgres may take to answer. Default: 5 seconds.
	Timeout time.Duration

	// ConnectTimeout is how long a connection may take, LISTEN and the proof that it works included.
	// Default: 2.5 seconds.
	ConnectTimeout time.Duration

	// Heartbeat is how often the layer sends itself an event. After two that did not come back it is not ready, and
	// listens anew. Default: 2 seconds.
	Heartbeat time.Duration

	// DeadAfter is for how long a node may be away until the others end its memberships. Default: 30 seconds.
	DeadAfter time.Duration

	// Linger is for how long the layer stays in a group that its last channel has left. Default: 2 seconds.
	Linger time.Duration

	// PoolSize is how many connections there are at most beside the one that listens. Default: 4.
	PoolSize int

	// Registerer is where the metrics are registered. Default: nowhere.
	Registerer prometheus.Registerer

	// Logger is told when Postgres is lost and when it is back. Default: nobody is.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Prefix = orElse(c.Prefix, "asgi")
	c.Expiry = orElse(c.Expiry, time.Minute)
	c.Capacity = orElse(c.Capacity, 100)
	c.MaxMessage = orElse(c.MaxMessage, 16<<20)
	c.Timeout = orElse(c.Timeout, 5*time.Second)
	c.ConnectTimeout = orElse(c.ConnectTimeout, 2500*time.Millisecond)
	c.Heartbeat = orElse(c.Heartbeat, 2*time.Second)
	c.DeadAfter = orElse(c.DeadAfter, 30*time.Second)
	c.Linger = orElse(c.Linger, 2*time.Second)
	c.PoolSize = orElse(c.PoolSize, 4)
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
	case c.Capacity < 0:
		return fmt.Errorf("pglayer: capacity = %d, which is negative", c.Capacity)
	case c.Expiry < time.Second:
		return errors.New("pglayer: expiry is at least one second")
	case c.GroupExpiry < 0:
		return errors.New("pglayer: group_expiry is negative")
	case strings.ContainsAny(c.Schema, "'\"\\\x00"):
		return errors.New("pglayer: a schema with a quote in its name is not supported")
	case len(c.Prefix) > 40:
		return errors.New("pglayer: prefix is longer than 40 characters, so that group keys would not fit their column")
	}
	for i, key := range c.SymmetricEncryptionKeys {
		if key == "" {
			return fmt.Errorf("pglayer: symmetric_encryption_keys: key %d is empty", i)
		}
	}
	return nil
}
