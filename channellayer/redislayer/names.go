package redislayer

import (
	"crypto/rand"
	"encoding/hex"
	"hash/crc32"
	"hash/maphash"
	"strconv"
	"strings"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/membership"
)

const (
	// nodePrefix begins the names of the channels of every Belleville, which go on with the node's id, ".", the label of
	// a lane, "!" and a suffix.
	nodePrefix = "specific.bv."

	idLength    = 6 + 1 + 16 // hash of the node's name, ".", incarnation
	labelLength = 2

	// canarySuffix is how the name of the channel ends that is for what a layer sends to itself.
	canarySuffix = "canary"
)

// shardOf returns which of n hosts is responsible for a name. Who chooses names can choose the host: that is how Django
// finds it, too.
// Python: channels_redis.utils._consistent_hash, which calculates with floats too.
func shardOf(name string, n int) int {
	if n == 1 {
		return 0
	}
	low := crc32.ChecksumIEEE([]byte(name)) & 0xFFF
	return int(float64(low) / (4096 / float64(n)))
}

// nodeNames are the names that one incarnation of a node has.
type nodeNames struct {
	seed    maphash.Seed // for what spreads groups over lanes
	id      string
	prefix  string   // of its channels, up to the label of the lane
	inboxes []string // what the names of all channels in a lane begin with, up to "!"
}

// newNodeNames makes the names of a new incarnation of a node. All its lanes are on one of the hosts, so that an
// event which is for channels in several lanes is put on all of them at once.
func newNodeNames(nodeName string, lanes, hosts int) nodeNames {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	n := nodeNames{seed: maphash.MakeSeed(), id: nodeHash(nodeName) + "." + hex.EncodeToString(b[:])}
	n.prefix = nodePrefix + n.id + "."
	host := int(b[0]) % hosts
	const digits = 36
	for i := 0; len(n.inboxes) < lanes && i < digits*digits; i++ {
		label := strconv.FormatInt(int64(i/digits), digits) + strconv.FormatInt(int64(i%digits), digits)
		if inbox := n.prefix + label + "!"; shardOf(inbox, hosts) == host {
			n.inboxes = append(n.inboxes, inbox)
		}
	}
	return n
}

// inbox returns what the name of the channel with a number begins with.
func (n nodeNames) inbox(number uint64) string { return n.inboxes[number%uint64(len(n.inboxes))] }

// inboxOf returns what the name of the representative of a group begins with. Nobody outside this process can choose
// groups that all come into one lane.
func (n nodeNames) inboxOf(group string) string {
	return n.inboxes[maphash.String(n.seed, group)%uint64(len(n.inboxes))]
}

// representative returns the name of the channel that stands for the whole node in a group.
func (n nodeNames) representative(group string) string { return n.inboxOf(group) + n.suffix(group) }

// suffix returns how the name of a representative ends.
func (n nodeNames) suffix(group string) string {
	return membership.Suffix(len(n.inboxes[0]), group)
}

// note returns what the node notes of its membership in a group: see the script sweep.
func (n nodeNames) note(group string) string {
	label := strings.TrimSuffix(strings.TrimPrefix(n.inboxOf(group), n.prefix), "!")
	suffix := n.suffix(group)
	if _, whole := membership.GroupIn(suffix); whole {
		suffix = "g"
	}
	return label + ":" + suffix + ":" + group
}

// nodeOf returns the id of the Belleville that a channel belongs to, and whether it belongs to one.
func nodeOf(channel string) (id string, ok bool) {
	rest, ours := strings.CutPrefix(channel, nodePrefix)
	if !ours || len(rest) < idLength+1+labelLength+1 || rest[idLength] != '.' || rest[idLength+1+labelLength] != '!' {
		return "", false
	}
	return rest[:idLength], true
}

// keys are the names of keys in Redis.
type keys struct {
	prefix string
}

// inbox returns the key in which the messages to a channel wait. Several channels of a process share one.
func (k keys) inbox(channel string) string { return k.prefix + channellayer.NonLocalName(channel) }

// address returns the key in which messages that we send to a channel wait. A Belleville has another inbox for those of
// others like it: Django does not know it, so that no wrong clock of Django's empties it, and what Bellevilles say to each
// other takes no room from Django.
func (k keys) address(channel string) string {
	if _, node := nodeOf(channel); node {
		return k.mails() + strings.TrimSuffix(channellayer.NonLocalName(channel), "!")
	}
	return k.inbox(channel)
}

// mails begins the keys of the inboxes that Django does not know.
func (k keys) mails() string { return k.prefix + ":belleville:inbox:" }

// group returns the key of a group's members.
func (k keys) group(group string) string { return k.groups() + group }

func (k keys) groups() string { return k.prefix + ":group:" }

// nodes is the key of the nodes that are alive, with when each was heard last.
func (k keys) nodes() string { return k.prefix + ":belleville:nodes" }

// notes is the key of the memberships that a node has.
func (k keys) notes(id string) string { return k.prefix + ":belleville:node:" + id }
