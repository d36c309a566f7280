package pglayer

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/belleville/belleville/channellayer/membership"
)

const (
	// nodePrefix begins the names of the channels of every Belleville, which go on with the node's id, "!" and a suffix.
	nodePrefix = "specific.bv."

	idLength = 6 + 1 + 16 // hash of the node's name, ".", incarnation

	// canarySuffix is how the name of the channel ends that is for what a layer sends to itself.
	canarySuffix = "canary"
)

// nodeNames are the names that one incarnation of a node has.
type nodeNames struct {
	id     string
	prefix string // of its channels, up to "!"
}

// newNodeNames makes the names of a new incarnation of a node.
func newNodeNames(nodeName string) nodeNames {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	sum := sha256.Sum256([]byte(nodeName))
	id := hex.EncodeToString(sum[:3]) + "." + hex.EncodeToString(b[:])
	return nodeNames{id: id, prefix: nodePrefix + id + "!"}
}

// representative returns the name of the channel that stands for the whole node in a group.
func (n nodeNames) representative(group string) string { return n.prefix + n.suffix(group) }

// suffix returns how the name of a representative ends.
func (n nodeNames) suffix(group string) string {
	return membership.Suffix(len(n.prefix), group)
}

// lockClass is the first half of the advisory locks that nodes hold while they live; channels_postgres takes its own
// among those that have one half only.
const lockClass = 0x62656c6c

// lockOf returns the second half of the lock of a node.
func lockOf(id string) int32 {
	sum := sha256.Sum256([]byte(id))
	return int32(binary.BigEndian.Uint32(sum[:]))
}

// receiverLock returns the advisory lock that whoever receives from a channel holds.
// Python: PostgresChannelLayer takes the end of the name's SHA-256 as an integer.
func receiverLock(channel string) int64 {
	sum := sha256.Sum256([]byte(channel))
	return int64(binary.BigEndian.Uint64(sum[len(sum)-8:]))
}

// nodeOf returns the id of the Belleville that a channel belongs to, and whether it belongs to one.
func nodeOf(channel string) (id string, ok bool) {
	rest, ours := strings.CutPrefix(channel, nodePrefix)
	if !ours || len(rest) <= idLength || rest[idLength] != '!' {
		return "", false
	}
	return rest[:idLength], true
}
