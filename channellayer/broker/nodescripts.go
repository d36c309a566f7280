package broker

import (
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// The scripts here are those of redislayer, which other processes like this one run. A set of theirs is a sorted set
// here, with equal scores.

// nodeNote is the lane and the suffix of a representative, and its group, as a node notes its memberships.
type nodeNote struct {
	lane, suffix, group string
}

// sweepNotes is how many memberships of a dead node one script ends.
const sweepNotes = 500

// positive reads seconds.
func positive(s string) (float64, bool) {
	f, ok := number(s)
	return f, ok && f >= 0 && f < 1<<40
}

// ceil returns seconds as EXPIRE has them.
func ceil(seconds float64) time.Duration {
	return time.Duration(math.Ceil(min(seconds, 1<<32))) * time.Second
}

// nodePush puts messages on keys that are not full. Arguments: expiry, the messages, the capacities. It returns how many
// keys were full, and how many stale messages there were.
func nodePush(t *tx, out []byte, keys, args []string) []byte {
	n := len(keys)
	if len(args) != 1+2*n {
		return appendError(out, errArguments)
	}
	expiry, ok := positive(args[0])
	if !ok {
		return appendError(out, errArguments)
	}
	oldest := bound{t.seconds() - expiry, true}
	stale, full := 0, 0
	score := t.seconds()
	for _, name := range keys {
		stale += t.removeBetween(name, lowest(), oldest)
		if k := t.get(name); k != nil && k.set.len() > 0 {
			if last := k.set.last().score; last >= score && last < t.seconds()+3600 {
				score = last + 1e-6
			}
		}
	}
	for i, name := range keys {
		capacity, ok := number(args[1+n+i])
		if !ok || float64(t.size(name)) >= capacity {
			full++
			continue
		}
		t.add(name, args[1+i], score)
		t.expire(name, ceil(expiry))
	}
	return appendInt(appendInt(appendArray(out, 2), full), stale)
}

// nodeDrain takes the oldest messages from keys. Arguments: how many of each, and about how many bytes in all. It returns
// the time, and for each key how many messages it held, and messages and scores by turns.
func nodeDrain(t *tx, out []byte, keys, args []string) []byte {
	if len(args) != 2 {
		return appendError(out, errArguments)
	}
	most, okMost := integer(args[0])
	left, okLeft := integer(args[1])
	if !okMost || !okLeft {
		return appendError(out, errArguments)
	}
	out = appendBulk(appendArray(out, 1+len(keys)), formatTime(t.seconds()))
	for _, name := range keys {
		held := t.size(name)
		var taken []entry
		for left > 0 && len(taken) < most {
			e, ok := t.popMin(name)
			if !ok {
				break
			}
			taken = append(taken, e)
			left -= len(e.member)
		}
		out = appendInt(appendArray(out, 1+2*len(taken)), held)
		for _, e := range taken {
			out = appendScore(appendBulk(out, e.member), e.score)
		}
	}
	return out
}

// nodeMembers returns the channels in a group, those left out that were added too many seconds ago, its argument.
func nodeMembers(t *tx, out []byte, keys, args []string) []byte {
	if len(keys) != 1 || len(args) != 1 {
		return appendError(out, errArguments)
	}
	expiry, ok := positive(args[0])
	if !ok {
		return appendError(out, errArguments)
	}
	t.removeBetween(keys[0], lowest(), bound{t.seconds() - expiry, true})
	return appendEntries(out, t.entries(keys[0], 0, t.size(keys[0])), "")
}

// nodeAdd makes a channel, its second argument, a member of a group for as many seconds as the first one says.
func nodeAdd(t *tx, out []byte, keys, args []string) []byte {
	if len(keys) != 1 || len(args) != 2 {
		return appendError(out, errArguments)
	}
	expiry, ok := positive(args[0])
	if !ok {
		return appendError(out, errArguments)
	}
	t.add(keys[0], args[1], t.seconds())
	t.expire(keys[0], ceil(expiry))
	return appendNil(out)
}

// nodeRegister makes representatives members of groups and notes that. Keys: the nodes, the node's own set, the groups.
// Arguments: group expiry, the node, the representatives, the notes. It returns whether the node is known.
func nodeRegister(t *tx, out []byte, keys, args []string) []byte {
	n := len(keys) - 2
	if n < 0 || len(args) != 2+2*n {
		return appendError(out, errArguments)
	}
	expiry, ok := positive(args[0])
	if !ok {
		return appendError(out, errArguments)
	}
	for i := range n {
		t.add(keys[2+i], args[2+i], t.seconds())
		t.expire(keys[2+i], ceil(expiry))
		t.add(keys[1], args[2+n+i], 0)
	}
	t.expire(keys[1], ceil(expiry))
	_, known := t.score(keys[0], args[1])
	return appendInt(out, truth(known))
}

// nodeUnregister undoes nodeRegister. Keys: the node's own set, the groups. Arguments: the representatives, the notes.
func nodeUnregister(t *tx, out []byte, keys, args []string) []byte {
	n := len(keys) - 1
	if n < 0 || len(args) != 2*n {
		return appendError(out, errArguments)
	}
	for i := range n {
		t.remove(keys[1+i], args[i])
		t.remove(keys[0], args[n+i])
	}
	return appendNil(out)
}

// nodeBeat tells that a node is alive. Keys: the nodes, its own set. Arguments: the node, the silence that means death,
// group expiry. It returns whether the node was known, the time, and the nodes that have been silent for so long.
func nodeBeat(t *tx, out []byte, keys, args []string) []byte {
	if len(keys) != 2 || len(args) != 3 {
		return appendError(out, errArguments)
	}
	silence, okSilence := positive(args[1])
	expiry, okExpiry := positive(args[2])
	if !okSilence || !okExpiry {
		return appendError(out, errArguments)
	}
	_, known := t.score(keys[0], args[0])
	t.add(keys[0], args[0], t.seconds())
	t.expire(keys[0], ceil(expiry)+24*time.Hour)
	t.expire(keys[1], ceil(expiry))
	dead := t.between(keys[0], lowest(), bound{t.seconds() - silence, true}, 0, 100)
	out = appendInt(appendArray(out, 3), truth(known))
	return appendEntries(appendBulk(out, formatTime(t.seconds())), dead, "")
}

// nodeSweep ends memberships of a node, unless it was heard lately. Keys: the nodes, its own set. Arguments: the node, how
// many seconds are lately, what keys of groups begin with, what the names of its channels begin with. It returns
// how many it ended; once there are none the node is forgotten.
func nodeSweep(t *tx, out []byte, keys, args []string) []byte {
	if len(keys) != 2 || len(args) != 4 {
		return appendError(out, errArguments)
	}
	lately, ok := positive(args[1])
	if !ok {
		return appendError(out, errArguments)
	}
	if heard, known := t.score(keys[0], args[0]); known && heard > t.seconds()-lately {
		return appendInt(out, 0)
	}
	from := max(0, rand.N(max(1, t.size(keys[1])))-sweepNotes) // so that what is no note does not keep the others
	notes := t.entries(keys[1], from, from+sweepNotes)
	for _, e := range notes {
		if note, ok := parseNote(e.member); ok {
			t.remove(args[2]+note.group, args[3]+note.lane+"!"+note.suffix)
		}
		t.remove(keys[1], e.member)
	}
	if len(notes) == 0 {
		t.remove(keys[0], args[0])
	}
	return appendInt(out, len(notes))
}

// parseNote reads what a node notes of a membership: lane, suffix, group, with ":" between them.
func parseNote(s string) (n nodeNote, ok bool) {
	lane, rest, okLane := strings.Cut(s, ":")
	suffix, group, okSuffix := strings.Cut(rest, ":")
	if !okLane || !okSuffix || lane == "" || suffix == "" || group == "" || len(s) > maxKey {
		return n, false
	}
	if suffix == "g" {
		suffix = groupSuffix + group
	}
	return nodeNote{lane, suffix, group}, true
}

// nodeReap removes from a group, the second key, the channels of nodes that the first one does not know. Arguments: nodes
// and channels by turns. It returns how many it removed.
func nodeReap(t *tx, out []byte, keys, args []string) []byte {
	if len(keys) != 2 || len(args)%2 != 0 {
		return appendError(out, errArguments)
	}
	gone := 0
	for i := 0; i < len(args); i += 2 {
		if _, known := t.score(keys[0], args[i]); !known {
			gone += t.remove(keys[1], args[i+1])
		}
	}
	return appendInt(out, gone)
}

// nodeRescue moves a message, its argument, from the second key back to the first.
func nodeRescue(t *tx, out []byte, keys, args []string) []byte {
	if len(keys) != 2 || len(args) != 1 {
		return appendError(out, errArguments)
	}
	score, ok := t.score(keys[1], args[0])
	if !ok {
		return appendInt(out, 0)
	}
	t.remove(keys[1], args[0])
	t.add(keys[0], args[0], score)
	return appendInt(out, 1)
}
