package redislayer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/belleville/belleville/channellayer"
)

// ErrKeepsNothing means that the pub/sub form has nothing of the kind that was asked for.
var ErrKeepsNothing = errors.New("redislayer: with RedisPubSubChannelLayer no message waits and no membership outlives its connection, so there are neither inboxes nor leaks; groups, tail and canary work on it")

// A TopicInspector looks into the Redis of a layer of the pub/sub form, whoever uses it, and changes nothing.
type TopicInspector struct {
	hosts *Inspector
}

// NewTopicInspector connects to the hosts of a layer. The caller closes the TopicInspector.
func NewTopicInspector(ctx context.Context, c Config) (*TopicInspector, error) {
	i, err := NewInspector(ctx, c)
	if err != nil {
		return nil, err
	}
	return &TopicInspector{i}, nil
}

// Close ends the connections.
func (i *TopicInspector) Close() { i.hosts.Close() }

// Groups returns the groups that somebody is subscribed to, by name. A process is subscribed once to a group, whatever the
// number of its members, which only the process knows: Members and Processes are the same. Sites that share a Redis and a
// prefix are not told apart, also where their databases differ, since topics belong to none.
func (i *TopicInspector) Groups(ctx context.Context) ([]channellayer.GroupReport, error) {
	begin := i.hosts.config.Prefix + "__group__"
	var reports []channellayer.GroupReport
	for _, c := range i.hosts.clients {
		topics, err := i.topics(ctx, c, begin)
		if err != nil {
			return nil, err
		}
		for some := range slices.Chunk(topics, 1000) {
			found, err := i.subscribers(ctx, c, some)
			if err != nil {
				return nil, err
			}
			for topic, n := range found {
				group := strings.TrimPrefix(topic, begin)
				reports = append(reports, channellayer.GroupReport{Group: group, Host: c.index, Members: n, Processes: n})
			}
		}
	}
	slices.SortFunc(reports, func(a, b channellayer.GroupReport) int {
		if a.Group != b.Group {
			return strings.Compare(a.Group, b.Group)
		}
		return a.Host - b.Host
	})
	return reports, nil
}

// topics returns the topics that begin with a text and that somebody is subscribed to.
func (i *TopicInspector) topics(ctx context.Context, c *client, begin string) ([]string, error) {
	answer, err := c.do(ctx, func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
		return redis.Do(ctx, redis.B().PubsubChannels().Pattern(literally(begin)+"*").Build())
	})
	if err != nil {
		return nil, err
	}
	topics, err := answer.AsStrSlice()
	if err != nil {
		return nil, c.unavailable(errAnswer)
	}
	return topics[:min(len(topics), mostInspected)], nil
}

// subscribers returns how many connections are subscribed to topics, those left out that nobody is subscribed to any more.
func (i *TopicInspector) subscribers(ctx context.Context, c *client, topics []string) (map[string]int, error) {
	answer, err := c.do(ctx, func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
		return redis.Do(ctx, redis.B().PubsubNumsub().Channel(topics...).Build())
	})
	if err != nil {
		return nil, err
	}
	list, err := answer.ToArray()
	if err != nil || len(list) != 2*len(topics) {
		return nil, c.unavailable(errAnswer)
	}
	found := make(map[string]int)
	for n := 0; n < len(list); n += 2 {
		topic, _ := list[n].ToString()
		if count, err := list[n+1].AsInt64(); err == nil && count > 0 {
			found[topic] = int(count)
		}
	}
	return found, nil
}

// Inboxes returns ErrKeepsNothing.
func (i *TopicInspector) Inboxes(context.Context) ([]channellayer.InboxReport, error) {
	return nil, ErrKeepsNothing
}

// Leaks returns ErrKeepsNothing.
func (i *TopicInspector) Leaks(context.Context, time.Duration) ([]channellayer.LeakReport, error) {
	return nil, ErrKeepsNothing
}

// literally makes a pattern of Redis's of a text that is meant as it is.
func literally(text string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`).Replace(text)
}
