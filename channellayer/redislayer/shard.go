package redislayer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/membership"
)

// manyGroups is how many groups one script registers.
const manyGroups = 200

// errForgot means that a host does not know a node that it knew.
var errForgot = errors.New("it has forgotten this node: its keys were removed, or a node whose DeadAfter is shorter than three times the Heartbeat here has taken it for dead")

// shard is one host of a layer: the inboxes of this process on it, and the groups that it is responsible for.
type shard struct {
	// Set at birth, never changed.
	*link
	layer    *Layer
	arrivals *arrivals
	canaries canaries
	forgot   chan struct{} // holds something when the host turned out not to know us

	// Owned by serve's goroutine.
	stale time.Time // when a message came last that had waited for so long that others may have been lost

	// Owned by whichever goroutine beats: session, then keep.
	skewed bool // whether somebody was told that this machine's clock is off

	// Owned by run's goroutine.
	empty []time.Time // by inbox: when it was seen empty last
	drain string      // the hash of the script
}

func newShard(c *client, l *Layer) *shard {
	s := &shard{
		link: newLink(c, l.config.Logger, l.metrics.lost), layer: l, arrivals: newArrivals(),
		forgot: make(chan struct{}, 1), empty: make([]time.Time, len(l.inboxKeys)),
	}
	for i := range s.empty {
		s.empty[i] = time.Now()
	}
	return s
}

// session connects, makes the memberships known, and receives until something breaks.
func (s *shard) session(ctx context.Context, b *backoff) error {
	redis, err := s.client.connect(ctx)
	if err != nil {
		return err
	}
	inbox, release := redis.Dedicate()
	defer release()
	if err := s.greet(ctx, inbox); err != nil {
		return err
	}
	if _, err := s.beat(ctx); err != nil && !errors.Is(err, errForgot) {
		return err
	}
	select {
	case <-s.forgot: // what it did not know it will know in a moment
	default:
	}
	if err := s.registerAll(ctx); err != nil {
		return err
	}
	b.reset()
	s.canaries.reset(len(s.layer.lanes))
	early := s.layer.local.Channels() > 0 // who was not told that the layer is ready may have missed something
	if first := s.found(); !first || early {
		s.layer.gap() // who was there before may have missed something
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer context.AfterFunc(ctx, inbox.Close)() // which ends a blocking pop
	var keeping sync.WaitGroup
	keeping.Go(func() { cancel(s.keep(ctx)) })
	err = s.receive(ctx, inbox)
	cancel(err)
	inbox.Close()
	keeping.Wait()
	return s.client.unavailable(context.Cause(ctx))
}

// greet makes sure that the connection works, and that the host knows the script for it.
func (s *shard) greet(ctx context.Context, inbox rueidis.DedicatedClient) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	var err error
	if s.drain, err = inbox.Do(ctx, inbox.B().ScriptLoad().Script(drain).Build()).ToString(); err != nil {
		return s.client.unavailable(err)
	}
	return nil
}

// register makes this process a member of groups that the host is responsible for.
func (s *shard) register(ctx context.Context, groups []string) error {
	l := s.layer
	redisKeys := []string{l.keys.nodes(), l.keys.notes(l.names.id)}
	args := []string{seconds(l.config.GroupExpiry), l.names.id}
	notes := make([]string, 0, len(groups))
	for _, group := range groups {
		name := l.names.representative(group)
		redisKeys, args, notes = append(redisKeys, l.keys.group(group)), append(args, name), append(notes, l.names.note(group))
	}
	known, err := s.client.run(ctx, l.scripts.register, redisKeys, append(args, notes...))
	if err != nil {
		return err
	}
	if n, err := known.AsInt64(); err == nil && n == 0 {
		signal(s.forgot)
	}
	return nil
}

// registerAll makes all memberships known to the host, again or for the first time.
func (s *shard) registerAll(ctx context.Context) error {
	l := s.layer
	l.groups.Doubt()
	var some []string
	for group := range l.local.Groups() {
		if group == membership.Everyone || l.shard(group) != s {
			continue
		}
		if some = append(some, group); len(some) == manyGroups {
			if err := s.register(ctx, some); err != nil {
				return err
			}
			some = some[:0]
		}
	}
	if len(some) == 0 {
		return nil
	}
	return s.register(ctx, some)
}

