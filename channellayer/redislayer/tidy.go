package redislayer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/belleville/belleville/channellayer/wireformat"
)

// seen remembers the nodes that were alive a moment ago.
type seen struct {
	mu    sync.Mutex           // guards the field below
	nodes map[string]time.Time // bounded: cleared when it has grown large
}

// since reports whether a node was seen after a time.
func (s *seen) since(node string, after time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodes[node].After(after)
}

func (s *seen) note(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nodes == nil || len(s.nodes) > 1000 {
		s.nodes = make(map[string]time.Time)
	}
	s.nodes[node] = time.Now()
}

// warnings says a thing at most once an hour.
type warnings struct {
	mu   sync.Mutex           // guards the field below
	last map[string]time.Time // by message, of which there are few
}

func (w *warnings) say(logger *slog.Logger, message string, args ...any) {
	if w.due(message) {
		logger.Warn(message, args...)
	}
}

// unread says what to do about a message that was not read, as it happens where two ends differ.
func (w *warnings) unread(logger *slog.Logger, err error) {
	switch {
	case errors.Is(err, wireformat.ErrToken):
		w.say(logger, "channel layer: messages are dropped that none of the keys has encrypted, or that are too old; "+
			"compare symmetric_encryption_keys and the clock with those of the site")
	case errors.Is(err, wireformat.ErrTooLarge):
		w.say(logger, "channel layer: messages are dropped that are too large")
	default:
		w.say(logger, "channel layer: messages are dropped that hold no event; "+
			"compare serializer_format, random_prefix_length and symmetric_encryption_keys with those of the site")
	}
}

func (w *warnings) due(message string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.last[message]) < time.Hour {
		return false
	}
	if w.last == nil {
		w.last = make(map[string]time.Time)
	}
	w.last[message] = time.Now()
	return true
}

// ghost is a membership that may be a dead node's, or of a channel of ours that was closed.
type ghost struct {
	group  string
	node   string // "" where it is our own
	member string // of the dead node
	closed string // our channel
}

// bury has a ghost looked after. Where there are too many, this one will be met again.
func (l *Layer) bury(g ghost) {
	select {
	case l.ghosts <- g:
	default:
	}
}

// meet looks for members of a group whose nodes have not been seen for a while.
func (l *Layer) meet(group string, others []string) {
	for _, name := range others {
		if id, ok := nodeOf(name); ok && !l.checked.since(id, time.Now().Add(-l.config.DeadAfter)) {
			l.bury(ghost{group: group, node: id, member: name})
		}
	}
}

// tidy leaves the groups that have lingered long enough, and removes ghosts, until ctx is done.
func (l *Layer) tidy(ctx context.Context) {
	ticks := time.NewTicker(min(time.Second, max(l.config.Linger/2, time.Millisecond)))
	defer ticks.Stop()
	for {
		select {
		case g := <-l.ghosts:
			l.remove(ctx, g)
		case <-ticks.C:
			l.leaveLingering(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// remove removes a ghost, unless its node turns out to be alive.
func (l *Layer) remove(ctx context.Context, g ghost) {
	s := l.shard(g.group)
	if g.closed != "" {
		if s.remove(ctx, g.group, []string{g.closed}) == nil {
			l.metrics.swept.Inc()
		}
		return
	}
	answer, err := s.client.run(ctx, l.scripts.reap, []string{l.keys.nodes(), l.keys.group(g.group)}, []string{g.node, g.member})
	if err != nil {
		return
	}
	if n, err := answer.AsInt64(); err == nil && n == 0 {
		l.checked.note(g.node)
	} else {
		l.metrics.swept.Inc()
	}
}

// mostLeaving is how many groups are looked at in one go.
const mostLeaving = 20_000

// leaveLingering takes the process out of the groups that nobody here is in any more.
func (l *Layer) leaveLingering(ctx context.Context) {
	byShard := make(map[*shard][]string)
	for _, group := range l.groups.StartLeaving(time.Now().Add(-l.config.Linger), mostLeaving) {
		s := l.shard(group)
		byShard[s] = append(byShard[s], group)
	}
	for s, groups := range byShard {
		for len(groups) > 0 {
			n := min(len(groups), manyGroups)
			l.groups.DoneLeaving(groups[:n], s.unregister(ctx, groups[:n]))
			groups = groups[n:]
		}
	}
}
