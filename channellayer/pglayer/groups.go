package pglayer

import (
	"context"
	"fmt"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/membership"
)

// ownExpiry is what the memberships of this process say of their end at least. They are renewed long before, and removed
// when the process ends, or by others when it is dead.
const ownExpiry = 24 * time.Hour

// GroupAdd implements [channellayer.Layer]. It returns [channellayer.ErrNoChannel] for a channel of this process
// that is not open.
func (l *Layer) GroupAdd(ctx context.Context, group, channel string) error {
	if err := l.checkNames(ctx, group, channel); err != nil {
		return err
	}
	if err := l.usable(ctx); err != nil {
		return err
	}
	if l.isOurs(channel) {
		return l.memberships.Join(ctx, group, channel, l.registry.do)
	}
	return l.register(ctx, []string{group}, []string{channel}, l.config.GroupExpiry)
}

// GroupDiscard implements [channellayer.Layer]. What GroupAdd did here cannot be undone in another process.
func (l *Layer) GroupDiscard(ctx context.Context, group, channel string) error {
	if err := l.checkNames(ctx, group, channel); err != nil {
		return err
	}
	if err := l.usable(ctx); err != nil {
		return err
	}
	if l.isOurs(channel) && l.memberships.Leave(group, channel) && !l.foreign.Load() {
		return nil
	}
	return l.unregister(ctx, []string{group}, []string{channel})
}

// checkNames is what GroupAdd and GroupDiscard ask of their arguments.
func (l *Layer) checkNames(ctx context.Context, group, channel string) error {
	if err := l.checkGroupName(group); err != nil {
		return err
	}
	if err := channellayer.CheckChannelName(channel); err != nil {
		return err
	}
	return ctx.Err()
}

// mostKey is how long the key of a group may be: so is its column.
const mostKey = 100

// checkGroupName refuses what Django would fail with, too.
func (l *Layer) checkGroupName(group string) error {
	if err := channellayer.CheckGroupName(group); err != nil {
		return err
	}
	if most := mostKey - len(l.groupKey("")); len(group) > most {
		return fmt.Errorf("%w: a group's name has at most %d characters in the tables of channels_postgres", channellayer.ErrInvalidName, most)
	}
	return nil
}

// registerSome makes the process a member of groups.
func (l *Layer) registerSome(ctx context.Context, items []*item[string]) {
	fail(items, l.registerOurs(ctx, whats(items)))
}

func (l *Layer) registerOurs(ctx context.Context, groups []string) error {
	return l.register(ctx, groups, l.representatives(groups), max(l.config.GroupExpiry, ownExpiry))
}

func (l *Layer) representatives(groups []string) []string {
	names := make([]string, len(groups))
	for i, group := range groups {
		names[i] = l.names.representative(group)
	}
	return names
}

// register makes each channel a member of the group at its place.
func (l *Layer) register(ctx context.Context, groups, channels []string, expiry time.Duration) error {
	return l.exec(ctx, l.sql.register, l.groupKeys(groups), channels, expiry)
}

// unregister undoes register.
func (l *Layer) unregister(ctx context.Context, groups, channels []string) error {
	return l.exec(ctx, l.sql.unregister, l.groupKeys(groups), channels)
}

func (l *Layer) groupKeys(groups []string) []string {
	keys := make([]string, len(groups))
	for i, group := range groups {
		keys[i] = l.groupKey(group)
	}
	return keys
}

// exec runs a statement that may take its time.
func (l *Layer) exec(ctx context.Context, sql string, args ...any) error {
	limited, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	_, err := l.pool.Exec(limited, sql, args...)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return unavailable(err)
}

// registerAll makes sure that the process is a member of all groups that have open channels: others may have removed
// it while it was away.
func (l *Layer) registerAll(ctx context.Context) error {
	l.memberships.Doubt()
	var some []string
	for group := range l.local.Groups() {
		if group == membership.Everyone {
			continue
		}
		if some = append(some, group); len(some) == mostGathered {
			if err := l.registerOurs(ctx, some); err != nil {
				return err
			}
			some = nil
		}
	}
	if len(some) == 0 {
		return nil
	}
	return l.registerOurs(ctx, some)
}
