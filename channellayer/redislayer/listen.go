package redislayer

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/belleville/belleville/channellayer"
)

const (
	// listenFor is how long Redis holds back its answer where a plain channel is empty; so long may Listen take to
	// return where Redis does not understand CLIENT UNBLOCK.
	listenFor = time.Second

	// inflightPatience is how long a message may be in the hands of a receiver of Django's, which drops it
	// at once unless it has died.
	inflightPatience = 10 * time.Second
)

// Listen implements [channellayer.Listener], on all hosts at once. While r is full, events wait in Redis, but for the one
// that was offered. Those in the hands of a Django worker that died are taken over.
func (l *Layer) Listen(ctx context.Context, channel string, r channellayer.Receiver) error {
	if err := channellayer.CheckChannelName(channel); err != nil {
		return err
	}
	if err := l.usable(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var listening sync.WaitGroup
	listening.Go(func() {
		select {
		case <-l.ended:
			cancel(channellayer.ErrClosed)
		case <-ctx.Done():
		}
	})
	for _, s := range l.shards {
		n := &listener{shard: s, channel: channel, key: l.keys.inbox(channel), receiver: r, capacity: l.capacities.Of(channel)}
		listening.Go(func() { n.run(ctx) })
		listening.Go(func() { n.rescue(ctx) })
	}
	listening.Wait()
	return context.Cause(ctx)
}

// listener takes the events of a plain channel from one host.
type listener struct {
	shard    *shard
	channel  string
	key      string
	receiver channellayer.Receiver
	capacity int
}

// run listens until ctx is done, over as many connections as break.
func (n *listener) run(ctx context.Context) {
	var b backoff
	for ctx.Err() == nil {
		if n.session(ctx) == nil {
			b.reset()
			continue
		}
		pause(ctx, b.next())
	}
}

// session listens over one connection. An error means that there was none, or that it broke.
func (n *listener) session(ctx context.Context) error {
	redis := n.shard.client.current()
	if redis == nil {
		return n.shard.status()
	}
	conn, release := redis.Dedicate()
	defer release()
	id, err := n.id(ctx, conn)
	if err != nil {
		conn.Close()
		return err
	}
	done := make(chan struct{})
	var ending sync.WaitGroup
	ending.Go(func() { n.unblock(ctx, id, done) })
	for ctx.Err() == nil && err == nil {
		if err = n.next(ctx, conn); err == nil && n.shard.client.current() != redis {
			err = errNoSession // the layer has found that this is the wrong server
		}
	}
	close(done)
	ending.Wait()
	if err != nil {
		conn.Close()
	}
	return err
}

func (n *listener) id(ctx context.Context, conn rueidis.DedicatedClient) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, n.shard.client.timeout)
	defer cancel()
	return conn.Do(ctx, conn.B().ClientId().Build()).AsInt64()
}

// unblock makes the pop on a connection end once ctx is done, until done is closed. A pop is never cut off in the
// middle, which might lose what it popped.
func (n *listener) unblock(ctx context.Context, id int64, done <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-done:
		return
	}
	again := time.NewTicker(20 * time.Millisecond) // the pop may be about to begin
	defer again.Stop()
	for {
		_, _ = n.shard.client.do(context.Background(), func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
			return redis.Do(ctx, redis.B().ClientUnblock().ClientId(id).Build())
		}) // where it fails the pop ends a little later
		select {
		case <-again.C:
		case <-done:
			return
		}
	}
}

// next waits for an event, for a while, and hands it on.
func (n *listener) next(ctx context.Context, conn rueidis.DedicatedClient) error {
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), listenFor+grace)
	defer cancel()
	answer, err := conn.Do(whole, conn.B().Bzpopmin().Key(n.key).Timeout(listenFor.Seconds()).Build()).ToMessage()
	if rueidis.IsRedisNil(err) {
		return nil
	}
	if err != nil {
		return err
	}
	parts, err := answer.ToArray()
	if err != nil || len(parts) != 3 {
		return errAnswer
	}
	data, err := parts[1].AsBytes()
	if err != nil {
		return errAnswer
	}
	if !n.offer(ctx, data) {
		n.putBack(data, parts[2])
	}
	return nil
}

// offer hands a message to the receiver, as often as it takes. It reports false where ctx ended first.
func (n *listener) offer(ctx context.Context, data []byte) bool {
	l := n.shard.layer
	e, _, err := l.codec.Open(data, time.Now())
	if err != nil {
		l.metrics.invalid(err)
		l.warnings.unread(n.shard.logger, err)
		return true
	}
	d := channellayer.NewDelivery(e, time.Now().Add(l.config.Expiry))
	for ctx.Err() == nil {
		if n.receiver.Receive(d, n.capacity) {
			l.metrics.delivered.Inc()
			return true
		}
		pause(ctx, 10*time.Millisecond)
	}
	return false
}

// putBack gives a message back to Redis, with the score that it had.
func (n *listener) putBack(data []byte, score rueidis.RedisMessage) {
	_, err := n.shard.client.do(context.Background(), func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
		r := redis.Do(ctx, redis.B().Zadd().Key(n.key).ScoreMember().ScoreMember(float(score), string(data)).Build())
		if r.Error() != nil {
			return r
		}
		expiry := int64(n.shard.layer.config.Expiry / time.Second)
		return redis.Do(ctx, redis.B().Expire().Key(n.key).Seconds(expiry).Build())
	})
	if err != nil {
		n.shard.layer.metrics.droppedNoChannel.Inc()
	}
}

// rescue looks for messages that a dead receiver of Django's has left: those that stay in its hands.
func (n *listener) rescue(ctx context.Context) {
	var before []string
	for {
		held := n.held(ctx)
		for _, data := range held {
			if slices.Contains(before, data) {
				_, _ = n.shard.client.run(ctx, n.shard.layer.scripts.rescue, []string{n.key, n.key + "$inflight"}, []string{data})
			}
		}
		before = held
		pause(ctx, inflightPatience)
		if ctx.Err() != nil {
			return
		}
	}
}

// held returns the messages in the hands of receivers of Django's, the first few of them.
func (n *listener) held(ctx context.Context) []string {
	answer, err := n.shard.client.do(ctx, func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
		return redis.Do(ctx, redis.B().Zrange().Key(n.key+"$inflight").Min("0").Max(strconv.Itoa(9)).Build())
	})
	if err != nil {
		return nil
	}
	held, err := answer.AsStrSlice()
	if err != nil && !errors.Is(err, rueidis.Nil) {
		return nil
	}
	return held
}
