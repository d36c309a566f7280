package broker

import (
	"crypto/rand"
	"strings"
)

// subscriptions are the clients that are subscribed, by topic or pattern.
type subscriptions map[string]map[*client]struct{}

func (s subscriptions) add(name string, c *client) (added bool) {
	if _, exists := s[name][c]; exists {
		return false
	}
	if s[name] == nil {
		s[name] = make(map[*client]struct{})
	}
	s[name][c] = struct{}{}
	return true
}

func (s subscriptions) remove(name string, c *client) {
	if delete(s[name], c); len(s[name]) == 0 {
		delete(s, name)
	}
}

// publish hands a message to all who are subscribed, and returns how many they are. That of a group has this process
// among them, which has a member in it; so has that of one of its channels.
func (t *tx) publish(topic, message string) int {
	n := t.toClients(topic, message)
	switch {
	case t.names.isOurs(topic), t.isOursToo(topic):
		t.effects = append(t.effects, effect{published, topic, message})
		n++
	case t.listening[topic] > 0:
		t.queue(topic, message)
		n++
	}
	return n
}

// isOursToo reports whether a topic is that of a group in which this process has a member.
func (t *tx) isOursToo(topic string) bool {
	group, isGroup := strings.CutPrefix(topic, t.names.topics)
	if !isGroup {
		return false
	}
	k := t.get(t.names.groups + group)
	return k != nil && k.pin != ""
}

// topicsLike returns the topics that match a pattern and that a client or this process is subscribed to.
func (t *tx) topicsLike(pattern string) []string {
	var topics []string
	for topic := range t.topics {
		if matches(pattern, topic) {
			topics = append(topics, topic)
		}
	}
	for name, k := range t.keyspace.keys {
		group, isGroup := strings.CutPrefix(name, t.names.groups)
		topic := t.names.topics + group
		if isGroup && k.pin != "" && len(t.topics[topic]) == 0 && matches(pattern, topic) {
			topics = append(topics, topic)
		}
	}
	return topics
}

// toClients hands a message to the clients that are subscribed. A client's output is a leaf among the locks, and
// never waits; under the lock, so that a message does not overtake what tells the client that it is subscribed.
func (t *tx) toClients(topic, message string) int {
	n := 0
	if clients := t.topics[topic]; len(clients) > 0 {
		push := appendBulks(nil, []string{"message", topic, message})
		for c := range clients {
			c.out.push(push)
			n++
		}
	}
	for pattern, clients := range t.patterns {
		if !matches(pattern, topic) {
			continue
		}
		push := appendBulks(nil, []string{"pmessage", pattern, topic, message})
		for c := range clients {
			c.out.push(push)
			n++
		}
	}
	return n
}

// plainCapacity is how many messages that were published to a plain channel may wait for those who listen to it here.
const plainCapacity = 10_000

// queue lets a message that was published wait for those who listen to a plain channel in this process, in the form
// that a message of the core form has.
func (t *tx) queue(channel, message string) {
	if t.keyspace.memory.full() {
		return // lost, as pub/sub loses what nobody takes in time
	}
	unique := make([]byte, t.names.randomPrefix, t.names.randomPrefix+len(message))
	_, _ = rand.Read(unique) // it never fails
	t.push(t.names.prefix+channel, string(append(unique, message...)), plainCapacity, t.names.expiry)
}

// matches reports whether a topic or key matches a pattern of Redis's: "*", "?", "[a-c]", "[^a]" and "\" before what
// is meant as it is. It takes time in proportion to both lengths.
func matches(pattern, s string) bool {
	p, i := 0, 0
	star, from := -1, 0 // the last "*", and where what it matches begins to be tried
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			star, from = p, i
			p++
			continue
		}
		if p < len(pattern) {
			if next, ok := matchOne(pattern, p, s[i]); ok {
				p, i = next, i+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		from++
		p, i = star+1, from
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne reports whether c matches what stands in a pattern at p, and returns where that ends.
func matchOne(pattern string, p int, c byte) (next int, ok bool) {
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return matchSet(pattern, p+1, c)
	case '\\':
		if p+1 < len(pattern) {
			p++
		}
	}
	return p + 1, pattern[p] == c
}

// matchSet is matchOne for what stands behind "[".
func matchSet(pattern string, p int, c byte) (next int, ok bool) {
	not := p < len(pattern) && pattern[p] == '^'
	if not {
		p++
	}
	for ; p < len(pattern) && pattern[p] != ']'; p++ {
		if pattern[p] == '\\' && p+1 < len(pattern) {
			p++
		}
		low, high := pattern[p], pattern[p]
		if p+2 < len(pattern) && pattern[p+1] == '-' {
			high = pattern[p+2]
			p += 2
		}
		if low > high {
			low, high = high, low
		}
		ok = ok || low <= c && c <= high
	}
	return min(p+1, len(pattern)), ok != not
}
