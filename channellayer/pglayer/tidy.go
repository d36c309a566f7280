package pglayer

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
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
	renewed, missed := time.Now(), make(map[string]time.Time)
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
			l.sweepNodes(ctx, missed)
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
	groups := l.memberships.startLeaving(time.Now().Add(-l.config.Linger), mostLeaving)
	for len(groups) > 0 {
		n := min(len(groups), mostGathered)
		l.memberships.doneLeaving(groups[:n], l.unregister(ctx, groups[:n], l.representatives(groups[:n])))
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

// sweepNodes ends the memberships of the nodes that have been away for too long; missed says since when each is.
func (l *Layer) sweepNodes(ctx context.Context, missed map[string]time.Time) {
	limited, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	rows, err := l.pool.Query(limited, l.sql.nodes, nodePrefix, idLength)
	ids, err := collect[string](rows, err)
	if err != nil {
		return
	}
	rows, err = l.pool.Query(limited, l.sql.alive, int64(lockClass))
	locks, err := collect[int64](rows, err)
	if err != nil {
		return
	}
	alive := make(map[int32]bool)
	for _, lock := range locks {
		alive[int32(uint32(lock))] = true
	}
	away := make(map[string]bool)
	for _, id := range ids {
		if id == l.names.id || alive[lockOf(id)] {
			continue
		}
		away[id] = true
		if since, known := missed[id]; !known {
			missed[id] = time.Now()
		} else if time.Since(since) >= l.config.DeadAfter {
			l.count(ctx, l.metrics.sweptMemberships.Add, l.sql.bury, nodePrefix+id+"!")
		}
	}
	for id := range missed {
		if !away[id] {
			delete(missed, id)
		}
	}
}

// collect returns the one column of an answer.
func collect[T any](rows pgx.Rows, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
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
		l.memberships.foreign.Store(true)
		begin := l.groupKey("")
		if len(key) > len(begin) && key[:len(begin)] == begin && l.memberships.isMember(key[len(begin):], channel) {
			keys, channels = append(keys, key), append(channels, channel)
		}
		return nil
	})
	if err == nil && len(keys) > 0 {
		l.count(ctx, l.metrics.sweptMemberships.Add, l.sql.unregister, keys, channels)
	}
}
