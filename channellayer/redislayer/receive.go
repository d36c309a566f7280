package redislayer

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

const (
	// blockFor is how long Redis holds back its answer where an inbox is empty, and grace how much later the answer
	// may come. Together they bound for how long a connection that is dead goes unnoticed.
	blockFor = 2 * time.Second
	grace    = 2 * time.Second

	// What one script takes out of an inbox, and out of all.
	drainMessages = 500
	drainBytes    = 4 << 20
)

// receive takes messages out of this process's inboxes, as fast as they come, until something breaks.
func (s *shard) receive(ctx context.Context, inbox rueidis.DedicatedClient) error {
	for {
		if err := s.arrivals.awaitRoom(ctx); err != nil {
			return err
		}
		messages, err := s.fetch(ctx, inbox)
		if err != nil {
			return err
		}
		// Those of one sender to several channels were sent in the order of their scores.
		slices.SortStableFunc(messages, func(a, b message) int { return cmp.Compare(a.score, b.score) })
		s.arrivals.put(messages)
	}
}

// fetch waits for the next message, for a while, and takes it with all the others that are there.
func (s *shard) fetch(ctx context.Context, inbox rueidis.DedicatedClient) ([]message, error) {
	ctx, cancel := context.WithTimeout(ctx, blockFor+grace)
	defer cancel()
	asked := time.Now()
	redisKeys := s.layer.inboxKeys
	answers := inbox.DoMulti(ctx,
		inbox.B().Bzpopmin().Key(redisKeys...).Timeout(blockFor.Seconds()).Build(),
		inbox.B().Evalsha().Sha1(s.drain).Numkeys(int64(len(redisKeys))).Key(redisKeys...).
			Arg(strconv.Itoa(drainMessages), strconv.Itoa(drainBytes)).Build())
	first, err := answers[0].ToArray()
	switch {
	case rueidis.IsRedisNil(err):
		for i := range s.empty {
			s.empty[i] = asked
		}
	case err != nil:
		return nil, s.client.unavailable(err)
	case len(first) != 3:
		return nil, s.client.unavailable(errAnswer)
	}
	rest, err := answers[1].ToArray()
	if err != nil {
		return nil, s.client.unavailable(err)
	}
	if len(rest) != 1+len(redisKeys) {
		return nil, s.client.unavailable(errAnswer)
	}
	return s.read(first, rest, asked)
}

// read makes messages of what Redis answered: a key, message and score, if any; and the time, with a list for each lane.
func (s *shard) read(first, rest []rueidis.RedisMessage, asked time.Time) ([]message, error) {
	redisTime := float(rest[0])
	var messages []message
	for inbox, key := range s.layer.inboxKeys {
		taken, err := rest[1+inbox].ToArray()
		if err != nil || len(taken)%2 != 1 {
			return nil, s.client.unavailable(errAnswer)
		}
		depth, _ := taken[0].AsInt64()
		left := int(depth) > len(taken)/2
		taken = taken[1:]
		if len(first) == 3 {
			if name, _ := first[0].ToString(); name == key {
				taken = append(slices.Clone(first[1:]), taken...)
				depth++
			}
		}
		if inbox < len(s.layer.lanes) {
			s.layer.metrics.sawDepth(inbox, int(depth))
		}
		messages = s.take(messages, inbox, taken, redisTime)
		if !left {
			s.empty[inbox] = asked
		}
	}
	return messages, nil
}

// take appends the messages of an inbox, which come with their scores by turns.
func (s *shard) take(messages []message, inbox int, taken []rueidis.RedisMessage, redisTime float64) []message {
	now := time.Now()
	for i := 0; i+1 < len(taken); i += 2 {
		data, err := taken[i].AsBytes()
		if err != nil {
			continue
		}
		score := float(taken[i+1])
		messages = append(messages, message{inbox % len(s.layer.lanes), data, score, now, s.age(inbox, now, redisTime-score)})
	}
	return messages
}

// age returns how long a message was in an inbox: what its sender's clock says, but no longer than since the inbox
// was seen empty, so that a sender whose clock is slow is heard.
func (s *shard) age(inbox int, now time.Time, byScore float64) time.Duration {
	longest := now.Sub(s.empty[inbox])
	if byScore > tolerableSkew.Seconds()+longest.Seconds() || byScore < -tolerableSkew.Seconds() {
		s.layer.warnings.say(s.layer.config.Logger, "channel layer: the clock of a process that sends differs from that of a host; set those of the site's machines by "+
			"NTP: where Django's is ahead, it drops what others have sent before it is read",
			"host", s.client.host.String(), "seconds", -byScore)
	}
	if byScore <= 0 {
		return 0
	}
	return min(longest, time.Duration(min(byScore, longest.Seconds())*float64(time.Second)))
}
