package redislayer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/belleville/belleville/channellayer"
)

// mostInspected is how many groups, inboxes or members of a group an Inspector looks at.
const mostInspected = 100_000

// An Inspector looks into the Redis of a layer of the core form, whoever uses it, and changes nothing.
type Inspector struct {
	config  Config
	keys    keys
	clients []*client
}

// NewInspector connects to the hosts of a layer. The caller closes the Inspector.
func NewInspector(ctx context.Context, c Config) (*Inspector, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	i := &Inspector{config: c, keys: keys{c.Prefix}}
	for n, h := range c.Hosts {
		client, err := newClient(n, h, c.Timeout)
		if err == nil {
			_, err = client.connect(ctx)
		}
		if err != nil {
			i.Close()
			return nil, err
		}
		i.clients = append(i.clients, client)
	}
	return i, nil
}

// Close ends the connections.
func (i *Inspector) Close() {
	for _, c := range i.clients {
		c.close()
	}
}

// Groups returns the groups that have members, by name.
func (i *Inspector) Groups(ctx context.Context) ([]channellayer.GroupReport, error) {
	var reports []channellayer.GroupReport
	err := i.eachKey(ctx, i.keys.groups(), func(c *client, key string) error {
		group := strings.TrimPrefix(key, i.keys.groups())
		members, err := i.members(ctx, c, group)
		if err != nil || len(members) == 0 {
			return err
		}
		r := channellayer.GroupReport{Group: group, Host: c.index, Members: len(members)}
		processes := make(map[string]bool)
		for _, m := range members {
			processes[processOf(m.channel)] = true
			if m.expired {
				r.Expired++
			}
		}
		r.Processes = len(processes)
		reports = append(reports, r)
		return nil
	})
	slices.SortFunc(reports, func(a, b channellayer.GroupReport) int { return strings.Compare(a.Group, b.Group) })
	return reports, err
}

// groupMember is a channel in a group.
type groupMember struct {
	channel string
	expired bool
}

// members returns the members of a group.
func (i *Inspector) members(ctx context.Context, c *client, group string) ([]groupMember, error) {
	now, err := i.now(ctx, c)
	if err != nil {
		return nil, err
	}
	const page = 5_000
	var members []groupMember
	for from := int64(0); from < mostInspected; from += page {
		answer, err := c.do(ctx, func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
			return redis.Do(ctx, redis.B().Arbitrary("ZRANGE").Keys(i.keys.group(group)).
				Args(fmt.Sprint(from), fmt.Sprint(from+page-1), "WITHSCORES").Build())
		})
		if isWrongType(err) {
			return nil, nil // somebody else's key
		}
		if err != nil {
			return nil, err
		}
		list, err := answer.ToArray()
		if err != nil {
			return nil, c.unavailable(errAnswer)
		}
		for n := 0; n+1 < len(list); n += 2 {
			name, _ := list[n].ToString()
			added := float(list[n+1])
			members = append(members, groupMember{name, added < now-i.config.GroupExpiry.Seconds()})
		}
		if len(list) < 2*page {
			break
		}
	}
	return members, nil
}

// Inboxes returns where messages wait, the fullest first. An inbox that is empty does not exist.
func (i *Inspector) Inboxes(ctx context.Context) ([]channellayer.InboxReport, error) {
	reports, _, err := i.inboxes(ctx)
	return reports, err
}

// inboxes returns where messages wait, the fullest first, and the oldest message of each.
func (i *Inspector) inboxes(ctx context.Context) (reports []channellayer.InboxReport, oldest map[string]string, err error) {
	oldest = make(map[string]string)
	err = i.eachKey(ctx, i.config.Prefix, func(c *client, key string) error {
		if strings.HasPrefix(key, i.config.Prefix+":") && !strings.HasPrefix(key, i.keys.mails()) {
			return nil // a group, or what Bellevilles note
		}
		r, first, err := i.inbox(ctx, c, key)
		if r.Messages > 0 {
			reports = append(reports, r)
		}
		if r.Messages > 0 && !r.Inflight {
			oldest[r.Inbox] = first
		}
		return err
	})
	slices.SortFunc(reports, func(a, b channellayer.InboxReport) int {
		if a.Messages != b.Messages {
			return b.Messages - a.Messages
		}
		return strings.Compare(a.Inbox, b.Inbox)
	})
	return reports, oldest, err
}

// inbox reports on a key.
func (i *Inspector) inbox(ctx context.Context, c *client, key string) (r channellayer.InboxReport, oldest string, err error) {
	name, inflight := strings.CutSuffix(strings.TrimPrefix(strings.TrimPrefix(key, i.keys.mails()), i.config.Prefix), "$inflight")
	r = channellayer.InboxReport{Inbox: name, Host: c.index, Inflight: inflight}
	now, err := i.now(ctx, c)
	if err != nil {
		return r, "", err
	}
	answer, err := c.do(ctx, func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
		return redis.Do(ctx, redis.B().Zcard().Key(key).Build())
	})
	if isWrongType(err) {
		return r, "", nil // somebody else's key
	}
	if err != nil {
		return r, "", err
	}
	n, err := answer.AsInt64()
	if err != nil || n == 0 {
		return r, "", nil
	}
	answer, err = c.do(ctx, func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
		return redis.Do(ctx, redis.B().Arbitrary("ZRANGE").Keys(key).Args("0", "0", "WITHSCORES").Build())
	})
	if err != nil {
		return r, "", err
	}
	if first, err := answer.ToArray(); err == nil && len(first) == 2 {
		r.Messages = int(n)
		oldest, _ = first[0].ToString()
		r.Age = max(0, now-float(first[1]))
	}
	return r, oldest, nil
}

