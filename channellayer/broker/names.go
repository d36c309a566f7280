package broker

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// The suffixes of the names that stand for this process in a group.
const (
	groupSuffix = "g." // and the group itself
	hashSuffix  = "h." // and a hash of the group, whose name is too long
)

// names are the names of this process's channels, and of the keys and topics of channels_redis.
type names struct {
	prefix   string // of all keys
	channels string // what the names of this process's channels begin with, up to "!"
	inbox    string // the key that messages to them are sent to
	groups   string // what the keys of groups begin with
	topics   string // what the topics of groups begin with
	specific string // what the names of channels of the pub/sub form begin with

	randomPrefix int // of each message of the core form
	expiry       time.Duration
}

func newNames(prefix string, randomPrefix int, expiry time.Duration) names {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	channels := "specific.broker." + hex.EncodeToString(b[:]) + "!"
	return names{
		prefix:   prefix,
		channels: channels,
		inbox:    prefix + channels,
		groups:   prefix + ":group:",
		topics:   prefix + "__group__",
		specific: prefix + "specific.",

		randomPrefix: randomPrefix, expiry: expiry,
	}
}

// isOurs reports whether a channel is one of this process.
func (n names) isOurs(channel string) bool { return strings.HasPrefix(channel, n.channels) }

// key returns where messages to a channel wait. Several channels of a process share one.
func (n names) key(channel string) string { return n.prefix + channellayer.NonLocalName(channel) }

// representative returns the name of the channel that stands for this whole process in a group.
func (n names) representative(group string) string {
	if len(n.channels)+len(groupSuffix)+len(group) <= channellayer.MaxName {
		return n.channels + groupSuffix + group
	}
	sum := sha256.Sum256([]byte(group))
	return n.channels + hashSuffix + hex.EncodeToString(sum[:16])
}
