package broker

import (
	"strings"
	"sync"
	"time"
)

// database is all that the broker holds: the keys, who waits for one, and who is subscribed to what. As in Redis,
// commands run one after the other.
type database struct {
	// Set at birth, never changed.
	names names

	mu        sync.Mutex // guards the fields below, and everything in a tx
	keyspace  keyspace
	waiting   map[string][]*waiter
	topics    subscriptions
	patterns  subscriptions
	scripts   map[string]script // by the hash of the text that a client has sent
	known     map[string]script // by the hash of the text without its white space
	listening map[string]int    // plain channels, with how many listen here
}

func newDatabase(n names, memory *budget) *database {
	return &database{
		names:     n,
		keyspace:  newKeyspace(memory),
		waiting:   make(map[string][]*waiter),
		topics:    make(subscriptions),
		patterns:  make(subscriptions),
		scripts:   make(map[string]script),
		known:     knownScripts(),
		listening: make(map[string]int),
	}
}

// do runs f, with nothing else at the same time, and returns what the layer of this process must do about it.
func (d *database) do(f func(*tx)) []effect {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := &tx{database: d, now: time.Now()}
	d.keyspace.sweep(t.now)
	f(t)
	t.serveWaiting()
	return t.effects
}

// tx is a command, a script or a transaction that runs. It belongs to whoever has the database's lock.
type tx struct {
	*database
	now     time.Time
	touched []string // keys that got something and that somebody waits for
	effects []effect
}

// effectKind says what an effect is.
type effectKind int

const (
	arrived   effectKind = iota // a message for this process's inbox
	published                   // a message for a topic of this process's
	joined                      // somebody else added a channel of this process to a group
	left                        // somebody else took it out
)

// effect is something that a command of somebody else does to this process's own channels. It happens after the
// command: see Layer.do.
type effect struct {
	kind effectKind
	name string // a topic, or a group
	text string // a message, or a channel
}

// get returns a key, or nil.
func (t *tx) get(name string) *key { return t.keyspace.get(name, t.now) }

// add adds a member to a key, and returns how many are new. What is for this process's own channels goes there.
func (t *tx) add(name, member string, score float64) int {
	if name == t.names.inbox {
		t.effects = append(t.effects, effect{arrived, "", member})
		return 1
	}
	if group, ok := strings.CutPrefix(name, t.names.groups); ok && t.names.isOurs(member) {
		t.effects = append(t.effects, effect{joined, group, member})
		return 1
	}
	k := t.keyspace.make(name, t.now)
	added := 0
	if t.keyspace.add(k, member, score) {
		added = 1
	}
	if len(t.waiting[name]) > 0 {
		t.touched = append(t.touched, name)
	}
	return added
}

// remove removes a member from a key, and returns how many were there.
func (t *tx) remove(name, member string) int {
	if group, ok := strings.CutPrefix(name, t.names.groups); ok && t.names.isOurs(member) {
		t.effects = append(t.effects, effect{left, group, member})
		return 1
	}
	if k := t.get(name); k != nil && t.keyspace.remove(k, member) {
		return 1
	}
	return 0
}

// removeBetween removes what stands between two bounds, and returns how many that were.
func (t *tx) removeBetween(name string, from, to bound) int {
	k := t.get(name)
	if k == nil {
		return 0
	}
	var gone []string
	for e := range k.set.span(k.set.rank(from), k.set.rank(to)) {
		gone = append(gone, e.member)
	}
	for _, member := range gone {
		t.keyspace.remove(k, member)
	}
	return len(gone)
}

// count returns how many members have a score between two bounds.
func (t *tx) count(name string, from, to bound) int {
	k := t.get(name)
	if k == nil {
		return 0
	}
	n := max(0, k.set.rank(to)-k.set.rank(from))
	if k.pin != "" && !from.before(pinScore()) && to.before(pinScore()) {
		n++
	}
	return n
}

// popMin takes the least entry of a key.
func (t *tx) popMin(name string) (entry, bool) {
	k := t.get(name)
	if k == nil || k.set.len() == 0 {
		return entry{}, false
	}
	e := k.set.first()
	t.keyspace.remove(k, e.member)
	return e, true
}

// expire sets when a key ends, and reports whether there is one.
func (t *tx) expire(name string, in time.Duration) bool {
	k := t.get(name)
	switch {
	case k == nil:
		return false
	case in <= 0:
		t.keyspace.clear(k)
	default:
		t.keyspace.expire(k, t.now.Add(in))
	}
	return true
}

// seconds returns the time as scores have it.
func (t *tx) seconds() float64 { return float64(t.now.UnixMicro()) / 1e6 }

// push puts a message on a key unless that is full, with stale messages removed before, and reports whether it did.
// It comes after all messages that are there, so that those of one sender keep their order.
func (t *tx) push(name, message string, capacity int, expiry time.Duration) bool {
	now := t.seconds()
	t.removeBetween(name, lowest(), bound{now - expiry.Seconds(), true})
	score := now
	if k := t.get(name); k != nil && k.set.len() > 0 {
		if k.set.len() >= capacity {
			return false
		}
		if last := k.set.last().score; last >= score && last < now+3600 {
			score = last + 1e-6
		}
	}
	if capacity <= 0 {
		return false
	}
	t.add(name, message, score)
	t.expire(name, roundUp(expiry))
	return true
}

// roundUp returns d in whole seconds, at least.
func roundUp(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}