// Leaks returns the processes that are in groups and do not read. Of a Belleville Redis knows whether it lives. A
// process of Django's is found only while something waits in its inbox: it has not read if the oldest message is the
// same after patience, which should be longer than the five seconds for which Django's receivers wait.
func (i *Inspector) Leaks(ctx context.Context, patience time.Duration) ([]channellayer.LeakReport, error) {
	_, before, err := i.inboxes(ctx)
	if err != nil {
		return nil, err
	}
	pause(ctx, patience)
	_, after, err := i.inboxes(ctx)
	if err != nil {
		return nil, err
	}
	nodes, err := i.nodes(ctx)
	if err != nil {
		return nil, err
	}
	leaks := make(map[string]*channellayer.LeakReport)
	err = i.eachKey(ctx, i.keys.groups(), func(c *client, key string) error {
		group := strings.TrimPrefix(key, i.keys.groups())
		members, err := i.members(ctx, c, group)
		for _, m := range members {
			process := processOf(m.channel)
			reason := ""
			if id, ours := nodeOf(m.channel); ours && !nodes[id] {
				reason = channellayer.LeakDeadNode
			} else if oldest, waits := after[process]; !ours && waits && before[process] == oldest {
				reason = channellayer.LeakUnread
			}
			if reason == "" {
				continue
			}
			l := leaks[process]
			if l == nil {
				l = &channellayer.LeakReport{Process: process, Reason: reason}
				leaks[process] = l
			}
			l.Members++
			if !slices.Contains(l.Groups, group) {
				l.Groups = append(l.Groups, group)
			}
		}
		return err
	})
	var reports []channellayer.LeakReport
	for _, l := range leaks {
		slices.Sort(l.Groups)
		reports = append(reports, *l)
	}
	slices.SortFunc(reports, func(a, b channellayer.LeakReport) int { return strings.Compare(a.Process, b.Process) })
	return reports, err
}

// nodes returns the Bellevilles that live.
func (i *Inspector) nodes(ctx context.Context) (map[string]bool, error) {
	alive := make(map[string]bool)
	for _, c := range i.clients {
		now, err := i.now(ctx, c)
		if err != nil {
			return nil, err
		}
		answer, err := c.do(ctx, func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
			return redis.Do(ctx, redis.B().Zrangebyscore().Key(i.keys.nodes()).
				Min(fmt.Sprintf("%.6f", now-i.config.DeadAfter.Seconds())).Max("+inf").Build())
		})
		if err != nil {
			return nil, err
		}
		ids, err := answer.AsStrSlice()
		if err != nil {
			return nil, c.unavailable(errAnswer)
		}
		for _, id := range ids {
			alive[id] = true
		}
	}
	return alive, nil
}

// eachKey walks the keys of all hosts that begin with a text.
func (i *Inspector) eachKey(ctx context.Context, begin string, visit func(c *client, key string) error) error {
	pattern := literally(begin) + "*"
	for _, c := range i.clients {
		seen := make(map[string]bool) // a key may come twice
		for cursor := uint64(0); ; {
			answer, err := c.do(ctx, func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
				return redis.Do(ctx, redis.B().Scan().Cursor(cursor).Match(pattern).Count(1000).Build())
			})
			if err != nil {
				return err
			}
			page, err := answer.AsScanEntry()
			if err != nil {
				return c.unavailable(errAnswer)
			}
			for _, key := range page.Elements {
				if seen[key] || len(seen) == mostInspected {
					continue
				}
				seen[key] = true
				if err := visit(c, key); err != nil {
					return err
				}
			}
			if cursor = page.Cursor; cursor == 0 {
				break
			}
		}
	}
	return nil
}

// now returns the time of a host's own clock.
func (i *Inspector) now(ctx context.Context, c *client) (float64, error) {
	answer, err := c.do(ctx, func(ctx context.Context, redis rueidis.Client) rueidis.RedisResult {
		return redis.Do(ctx, redis.B().Time().Build())
	})
	if err != nil {
		return 0, err
	}
	parts, err := answer.ToArray()
	if err != nil || len(parts) != 2 {
		return 0, c.unavailable(errAnswer)
	}
	return float(parts[0]) + float(parts[1])/1e6, nil
}

// processOf returns what the names of a process's channels have in common: a Belleville has several inboxes.
func processOf(channel string) string {
	if id, ours := nodeOf(channel); ours {
		return nodePrefix + id
	}
	return channellayer.NonLocalName(channel)
}

// isWrongType reports whether a key is none of the layer's.
func isWrongType(err error) bool {
	refused, ok := errors.AsType[*rueidis.RedisError](err)
	return ok && strings.HasPrefix(refused.Error(), "WRONGTYPE")
}
