package pglayer

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/channellayer/membership"
)

const (
	// mostLeaving is how many groups are looked at in one go.
	mostLeaving = 20_000

	// mostHeaped is how much a heap takes.
	mostHeaped = 50_000
)

// heap gathers what is to be removed sometime. What finds no place is forgotten: it becomes stale, or is met again.
type heap[T any] struct {
	mu   sync.Mutex // guards the field below
	list []T
}

func (h *heap[T]) add(v T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.list) < mostHeaped {
		h.list = append(h.list, v)
	}
}

func (h *heap[T]) take() []T {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.list
	h.list = nil
	return list
}

// tidy leaves the groups that have lingered long enough, and removes rows that nobody needs, until ctx is done.
func (l *Layer) tidy(ctx context.Context) {
	often := time.NewTicker(min(500*time.Millisecond, max(l.config.Linger/2, time.Millisecond)))
	defer often.Stop()
	interval := min(30*time.Second, max(l.config.DeadAfter/3, time.Millisecond))
	if l.config.GroupExpiry > 0 {
		interval = min(interval, l.config.GroupExpiry/4)
	}
	seldom := time.NewTicker(interval)
	defer seldom.Stop()
	renewed, nodes := time.Now(), &roll{missed: make(map[string]time.Time)}
	for {
		select {
		case <-often.C:
			if l.link.status() == nil {
				l.leaveLingering(ctx)
				l.removeUsed(ctx)
				l.removeGhosts(ctx)
			}
		case <-seldom.C:
			if l.link.status() != nil {
				continue
			}
			l.sweep(ctx)
			l.sweepNodes(ctx, nodes)
			l.dropDoubles(ctx)
			if time.Since(renewed) > ownExpiry/3 && l.registerAll(ctx) == nil {
				renewed = time.Now()
			}
		case <-ctx.Done():
			return
		}
	}
}

// leaveLingering takes the process out of the groups that nobody here is in any more.
func (l *Layer) leaveLingering(ctx context.Context) {
	groups := l.memberships.StartLeaving(time.Now().Add(-l.config.Linger), mostLeaving)
	for len(groups) > 0 {
		n := min(len(groups), mostGathered)
		l.memberships.DoneLeaving(groups[:n], l.unregister(ctx, groups[:n], l.representatives(groups[:n])))
		groups = groups[n:]
	}
}

// removeUsed removes the rows of messages that were handed out. Those that it cannot remove become stale.
func (l *Layer) removeUsed(ctx context.Context) {
	if ids := l.used.take(); len(ids) > 0 && l.exec(ctx, l.sql.remove, ids) == nil {
		l.metrics.removed.Add(float64(len(ids)))
	}
}

// removeGhosts ends the memberships of our channels that are closed, which somebody else has made.
func (l *Layer) removeGhosts(ctx context.Context) {
	if names := l.ghosts.take(); len(names) > 0 {
		l.count(ctx, l.metrics.sweptMemberships.Add, l.sql.dropMemberships, names)
	}
}

// sweep removes what is stale, as channels_postgres does now and then.
func (l *Layer) sweep(ctx context.Context) {
	l.count(ctx, l.metrics.sweptMessages.Add, l.sql.sweepMessages)
	if l.config.GroupExpiry > 0 { // where it is 0, memberships that are valid say that they have ended
		l.count(ctx, l.metrics.sweptMemberships.Add, l.sql.sweepMemberships)
	}
}

// count runs a statement and counts the rows that it removed.
func (l *Layer) count(ctx context.Context, add func(float64), sql string, args ...any) {
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	if tag, err := l.pool.Exec(ctx, sql, args...); err == nil { // else the next time
		add(float64(tag.RowsAffected()))
	}
}

// roll is what tidy knows of the memberships of nodes.
type roll struct {
	missed map[string]time.Time // the nodes that are away, and since when
	short  bool                 // whether memberships of our own were missing the last time
}

// nodeRows is how many memberships a node has.
type nodeRows struct {
	ID    string
	Count int64
}

// sweepNodes ends the memberships of the nodes that have been away for too long, and looks after our own.
func (l *Layer) sweepNodes(ctx context.Context, r *roll) {
	limited, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	groups := int64(max(0, l.local.CountGroups()-1)) // Everyone is none
	rows, err := l.pool.Query(limited, l.sql.nodes, nodePrefix, idLength)
	if err != nil {
		return
	}
	nodes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[nodeRows])
	if err != nil {
		return
	}
	locks, err := l.locks(limited)
	if err != nil {
		return
	}
	own := int64(0)
	away := make(map[string]bool)
	for _, node := range nodes {
		switch {
		case node.ID == l.names.id:
			own = node.Count
		case !locks[lockOf(node.ID)]:
			away[node.ID] = true
			l.sweepNode(ctx, r, node.ID)
		}
	}
	for id := range r.missed {
		if !away[id] {
			delete(r.missed, id)
		}
	}
	l.missOwn(ctx, r, own < groups)
}

// sweepNode ends the memberships of a node that is away, if it has been so for long enough.
func (l *Layer) sweepNode(ctx context.Context, r *roll, id string) {
	since, known := r.missed[id]
	switch {
	case !known:
		r.missed[id] = time.Now()
	case time.Since(since) >= l.config.DeadAfter:
		l.count(ctx, l.metrics.sweptMemberships.Add, l.sql.bury, nodePrefix+id+"!")
	}
}

// missOwn makes our memberships anew where some are missing twice in a row, as after Django's flush. Once, they may
// just be under way.
func (l *Layer) missOwn(ctx context.Context, r *roll, short bool) {
	if short && r.short && l.registerAll(ctx) == nil {
		short = false
		l.warnings.say(l.config.Logger, "channel layer: somebody removed memberships of this process, which are made anew")
		l.gap(membership.Everyone)
	}
	r.short = short
}

// locks returns the locks of the nodes that live.
func (l *Layer) locks(ctx context.Context) (map[int32]bool, error) {
	rows, err := l.pool.Query(ctx, l.sql.alive, int64(lockClass))
	if err != nil {
		return nil, err
	}
	held, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	locks := make(map[int32]bool)
	for _, lock := range held {
		locks[int32(uint32(lock))] = true
	}
	return locks, err
}

// dropDoubles ends memberships that others have made of our channels in groups that these are in already, so that events
// come once.
func (l *Layer) dropDoubles(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	rows, err := l.pool.Query(limited, l.sql.direct, l.names.prefix)
	if err != nil {
		return
	}
	var keys, channels []string
	var key, channel string
	_, err = pgx.ForEachRow(rows, []any{&key, &channel}, func() error {
		l.foreign.Store(true)
		begin := l.groupKey("")
		if len(key) > len(begin) && key[:len(begin)] == begin && l.memberships.IsMember(channel, key[len(begin):]) {
			keys, channels = append(keys, key), append(channels, channel)
		}
		return nil
	})
	if err == nil && len(keys) > 0 {
		l.count(ctx, l.metrics.sweptMemberships.Add, l.sql.unregister, keys, channels)
	}
}