// unregister takes the process out of groups.
func (s *shard) unregister(ctx context.Context, groups []string) error {
	l := s.layer
	redisKeys := []string{l.keys.notes(l.names.id)}
	var args, notes []string
	for _, group := range groups {
		name := l.names.representative(group)
		redisKeys, args, notes = append(redisKeys, l.keys.group(group)), append(args, name), append(notes, l.names.note(group))
	}
	_, err := s.client.run(ctx, l.scripts.unregister, redisKeys, append(args, notes...))
	return err
}

// remove takes channels out of a group.
func (s *shard) remove(ctx context.Context, group string, channels []string) error {
	_, err := s.client.do(ctx, func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
		return redis.Do(ctx, redis.B().Zrem().Key(s.layer.keys.group(group)).Member(channels...).Build())
	})
	return err
}

// members returns the channels in a group. What is no channel's name is left out.
func (s *shard) members(ctx context.Context, group string) ([]string, error) {
	l := s.layer
	answer, err := s.client.run(ctx, l.scripts.members, []string{l.keys.group(group)}, []string{seconds(l.config.GroupExpiry)})
	if err != nil {
		return nil, err
	}
	all, err := answer.AsStrSlice()
	if err != nil {
		return nil, s.client.unavailable(errAnswer)
	}
	names := all[:0]
	for _, name := range all {
		if channellayer.CheckChannelName(name) == nil {
			names = append(names, name)
		}
	}
	return names, nil
}

// push puts messages on keys, and returns how many keys were full.
func (s *shard) push(ctx context.Context, p *pushes) (full int, err error) {
	return s.pushOver(ctx, nil, p)
}

// pushOver is push over a connection, or over the usual one where that is nil.
func (s *shard) pushOver(ctx context.Context, way rueidis.Client, p *pushes) (full int, err error) {
	args := make([]string, 0, 1+2*len(p.keys))
	args = append(args, seconds(s.layer.config.Expiry))
	args = append(args, p.messages...)
	args = append(args, p.capacities...)
	answer, err := s.client.do(ctx, func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
		if way != nil {
			redis = way
		}
		return s.layer.scripts.push.Exec(ctx, redis, p.keys, args)
	})
	if err != nil {
		return 0, err
	}
	counts, err := answer.AsIntSlice()
	if err != nil || len(counts) != 2 {
		return 0, s.client.unavailable(errAnswer)
	}
	s.layer.metrics.droppedStale.Add(float64(counts[1]))
	return int(counts[0]), nil
}

// leaveAll takes the process off the host, with the groups that linger.
func (s *shard) leaveAll(ctx context.Context, lingering []string) {
	l := s.layer
	var groups []string
	for _, group := range lingering {
		if l.shard(group) == s {
			groups = append(groups, group)
		}
	}
	for group := range l.local.Groups() {
		if group != membership.Everyone && l.shard(group) == s {
			groups = append(groups, group)
		}
	}
	if err := s.leave(ctx, groups); err != nil {
		l.config.Logger.Warn("channel layer: leaving a host; other nodes will sweep up", "host", s.client.host.String(), "error", err)
	}
}

func (s *shard) leave(ctx context.Context, groups []string) error {
	for ; len(groups) > manyGroups; groups = groups[manyGroups:] {
		if err := s.unregister(ctx, groups[:manyGroups]); err != nil {
			return err
		}
	}
	if err := s.unregister(ctx, groups); err != nil {
		return err
	}
	l := s.layer
	gone := append([]string{l.keys.notes(l.names.id)}, l.inboxKeys...)
	_, err := s.client.do(ctx, func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
		if r := redis.Do(ctx, redis.B().Del().Key(gone...).Build()); r.Error() != nil {
			return r
		}
		return redis.Do(ctx, redis.B().Zrem().Key(l.keys.nodes()).Member(l.names.id).Build())
	})
	return err
}
